using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments.StandardWebhooks;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Simulator;

/// <summary>The channel of the built-in provider: everything can be tried and tested without an account. Nobody pays real money through it.</summary>
/// <remarks>Settings: <c>address</c> of the provider, <c>secrets</c> that it signs with, <c>notifyUrl</c> that it calls back, <c>toleranceSeconds</c>.</remarks>
internal sealed class SimulatorChannel : IPaymentChannel
{
    private readonly PaymentMessageIntake _intake;
    private readonly Uri _address;
    private readonly string? _notifyUrl;
    private readonly HttpMessageInvoker _http;

    public SimulatorChannel(ChannelConfig config, HttpMessageInvoker http)
    {
        config.Known("secrets", "toleranceSeconds", "address", "notifyUrl");
        Name = config.Channel;
        _intake = new PaymentMessageIntake(config);
        _address = config.Address("address", "http://127.0.0.1:7080/");
        _notifyUrl = config.Link("notifyUrl");
        _http = http;
    }

    public string Name { get; }

    public bool MakesCalls => true;

    public string? Problem(string checkout, long amount, string currency) => null;

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now) => _intake.Verify(request, now);

    public PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body) => _intake.Reread(eventId, body);

    public CallbackReply Reply(CallbackOutcome outcome) => PaymentMessageIntake.Reply(outcome);

    public Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post,
        "orders",
        new JsonObject
        {
            ["space"] = order.Space,
            ["order"] = order.Checkout,
            ["amount"] = order.Amount,
            ["currency"] = order.Currency,
            ["notifyUrl"] = NotifyUrl.Of(_notifyUrl, Name, order.Space),
        },
        cancellationToken);

    public Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "orders/" + Path(order), null, cancellationToken);

    public Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"orders/{Path(order)}/close", [], cancellationToken);

    public Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Post,
        "refunds",
        new JsonObject { ["refund"] = refund.Id, ["transaction"] = refund.Transaction, ["amount"] = refund.Amount },
        cancellationToken);

    public Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "refunds/" + Uri.EscapeDataString(refund.Id), null, cancellationToken);

    public async Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_address, $"bills/{day:yyyy-MM-dd}"));
        return await ProviderHttp.DownloadAsync(_http, request, cancellationToken);
    }

    private static string Path(PaymentOrder order) => Uri.EscapeDataString(order.Space) + "/" + Uri.EscapeDataString(order.Checkout);

    private async Task<PaymentResult> SendAsync(HttpMethod method, string path, JsonObject? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, new Uri(_address, path));
        request.Content = body is null ? null : new StringContent(body.ToJsonString(), Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        ProviderAnswer answer = await ProviderHttp.SendAsync(_http, request, cancellationToken);
        JsonObject? said = JsonFacts.ParseObject(answer.Body);
        string state = JsonFacts.Text(said, "state") ?? "";
        PaymentOutcome outcome = (answer.Status, state) switch
        {
            (404, _) => PaymentOutcome.NotFound,
            (409, _) => PaymentOutcome.Refused,
            (200, "open") => PaymentOutcome.Opened,
            (200, "paid") => PaymentOutcome.Paid,
            (200, "closed") => PaymentOutcome.Closed,
            (200, "refunding") => PaymentOutcome.Pending,
            (200, "refunded") => PaymentOutcome.Refunded,
            _ => PaymentOutcome.Unknown,
        };
        PaymentNotice? notice = outcome != PaymentOutcome.Paid ? null : new PaymentNotice
        {
            Channel = Name,
            Kind = NoticeKind.Paid,
            Checkout = JsonFacts.Text(said, "order"),
            Transaction = JsonFacts.Id(said, "transaction"),
            Amount = JsonFacts.Amount(said, "paid") ?? 0,
            Currency = JsonFacts.Text(said, "currency") ?? "",
            Type = "query",
        };
        return new PaymentResult(outcome, $"{answer.Status} {state}".Trim()) { Notice = notice, PayUrl = JsonFacts.Text(said, "payUrl"), ProviderId = JsonFacts.Text(said, "id") };
    }
}

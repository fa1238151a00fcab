using System.Net;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;

namespace Holdfast.Engine.Tests.Payments.Providers;

/// <summary>
/// A provider's API as its documentation describes it, with books of its own: it checks what is sent to it (keys,
/// signatures, idempotency) as the real one does, and answers in its words.
/// </summary>
internal abstract class FakeProvider : HttpMessageHandler
{
    private protected const string Secret = "never-tell";

    /// <summary>Orders by merchant number.</summary>
    public Dictionary<string, FakeOrder> Orders { get; } = new(StringComparer.Ordinal);

    /// <summary>Refunds by merchant id: amount.</summary>
    public Dictionary<string, long> Refunds { get; } = new(StringComparer.Ordinal);

    /// <summary>Answered in place of everything else: a gateway's page.</summary>
    public HttpStatusCode? Broken { get; set; }

    /// <summary>Whether answers come with a wrong signature (where the provider signs).</summary>
    public bool SignsWrongly { get; set; }

    /// <summary>Changes an answer before it is signed and sent; told the request's path, or Alipay's method.</summary>
    public Action<string, JsonObject>? Changes { get; set; }

    /// <summary>What was sent to it.</summary>
    public List<SentRequest> Sent { get; } = [];

    /// <summary>What was wrong with a request; must stay empty.</summary>
    public List<string> Complaints { get; } = [];

    public abstract string Kind { get; }

    public abstract string Currency { get; }

    public abstract IPaymentChannel Channel(TimeProvider time);

    /// <summary>The genuine callback that tells of an order's payment.</summary>
    public abstract CallbackRequest Callback(FakeOrder order, DateTimeOffset now);

    /// <summary>The shopper pays.</summary>
    public FakeOrder Pay(string order)
    {
        FakeOrder paid = Orders[order];
        paid.State = "paid";
        paid.Transaction ??= "tx-" + order;
        return paid;
    }

    protected abstract Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, string body);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        Sent.Add(new SentRequest(request.Method, request.RequestUri!.AbsolutePath, body, request.Headers.TryGetValues("Idempotency-Key", out IEnumerable<string>? keys) ? keys.Single() : null));
        return Broken is { } status ? new HttpResponseMessage(status) { Content = new StringContent("<html>a gateway's page</html>") } : await AnswerAsync(request, body);
    }

    protected void Require(bool holds, string complaint)
    {
        if (!holds)
        {
            Complaints.Add(complaint);
        }
    }

    protected PaymentChannels Channels(TimeProvider time) => new(new HttpMessageInvoker(this, disposeHandler: false), time, () => 42);
}

internal sealed record SentRequest(HttpMethod Method, string Path, string Body, string? IdempotencyKey);

internal sealed class FakeOrder(string number, long amount)
{
    public string Number { get; } = number;

    public long Amount { get; } = amount;

    public string State { get; set; } = "open";

    public string? Transaction { get; set; }

    public long Refunded { get; set; }
}

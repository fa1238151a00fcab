using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.StandardWebhooks;

/// <summary>A provider of one's own that sends Standard Webhooks with <see cref="PaymentMessage"/> bodies. It is listened to, and never called.</summary>
internal sealed class StandardWebhooksChannel : IPaymentChannel
{
    private readonly IReadOnlyList<SigningKey> _keys;
    private readonly TimeSpan _tolerance;

    public StandardWebhooksChannel(ChannelConfig config)
    {
        config.Known("secrets", "toleranceSeconds");
        Name = config.Channel;
        _keys = Keys(config);
        _tolerance = config.Tolerance();
    }

    public string Name { get; }

    public bool MakesCalls => false;

    public static IReadOnlyList<SigningKey> Keys(ChannelConfig config)
    {
        const string prefix = "whsec_";
        IReadOnlyList<string> secrets = config.Texts("secrets");
        if (secrets.Count == 0)
        {
            throw config.Wrong("secrets is empty: give the signing secret (whsec_...)");
        }

        try
        {
            return [.. secrets.Select(s => SigningKey.Parse(s.StartsWith(prefix, StringComparison.Ordinal) ? s : prefix + s))];
        }
        catch (ArgumentException)
        {
            throw config.Wrong("a secret is not 'whsec_' followed by 24 to 64 bytes in base64");
        }
    }

    public string? Problem(string checkout, long amount, string currency) => null;

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now)
    {
        if (StandardWebhookSignature.Refusal(request.Header, request.Body.Span, _keys, _tolerance, now) is { } refusal)
        {
            return CallbackVerdict.Refused(refusal);
        }

        JsonObject? root = JsonFacts.ParseObject(request.Body.Span);
        return CallbackVerdict.Genuine(PaymentMessage.Read(Name, request.Header("webhook-id")!, root, request.Body), root);
    }

    public CallbackReply Reply(CallbackOutcome outcome) => outcome switch
    {
        CallbackOutcome.Taken => new CallbackReply(204),
        CallbackOutcome.Refused => new CallbackReply(401, "application/json", "{\"code\":\"unauthorized\"}"),
        _ => new CallbackReply(503),
    };

    public Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken) => throw NotCalled();

    public Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken) => throw NotCalled();

    private PaymentChannelException NotCalled() => new($"channel '{Name}' only listens: it has nobody to call");
}

using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.StandardWebhooks;

/// <summary>The listening half of channels whose provider sends Standard Webhooks with <see cref="PaymentMessage"/> bodies.</summary>
internal sealed class PaymentMessageIntake
{
    private const string Prefix = "whsec_";

    private readonly string _channel;
    private readonly IReadOnlyList<SigningKey> _keys;
    private readonly TimeSpan _tolerance;

    /// <summary>Reads <c>secrets</c> and <c>toleranceSeconds</c>.</summary>
    public PaymentMessageIntake(ChannelConfig config)
    {
        _channel = config.Channel;
        _keys = Keys(config);
        _tolerance = config.Tolerance();
    }

    public static CallbackReply Reply(CallbackOutcome outcome) => outcome switch
    {
        CallbackOutcome.Taken => new CallbackReply(204),
        CallbackOutcome.Refused => new CallbackReply(401, "application/json", "{\"code\":\"unauthorized\"}"),
        _ => new CallbackReply(503),
    };

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now)
    {
        if (StandardWebhookSignature.Refusal(request.Header, request.Body.Span, _keys, _tolerance, now) is { } refusal)
        {
            return CallbackVerdict.Refused(refusal);
        }

        JsonObject? root = JsonFacts.ParseObject(request.Body.Span);
        return CallbackVerdict.Genuine(PaymentMessage.Read(_channel, request.Header("webhook-id")!, root, request.Body), root);
    }

    public PaymentNotice? Reread(string eventId, ReadOnlyMemory<byte> body) =>
        JsonFacts.ParseObject(body.Span) is { } root ? PaymentMessage.Read(_channel, eventId, root, body) : null;

    private static IReadOnlyList<SigningKey> Keys(ChannelConfig config)
    {
        IReadOnlyList<string> secrets = config.Texts("secrets");
        if (secrets.Count == 0)
        {
            throw config.Wrong("secrets is empty: give the signing secret (whsec_...)");
        }

        try
        {
            return [.. secrets.Select(s => SigningKey.Parse(s.StartsWith(Prefix, StringComparison.Ordinal) ? s : Prefix + s))];
        }
        catch (ArgumentException)
        {
            throw config.Wrong("a secret is not 'whsec_' followed by 24 to 64 bytes in base64");
        }
    }
}

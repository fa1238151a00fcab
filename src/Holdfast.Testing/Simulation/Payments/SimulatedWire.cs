using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Engine;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Payments.StandardWebhooks;
using Holdfast.Engine.Payments.WeChatPay;
using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>
/// How callbacks travel in a simulated run: as signed bytes, which the real channel verifies and reads. Strangers send some
/// too: signed with another key, changed on the way, written anew, replayed, or as the provider's own wrongly signed probe.
/// </summary>
internal sealed class SimulatedWire(string channel, PaymentFault fault)
{
    private const int ToleranceSeconds = 300;
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private const string AnotherSecret = "whsec_YW5vdGhlciBzZWNyZXQgb2YgYSBzdHJhbmdlciEhISE=";

    private static readonly SigningKey Key = SigningKey.Parse(Secret);
    private static readonly SigningKey AnotherKey = SigningKey.Parse(AnotherSecret);
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly StandardWebhooksChannel _intake = new(new ChannelConfig(channel, new JsonObject { ["secrets"] = new JsonArray(Secret), ["toleranceSeconds"] = ToleranceSeconds }));

    /// <summary>The notice as the intake reads it; null: it was refused.</summary>
    public PaymentNotice? Carry(PaymentNotice notice, DateTimeOffset now) => Take(Sign(notice.EventId, Body(notice), now, Key), now);

    /// <summary>What a stranger makes of a notice; what the intake takes of it: nothing, unless signatures are not checked.</summary>
    public PaymentNotice? Forge(PaymentNotice notice, int way, DateTimeOffset now)
    {
        byte[] body = Body(notice);
        CallbackRequest genuine = Sign(notice.EventId, body, now, Key);
        return Take(
            way switch
            {
                0 => Sign(notice.EventId, body, now, AnotherKey),
                1 => genuine with { Body = Body(notice with { Amount = notice.Amount + 1 }) },
                2 => genuine with { Body = Encoding.UTF8.GetBytes(JsonNode.Parse(body)!.ToJsonString(Indented)) },
                _ => Sign(notice.EventId, body, now.AddSeconds(-ToleranceSeconds - 1), Key),
            },
            now);
    }

    /// <summary>Why the provider's own wrongly signed probe is refused.</summary>
    public static string? Probe(DateTimeOffset now)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["Wechatpay-Timestamp"] = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["Wechatpay-Nonce"] = "nonce",
            ["Wechatpay-Serial"] = "serial",
            ["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/AAAA",
        };
        return WeChatPaySignature.Refusal(headers.GetValueOrDefault, "{}"u8, new Dictionary<string, System.Security.Cryptography.RSA>(), TimeSpan.FromSeconds(ToleranceSeconds), now);
    }

    private PaymentNotice? Take(CallbackRequest request, DateTimeOffset now) =>
        fault == PaymentFault.SignatureNotChecked ? _intake.Reread(SpaceHost.DefaultName, request.Header("webhook-id")!, request.Body) : _intake.Verify(request, now).Notice;

    private static byte[] Body(PaymentNotice notice) => Encoding.UTF8.GetBytes(
        PaymentMessage.Write(notice.Kind, notice.Checkout!, notice.Transaction, notice.Amount, notice.Currency, notice.Refund).ToJsonString());

    private static CallbackRequest Sign(string id, byte[] body, DateTimeOffset at, SigningKey key)
    {
        long timestamp = at.ToUnixTimeSeconds();
        return new CallbackRequest(
            new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
            {
                ["webhook-id"] = id,
                ["webhook-timestamp"] = timestamp.ToString(CultureInfo.InvariantCulture),
                ["webhook-signature"] = key.Sign(id, timestamp, body),
            },
            body);
    }
}

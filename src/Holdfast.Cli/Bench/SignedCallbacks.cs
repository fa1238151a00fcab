using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;

namespace Holdfast.Cli.Bench;

/// <summary>Callbacks as the providers sign them, with keys made for the measurement, and the channels' settings that accept them.</summary>
internal sealed class SignedCallbacks : IDisposable
{
    private const string ApiV3Key = "0123456789abcdef0123456789abcdef";
    private const string StripeSecret = "whsec_bench";

    private readonly RSA _rsa = RSA.Create(2048);
    private readonly string _webhookSecret = SigningKey.Format(RandomNumberGenerator.GetBytes(32));

    public static IReadOnlyList<string> Channels { get; } = ["standard-webhooks", "stripe", "wechatpay", "alipay"];

    /// <summary>The channels' settings.</summary>
    public JsonObject Settings => new()
    {
        ["standard-webhooks"] = new JsonObject { ["secrets"] = new JsonArray(_webhookSecret) },
        ["stripe"] = new JsonObject { ["secrets"] = new JsonArray(StripeSecret) },
        ["wechatpay"] = new JsonObject
        {
            ["apiV3Key"] = ApiV3Key,
            ["platformKeys"] = new JsonObject { ["KEY"] = _rsa.ExportSubjectPublicKeyInfoPem() },
            ["toleranceSeconds"] = 3600,
        },
        ["alipay"] = new JsonObject { ["publicKey"] = _rsa.ExportSubjectPublicKeyInfoPem() },
        ["simulator"] = new JsonObject(),
    };

    /// <summary>A paid callback for a checkout.</summary>
    public (byte[] Body, KeyValuePair<string, string>[] Headers) Paid(string channel, string checkout, long amount, string currency, long now)
    {
        string time = now.ToString(CultureInfo.InvariantCulture);
        switch (channel)
        {
            case "stripe":
            {
                byte[] body = Bytes(new JsonObject
                {
                    ["id"] = "evt_" + checkout,
                    ["type"] = "payment_intent.succeeded",
                    ["data"] = new JsonObject
                    {
                        ["object"] = new JsonObject { ["id"] = "pi_" + checkout, ["amount_received"] = amount, ["currency"] = currency.ToLowerInvariant(), ["metadata"] = new JsonObject { ["checkout"] = checkout } },
                    },
                });
                byte[] signed = [.. Encoding.ASCII.GetBytes(time + "."), .. body];
                byte[] mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(StripeSecret), signed);
                return (body, [new("Stripe-Signature", $"t={time},v1={Convert.ToHexStringLower(mac)}")]);
            }

            case "wechatpay":
            {
                byte[] body = Bytes(WeChatPay(checkout, amount, currency));
                byte[] signed = [.. Encoding.ASCII.GetBytes($"{time}\nn\n"), .. body, (byte)'\n'];
                byte[] signature = _rsa.SignData(signed, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
                return (body, [new("Wechatpay-Timestamp", time), new("Wechatpay-Nonce", "n"), new("Wechatpay-Serial", "KEY"), new("Wechatpay-Signature", Convert.ToBase64String(signature))]);
            }

            case "alipay":
            {
                string yuan = (amount / 100m).ToString("0.00", CultureInfo.InvariantCulture);
                string signed = $"app_id=1&charset=utf-8&notify_id=n-{checkout}&out_trade_no={checkout}&total_amount={yuan}&trade_no=t-{checkout}&trade_status=TRADE_SUCCESS";
                string sign = Convert.ToBase64String(_rsa.SignData(Encoding.UTF8.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
                return (Encoding.ASCII.GetBytes($"{signed}&sign_type=RSA2&sign={WebUtility.UrlEncode(sign)}"), []);
            }

            default:
            {
                byte[] body = Bytes(new JsonObject
                {
                    ["type"] = "payment.succeeded",
                    ["data"] = new JsonObject { ["checkout"] = checkout, ["transaction"] = "t-" + checkout, ["amount"] = new JsonObject { ["value"] = amount, ["currency"] = currency } },
                });
                return (body, [new("webhook-id", "e-" + checkout), new("webhook-timestamp", time), new("webhook-signature", SigningKey.Parse(_webhookSecret).Sign("e-" + checkout, now, body))]);
            }
        }
    }

    public void Dispose() => _rsa.Dispose();

    private static byte[] Bytes(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());

    private static JsonObject WeChatPay(string checkout, long amount, string currency)
    {
        byte[] plain = Bytes(new JsonObject
        {
            ["out_trade_no"] = checkout,
            ["transaction_id"] = "t-" + checkout,
            ["trade_state"] = "SUCCESS",
            ["amount"] = new JsonObject { ["total"] = amount, ["currency"] = currency },
        });
        byte[] sealedBytes = new byte[plain.Length + 16];
        using var aes = new AesGcm(Encoding.UTF8.GetBytes(ApiV3Key), 16);
        aes.Encrypt("nonce-of-12b"u8, plain, sealedBytes.AsSpan(0, plain.Length), sealedBytes.AsSpan(plain.Length), "transaction"u8);
        return new JsonObject
        {
            ["id"] = "e-" + checkout,
            ["event_type"] = "TRANSACTION.SUCCESS",
            ["resource"] = new JsonObject { ["algorithm"] = "AEAD_AES_256_GCM", ["ciphertext"] = Convert.ToBase64String(sealedBytes), ["nonce"] = "nonce-of-12b", ["associated_data"] = "transaction" },
        };
    }
}

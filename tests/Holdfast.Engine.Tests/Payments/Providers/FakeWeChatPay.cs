using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Payments.WeChatPay;

namespace Holdfast.Engine.Tests.Payments.Providers;

/// <summary>Native orders, refunds and trade bills of APIv3: verifies each request's Authorization, signs each answer.</summary>
internal sealed partial class FakeWeChatPay : FakeProvider
{
    private const string ApiV3Key = "0123456789abcdef0123456789abcdef";
    private readonly RSA _platform = RSA.Create(2048);
    private readonly RSA _merchant = RSA.Create(2048);

    public override string Kind => "wechatpay";

    public override string Currency => "CNY";

    public override IPaymentChannel Channel(TimeProvider time) => Channels(time).Create("wechatpay", new JsonObject
    {
        ["apiV3Key"] = ApiV3Key,
        ["platformKeys"] = new JsonObject { ["PUB_KEY_ID_1"] = _platform.ExportSubjectPublicKeyInfoPem() },
        ["appId"] = "wx1",
        ["merchantId"] = "1900000001",
        ["merchantSerial"] = "SERIAL1",
        ["merchantKey"] = _merchant.ExportPkcs8PrivateKeyPem(),
        ["notifyUrl"] = "https://shop.test/v1/callbacks/wechatpay",
        ["address"] = "https://wechat.test/",
    });

    public override CallbackRequest Callback(FakeOrder order, DateTimeOffset now) =>
        Callback("evt-" + order.Number, Encoding.UTF8.GetBytes(Transaction(order).ToJsonString()), now);

    /// <summary>A callback that says this.</summary>
    public CallbackRequest Callback(string id, byte[] plain, DateTimeOffset now)
    {
        byte[] sealedBytes = new byte[plain.Length + 16];
        using var aes = new AesGcm(Encoding.UTF8.GetBytes(ApiV3Key), 16);
        aes.Encrypt("nonce-of-12b"u8, plain, sealedBytes.AsSpan(0, plain.Length), sealedBytes.AsSpan(plain.Length), "transaction"u8);
        byte[] body = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["id"] = id,
            ["event_type"] = "TRANSACTION.SUCCESS",
            ["resource_type"] = "encrypt-resource",
            ["resource"] = new JsonObject
            {
                ["original_type"] = "transaction",
                ["algorithm"] = "AEAD_AES_256_GCM",
                ["ciphertext"] = Convert.ToBase64String(sealedBytes),
                ["associated_data"] = "transaction",
                ["nonce"] = "nonce-of-12b",
            },
        }.ToJsonString());
        return new CallbackRequest(Signature(body, now), body);
    }

    protected override Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, string body)
    {
        CheckAuthorization(request, body);
        JsonObject? sent = body.Length > 0 ? JsonNode.Parse(body)!.AsObject() : null;
        string path = request.RequestUri!.AbsolutePath;
        (int status, string answer) = path switch
        {
            "/v3/pay/transactions/native" => Create(sent!),
            "/v3/refund/domestic/refunds" => Refund(sent!),
            "/v3/bill/tradebill" => (200, new JsonObject { ["download_url"] = "https://wechat.test/v3/billdownload/file?token=x", ["hash_type"] = "SHA1", ["hash_value"] = Convert.ToHexStringLower(SHA1.HashData("a bill"u8)) }.ToJsonString()),
            "/v3/billdownload/file" => (200, "a bill"),
            _ when path.StartsWith("/v3/refund/domestic/refunds/", StringComparison.Ordinal) => Refunds.ContainsKey(path.Split('/')[^1])
                ? (200, new JsonObject { ["refund_id"] = "50", ["status"] = "SUCCESS" }.ToJsonString())
                : Error(404, "RESOURCE_NOT_EXISTS"),
            _ when path.EndsWith("/close", StringComparison.Ordinal) => Close(path.Split('/')[^2]),
            _ => Orders.GetValueOrDefault(path.Split('/')[^1]) is { } order ? (200, Transaction(order).ToJsonString()) : Error(404, "ORDER_NOT_EXIST"),
        };
        if (Changes is not null && answer.StartsWith('{'))
        {
            JsonObject changed = JsonNode.Parse(answer)!.AsObject();
            Changes(path, changed);
            answer = changed.ToJsonString();
        }

        byte[] bytes = Encoding.UTF8.GetBytes(answer);
        var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new ByteArrayContent(bytes) };
        foreach ((string name, string value) in Signature(SignsWrongly ? "another body"u8.ToArray() : bytes, DateTimeOffset.UtcNow))
        {
            response.Headers.TryAddWithoutValidation(name, value);
        }

        return Task.FromResult(response);
    }

    private static JsonObject Transaction(FakeOrder order) => new()
    {
        ["appid"] = "wx1",
        ["mchid"] = "1900000001",
        ["out_trade_no"] = order.Number,
        ["transaction_id"] = order.Transaction,
        ["trade_state"] = order.State switch { "paid" => "SUCCESS", "closed" => "CLOSED", _ => "NOTPAY" },
        ["amount"] = new JsonObject { ["total"] = order.Amount, ["payer_total"] = order.Amount - 1, ["currency"] = "CNY" },
    };

    private static (int Status, string Body) Error(int status, string code) => (status, new JsonObject { ["code"] = code, ["message"] = "because" }.ToJsonString());

    private (int Status, string Body) Create(JsonObject sent)
    {
        string number = (string)sent["out_trade_no"]!;
        Require(((string)sent["notify_url"]!).EndsWith("/callbacks/wechatpay", StringComparison.Ordinal), "no notify_url");
        if (Orders.GetValueOrDefault(number) is { State: "paid" })
        {
            return Error(400, "ORDERPAID");
        }

        Orders.TryAdd(number, new FakeOrder(number, (long)sent["amount"]!["total"]!));
        return (200, new JsonObject { ["code_url"] = "weixin://wxpay/" + number }.ToJsonString());
    }

    private (int Status, string Body) Close(string number)
    {
        if (Orders[number].State == "paid")
        {
            return Error(400, "ORDERPAID");
        }

        Orders[number].State = "closed";
        return (204, "");
    }

    private (int Status, string Body) Refund(JsonObject sent)
    {
        FakeOrder order = Orders.Values.First(o => o.Transaction == (string)sent["transaction_id"]!);
        string id = (string)sent["out_refund_no"]!;
        long amount = (long)sent["amount"]!["refund"]!;
        Require((long)sent["amount"]!["total"]! == order.Amount, "the refund's total is not what was paid");
        if ((string?)sent["reason"] is { } reason && Encoding.UTF8.GetByteCount(reason) is 0 or > 80)
        {
            return Error(400, "PARAM_ERROR");
        }

        Require(!((string?)sent["reason"] ?? "").Contains('\uFFFD', StringComparison.Ordinal), "a reason that was cut inside a character");
        if (!Refunds.ContainsKey(id))
        {
            if (amount > order.Amount - order.Refunded)
            {
                return Error(400, "INVALID_REQUEST");
            }

            Refunds[id] = amount;
            order.Refunded += amount;
        }

        return (200, new JsonObject { ["refund_id"] = "50", ["status"] = "PROCESSING" }.ToJsonString());
    }

    private Dictionary<string, string> Signature(byte[] body, DateTimeOffset now)
    {
        string timestamp = now.ToUnixTimeSeconds().ToString();
        return new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["Wechatpay-Timestamp"] = timestamp,
            ["Wechatpay-Nonce"] = "abc",
            ["Wechatpay-Serial"] = "PUB_KEY_ID_1",
            ["Wechatpay-Signature"] = Convert.ToBase64String(_platform.SignData(WeChatPaySignature.Message(timestamp, "abc", body), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)),
        };
    }

    private void CheckAuthorization(HttpRequestMessage request, string body)
    {
        Match match = AuthorizationForm().Match(string.Join("", request.Headers.GetValues("Authorization")));
        string message = $"{request.Method}\n{request.RequestUri!.PathAndQuery}\n{match.Groups["timestamp"].Value}\n{match.Groups["nonce"].Value}\n{body}\n";
        Require(
            match.Success && _merchant.VerifyData(Encoding.UTF8.GetBytes(message), Convert.FromBase64String(match.Groups["signature"].Value), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            $"a request whose Authorization is wrong: {request.RequestUri}");
    }

    [GeneratedRegex("""^WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="(?<nonce>[^"]+)",signature="(?<signature>[^"]+)",timestamp="(?<timestamp>\d+)",serial_no="SERIAL1"$""", RegexOptions.ExplicitCapture)]
    private static partial Regex AuthorizationForm();
}

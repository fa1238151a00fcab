using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Payments.Stripe;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Payments;

/// <summary>The providers' own vectors (and those made after their rules): Payments/Vectors says where each is from.</summary>
public class CallbackVectorTests
{
    public static TheoryData<string, string> Checks()
    {
        var data = new TheoryData<string, string>();
        foreach (string file in new[] { "stripe", "standard-webhooks" })
        {
            int number = 0;
            foreach (JsonNode? check in Load(file)["checks"]!.AsArray())
            {
                data.Add(file, $"{number++} {check!["name"]}");
            }
        }

        return data;
    }

    public static TheoryData<string> AlipayNegatives() => [.. Load("alipay-notify")["negative"]!.AsArray().Select(n => (string)n!["name"]!)];

    [Theory]
    [MemberData(nameof(Checks))]
    public void A_published_check_gets_its_verdict(string file, string name)
    {
        JsonObject vector = Load(file);
        JsonNode check = vector["checks"]!.AsArray()[int.Parse(name.Split(' ')[0])]!;
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (check["header"] is { } header)
        {
            headers["Stripe-Signature"] = (string)header!;
        }

        foreach ((string key, JsonNode? value) in check["headers"]?.AsObject() ?? [])
        {
            headers[key] = (string)value!;
        }

        byte[] body = [.. Convert.FromBase64String((string)vector["payload_base64"]!), .. Encoding.UTF8.GetBytes((string?)check["payload_suffix"] ?? "")];
        IPaymentChannel channel = Channel(file, new JsonObject { ["secrets"] = new JsonArray((string?)check["secret"] ?? (string)vector["secret"]!) });

        CallbackVerdict verdict = channel.Verify(new CallbackRequest(headers, body), DateTimeOffset.FromUnixTimeSeconds((long)check["now"]!));

        (verdict.Notice is not null).ShouldBe((bool)check["valid"]!);
        verdict.Reason.ShouldBe((string?)check["reason"]);
    }

    [Fact]
    public void Secrets_without_a_key_are_refused_when_they_are_configured()
    {
        foreach (JsonNode? secret in Load("standard-webhooks")["rejected_secrets"]!.AsArray())
        {
            Should.Throw<ChannelConfigException>(() => Channel("standard-webhooks", new JsonObject { ["secrets"] = new JsonArray((string)secret!) }));
        }
    }

    [Fact]
    public void Any_of_several_secrets_verifies_while_one_is_being_replaced()
    {
        JsonObject vector = Load("stripe");
        IPaymentChannel channel = Channel("stripe", new JsonObject { ["secrets"] = new JsonArray("whsec_new", (string)vector["secret"]!) });

        CallbackVerdict verdict = channel.Verify(Stripe(vector, Convert.FromBase64String((string)vector["payload_base64"]!)), DateTimeOffset.FromUnixTimeSeconds(1533204720));

        verdict.Notice!.EventId.ShouldBe("evt_123");
        verdict.Notice.Kind.ShouldBe(NoticeKind.Other);
    }

    [Fact]
    public void E34_a_body_that_was_serialised_again_is_refused()
    {
        JsonObject vector = Load("stripe");
        byte[] again = Encoding.UTF8.GetBytes(JsonNode.Parse(Convert.FromBase64String((string)vector["payload_base64"]!))!.ToJsonString());

        CallbackVerdict verdict = Channel("stripe", new JsonObject { ["secrets"] = new JsonArray((string)vector["secret"]!) })
            .Verify(Stripe(vector, again), DateTimeOffset.FromUnixTimeSeconds(1533204720));

        verdict.Reason.ShouldBe(Refusals.SignatureMismatch);
    }

    /// <summary>A library that throws for an API version it doesn't know loses the event; here it is genuine, kept, and of no effect.</summary>
    [Theory]
    [InlineData("""{"id":"evt_9","object":"event","api_version":"2099-01-01.future","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount_received":{"value":5},"currency":["eur"]}}}""", NoticeKind.Other, "evt_9")]
    [InlineData("""{"id":"evt_9","object":"event","api_version":"2099-01-01.future","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount_received":500,"currency":"eur","metadata":{"checkout":"c1"}}}}""", NoticeKind.Paid, "evt_9")]
    [InlineData("""{"id":"evt_9","id":"evt_8"}""", NoticeKind.Other, null)]
    [InlineData("""[1,2]""", NoticeKind.Other, null)]
    [InlineData("not json", NoticeKind.Other, null)]
    public void A_version_that_nobody_knows_is_kept_and_never_thrown_away(string text, NoticeKind kind, string? id)
    {
        byte[] body = Encoding.UTF8.GetBytes(text);
        var headers = new Dictionary<string, string> { ["Stripe-Signature"] = StripeSignature.Sign("whsec_x", 1_700_000_000, body) };

        CallbackVerdict verdict = Channel("stripe", new JsonObject { ["secrets"] = new JsonArray("whsec_x") })
            .Verify(new CallbackRequest(headers, body), DateTimeOffset.FromUnixTimeSeconds(1_700_000_000));

        verdict.Notice.ShouldNotBeNull();
        verdict.Notice.Kind.ShouldBe(kind);
        verdict.Notice.EventId.ShouldBe(id ?? RetainedId.Of(body));
        verdict.Notice.Raw.ToArray().ShouldBe(body);
    }

    [Fact]
    public void WeChat_Pays_own_callback_verifies_and_decrypts()
    {
        JsonObject vector = Load("wechatpay-callback");

        CallbackVerdict verdict = WeChat(vector).Verify(WeChatRequest(vector, null), DateTimeOffset.FromUnixTimeSeconds(1624523846));

        verdict.Notice!.EventId.ShouldBe((string)vector["expected_notification"]!["id"]!);
        verdict.Notice.Type.ShouldBe("PAYSCORE.USER_OPEN_SERVICE");
        JsonNode.DeepEquals(verdict.Content, JsonNode.Parse((string)vector["expected_plaintext"]!)).ShouldBeTrue();
    }

    [Theory]
    [InlineData("Wechatpay-Signature", "WECHATPAY/SIGNTEST/abc", 0, Refusals.Probe)] // E35
    [InlineData("Wechatpay-Signature", "AAAA", 0, Refusals.SignatureMismatch)]
    [InlineData("Wechatpay-Signature", "not base64", 0, Refusals.SignatureMalformed)]
    [InlineData("Wechatpay-Serial", "OTHER", 0, Refusals.UnknownSerial)]
    [InlineData("Wechatpay-Timestamp", "1624523847", 0, Refusals.SignatureMismatch)]
    [InlineData("Wechatpay-Timestamp", "soon", 0, Refusals.MalformedHeader)]
    [InlineData("Wechatpay-Nonce", "", 0, Refusals.MissingHeader)]
    [InlineData("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3", 0, Refusals.UnsupportedSignatureType)]
    [InlineData(null, null, 301, Refusals.TimestampOutOfTolerance)]
    [InlineData(null, null, -301, Refusals.TimestampOutOfTolerance)]
    public void E34_WeChat_Pays_callback_is_refused_when_anything_is_changed(string? header, string? value, int late, string reason)
    {
        JsonObject vector = Load("wechatpay-callback");

        CallbackVerdict verdict = WeChat(vector).Verify(WeChatRequest(vector, header is null ? null : (header, value!)), DateTimeOffset.FromUnixTimeSeconds(1624523846 + late));

        verdict.Reason.ShouldBe(reason);
        verdict.IsProbe.ShouldBe(reason == Refusals.Probe);
    }

    [Fact]
    public void With_another_API_key_WeChat_Pays_resource_is_refused()
    {
        JsonObject vector = Load("wechatpay-callback");

        CallbackVerdict verdict = WeChat(vector, "testMchAPIv3Key1").Verify(WeChatRequest(vector, null), DateTimeOffset.FromUnixTimeSeconds(1624523846));

        verdict.Reason.ShouldBe(Refusals.DecryptionFailed);
    }

    [Theory]
    [InlineData(0, "SO-20260315-000123", 8880)]
    [InlineData(1, "SO-20260315-000124", 12900)] // GBK
    [InlineData(2, "SO-20260315-000125", 8880)] // empty values
    public void Alipays_notification_verifies_in_its_own_charset(int number, string order, long fen)
    {
        JsonNode vector = Load("alipay-notify")["vectors"]![number]!;
        byte[] body = Encoding.ASCII.GetBytes((string)vector["body"]!);

        CallbackVerdict verdict = Alipay("public_key_pem").Verify(new CallbackRequest(new Dictionary<string, string>(), body), DateTimeOffset.UnixEpoch);

        verdict.Reason.ShouldBeNull();
        verdict.Notice!.Kind.ShouldBe(NoticeKind.Paid);
        verdict.Notice.Checkout.ShouldBe(order);
        verdict.Notice.Amount.ShouldBe(fen);
        verdict.Notice.Currency.ShouldBe("CNY");
        foreach (JsonNode? field in vector["decoded_fields_in_body_order"]!.AsArray())
        {
            if ((string)field![0]! != "sign")
            {
                ((string?)verdict.Content![(string)field[0]!]).ShouldBe((string)field[1]!); // decoded once: %3d in passback_params stays
            }
        }
    }

    [Theory]
    [MemberData(nameof(AlipayNegatives))]
    public void E34_Alipays_notification_is_refused_when_it_is_forged_or_decoded_wrongly(string name)
    {
        JsonNode vector = Load("alipay-notify")["negative"]!.AsArray().First(n => (string)n!["name"]! == name)!;
        byte[] body = Encoding.ASCII.GetBytes((string)vector["body"]!);

        CallbackVerdict verdict = Alipay((string)vector["key"]!).Verify(new CallbackRequest(new Dictionary<string, string>(), body), DateTimeOffset.UnixEpoch);

        verdict.Reason.ShouldBe((string)vector["reason"]!);
    }

    [Fact]
    public void Alipays_notification_for_another_app_or_seller_is_refused()
    {
        byte[] body = Encoding.ASCII.GetBytes((string)Load("alipay-notify")["vectors"]![0]!["body"]!);
        var request = new CallbackRequest(new Dictionary<string, string>(), body);
        string key = (string)Load("alipay-notify")["public_key_pem"]!;

        Channel("alipay", new JsonObject { ["appId"] = "another", ["publicKey"] = key }).Verify(request, DateTimeOffset.UnixEpoch).Reason.ShouldBe(Refusals.AppMismatch);
        Channel("alipay", new JsonObject { ["sellerId"] = "another", ["publicKey"] = key }).Verify(request, DateTimeOffset.UnixEpoch).Reason.ShouldBe(Refusals.SellerMismatch);
    }

    [Fact]
    public void A_misspelled_setting_is_named()
    {
        Should.Throw<ChannelConfigException>(() => Channel("stripe", new JsonObject { ["secret"] = "whsec_x" })).Message.ShouldContain("'secret'");
        Should.Throw<ChannelConfigException>(() => Channel("paypal", [])).Message.ShouldContain("'paypal'");
    }

    private static CallbackRequest Stripe(JsonObject vector, byte[] body) =>
        new(new Dictionary<string, string> { ["Stripe-Signature"] = (string)vector["header"]! }, body);

    private static IPaymentChannel WeChat(JsonObject vector, string? key = null) => Channel("wechatpay", new JsonObject
    {
        ["apiV3Key"] = key ?? (string)vector["apiv3_key_utf8"]!,
        ["platformKeys"] = new JsonObject { [(string)vector["certificate_serial"]!] = (string)vector["certificate_pem"]! },
    });

    private static CallbackRequest WeChatRequest(JsonObject vector, (string Name, string Value)? change)
    {
        var headers = vector["headers"]!.AsObject().ToDictionary(h => h.Key, h => (string)h.Value!, StringComparer.OrdinalIgnoreCase);
        if (change is { } changed)
        {
            headers[changed.Name] = changed.Value;
        }

        return new CallbackRequest(headers, Convert.FromBase64String((string)vector["body_base64"]!));
    }

    private static IPaymentChannel Alipay(string key) =>
        Channel("alipay", new JsonObject { ["appId"] = "2021000000000001", ["publicKey"] = (string)Load("alipay-notify")[key]! });

    private static IPaymentChannel Channel(string kind, JsonObject config) =>
        new PaymentChannels(new HttpMessageInvoker(new SocketsHttpHandler()), TimeProvider.System, () => 1).Create(kind, config);

    private static JsonObject Load(string file) =>
        JsonNode.Parse(File.ReadAllText(Path.Join(AppContext.BaseDirectory, "Payments", "Vectors", file + ".json")))!.AsObject();
}

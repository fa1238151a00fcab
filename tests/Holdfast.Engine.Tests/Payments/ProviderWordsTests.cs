using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Payments.Stripe;
using Holdfast.Engine.Tests.Payments.Providers;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Payments;

/// <summary>What a genuine callback may say that nobody expects: it is kept, and never throws.</summary>
public class ProviderWordsTests
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    public static TheoryData<string> NotUnicode => ["""{"id":"e","\ud800":1}""", """{"id":"e","data":{"object":{"\ud800":1}}}""", "{\"id\":\"e\",\"\u00ff\":[{}]}"];

    [Theory]
    [MemberData(nameof(NotUnicode))]
    public void A_name_that_is_not_Unicode_is_kept_as_what_can_not_be_read(string text)
    {
        byte[] body = Encoding.Latin1.GetBytes(text);

        foreach (CallbackVerdict verdict in new[] { Stripe(body), Webhook(body) })
        {
            verdict.Notice.ShouldNotBeNull();
            verdict.Notice.Kind.ShouldBe(NoticeKind.Other);
            verdict.Notice.Raw.ToArray().ShouldBe(body);
            verdict.Content.ShouldBeNull();
        }

        var provider = new FakeWeChatPay();
        CallbackVerdict inside = provider.Channel(TimeProvider.System).Verify(provider.Callback("evt", body, Now), Now);
        inside.Notice.ShouldNotBeNull();
        inside.Notice.Kind.ShouldBe(NoticeKind.Other);
    }

    [Fact]
    public void A_value_that_is_not_Unicode_does_not_hide_the_payment_beside_it()
    {
        byte[] body = Encoding.Latin1.GetBytes("""{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount_received":500,"currency":"eur","description":"\ud83d","metadata":{"checkout":"c1"}}}}""");

        Stripe(body).Notice!.Kind.ShouldBe(NoticeKind.Paid);
    }

    [Theory]
    [InlineData("9223372036854775807", NoticeKind.Other)]
    [InlineData("2305843009213693952", NoticeKind.Other)]
    [InlineData("-1", NoticeKind.Other)]
    [InlineData("500", null)]
    public void An_amount_that_can_not_be_one_is_kept_and_no_payment(string amount, NoticeKind? kind)
    {
        Stripe($$"""{"id":"e","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","amount_received":{{amount}},"currency":"eur"} } }""").Kind.ShouldBe(kind ?? NoticeKind.Paid);
        Stripe($$"""{"id":"e","type":"refund.updated","data":{"object":{"id":"re_1","status":"succeeded","payment_intent":"pi_1","amount":{{amount}},"currency":"eur"} } }""").Kind.ShouldBe(kind ?? NoticeKind.Refunded);
        foreach ((string type, NoticeKind usual) in new[] { ("payment.succeeded", NoticeKind.Paid), ("refund.succeeded", NoticeKind.Refunded), ("payment.closed", NoticeKind.Closed) })
        {
            PaymentNotice notice = Webhook(Encoding.UTF8.GetBytes($$"""{"type":"{{type}}","data":{"checkout":"c","transaction":"p","amount":{"value":{{amount}},"currency":"EUR"} } }""")).Notice!;
            notice.Kind.ShouldBe(kind ?? usual);
            notice.Amount.ShouldBe(kind is null ? 500 : 0);
        }

        var provider = new FakeWeChatPay();
        IPaymentChannel wechat = provider.Channel(TimeProvider.System);
        foreach ((string text, NoticeKind usual) in new[]
        {
            ($$"""{"out_trade_no":"SO-000123","transaction_id":"4200","trade_state":"SUCCESS","amount":{"total":{{amount}},"currency":"CNY"} }""", NoticeKind.Paid),
            ($$"""{"out_trade_no":"SO-000123","transaction_id":"4200","out_refund_no":"hf1","refund_status":"SUCCESS","amount":{"refund":{{amount}},"currency":"CNY"} }""", NoticeKind.Refunded),
        })
        {
            wechat.Verify(provider.Callback("evt", Encoding.UTF8.GetBytes(text), Now), Now).Notice!.Kind.ShouldBe(kind ?? usual);
        }
    }

    [Theory]
    [InlineData("92233720368547758.07", null)]
    [InlineData("23058430092136939.52", null)]
    [InlineData("23058430092136939.51", Quantity.Max)]
    [InlineData("88.80", 8_880L)]
    public void An_amount_in_yuan_is_one_that_Holdfast_counts(string text, long? fen) => Yuan.ToMinor(text).ShouldBe(fen);

    [Fact]
    public void Long_ids_that_begin_alike_stay_two()
    {
        string start = new('x', 300);
        string Event(string end) => $$"""{"id":"evt_{{start}}{{end}}","type":"payment_intent.succeeded","data":{"object":{"id":"pi_{{start}}{{end}}","amount_received":500,"currency":"eur","metadata":{"checkout":"c"} } } }""";

        (PaymentNotice one, PaymentNotice two, PaymentNotice again) = (Stripe(Event("1")), Stripe(Event("2")), Stripe(Event("1")));

        one.EventId.ShouldNotBe(two.EventId);
        one.Transaction.ShouldNotBe(two.Transaction);
        (one.EventId, one.Transaction).ShouldBe((again.EventId, again.Transaction));
        one.EventId.Length.ShouldBeLessThanOrEqualTo(256, "more is cut where it is kept");
        one.EventId.ShouldStartWith("evt_xxx");
    }

    [Theory]
    [InlineData("""{"id":"e","type":"payment_intent.canceled","data":{"object":{"id":"pi_7","metadata":{"checkout":"c"}}}}""", "pi_7")]
    [InlineData("""{"id":"e","type":"checkout.session.expired","data":{"object":{"id":"cs_7","payment_intent":"pi_7","client_reference_id":"c"}}}""", "pi_7")]
    [InlineData("""{"id":"e","type":"checkout.session.expired","data":{"object":{"id":"cs_7","payment_intent":null,"client_reference_id":"c"}}}""", "cs_7")]
    public void An_order_that_Stripe_closed_is_named(string text, string order)
    {
        PaymentNotice notice = Stripe(text);
        (notice.Kind, notice.Checkout, notice.ProviderOrder).ShouldBe((NoticeKind.Closed, "c", order));
    }

    private static PaymentNotice Stripe(string text) => Stripe(Encoding.UTF8.GetBytes(text)).Notice!;

    private static CallbackVerdict Stripe(byte[] body)
    {
        var headers = new Dictionary<string, string> { ["Stripe-Signature"] = StripeSignature.Sign("whsec_x", Now.ToUnixTimeSeconds(), body) };
        return Channel("stripe", "whsec_x").Verify(new CallbackRequest(headers, body), Now);
    }

    private static CallbackVerdict Webhook(byte[] body)
    {
        var headers = new Dictionary<string, string>
        {
            ["webhook-id"] = "e",
            ["webhook-timestamp"] = "1700000000",
            ["webhook-signature"] = SigningKey.Parse(Secret).Sign("e", Now.ToUnixTimeSeconds(), body),
        };
        return Channel("standard-webhooks", Secret).Verify(new CallbackRequest(headers, body), Now);
    }

    private static IPaymentChannel Channel(string kind, string secret) =>
        new PaymentChannels(new HttpMessageInvoker(new SocketsHttpHandler()), TimeProvider.System, () => 1).Create(kind, new JsonObject { ["secrets"] = new JsonArray(secret) });
}

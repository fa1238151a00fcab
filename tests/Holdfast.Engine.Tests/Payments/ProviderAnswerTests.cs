using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Tests.Payments.Providers;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Payments;

/// <summary>What is made of a provider's answer that isn't the usual one, and what it is sent.</summary>
public class ProviderAnswerTests
{
    private const string Number = "SO-000123";
    private const long Amount = 8_880;

    [Theory]
    [InlineData("stripe", "id", "pi_SO-000999")]
    [InlineData("wechatpay", "out_trade_no", "SO-000999")]
    [InlineData("wechatpay", "mchid", "1900000009")]
    [InlineData("wechatpay", "appid", "wx9")]
    [InlineData("alipay", "out_trade_no", "SO-000999")]
    public async Task An_answer_about_another_order_does_not_pay_the_one_that_was_asked_about(string kind, string field, string other)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Pay(Number);
        provider.Changes = (_, answer) => Rename(answer, field, other);

        foreach (PaymentResult result in new[] { await channel.QueryAsync(order, default), await channel.CloseAsync(order, default) })
        {
            result.Outcome.ShouldBe(PaymentOutcome.Unknown, result.Text);
            result.Notice.ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("wechatpay", "out_refund_no")]
    [InlineData("alipay", "out_request_no")]
    public async Task An_answer_about_another_refund_is_not_believed(string kind, string field)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Pay(Number);
        RefundOrder refund = Refund(order, "tx-" + Number);
        await channel.RefundAsync(refund, default);
        provider.Changes = (_, answer) => answer[field] = "hf-another";

        (await channel.QueryRefundAsync(refund, default)).Outcome.ShouldBe(PaymentOutcome.Unknown);
    }

    [Fact]
    public async Task A_refund_that_Alipay_accepted_and_its_query_does_not_know_yet_is_underway()
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync("alipay");
        provider.Pay(Number);
        provider.Changes = (method, answer) =>
        {
            answer.Remove("refund_status");
            if (method == "alipay.trade.refund")
            {
                answer["fund_change"] = "N";
            }
        };

        (await channel.RefundAsync(Refund(order, "tx-" + Number), default)).Outcome.ShouldBe(PaymentOutcome.Pending, "failed, it would be sent again under another id");
        provider.Orders[Number].Refunded.ShouldBe(3_000);
    }

    [Theory]
    [InlineData("stripe")]
    [InlineData("wechatpay")]
    [InlineData("alipay")]
    public async Task A_question_about_a_refund_that_is_refused_does_not_fail_the_refund(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Changes = (_, answer) =>
        {
            (answer["code"], answer["sub_code"]) = kind == "wechatpay" ? ("PARAM_ERROR", null) : ("40004", "ACQ.INVALID_PARAMETER");
        };

        PaymentResult result = await channel.QueryRefundAsync(Refund(order, "tx-" + Number) with { ProviderRefund = "re_other" }, default);

        result.Outcome.ShouldBe(PaymentOutcome.Unknown, result.Text);
        result.Text.ShouldStartWith("40");
    }

    [Fact]
    public async Task A_close_that_Stripe_refused_once_is_asked_anew()
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync("stripe");
        provider.Orders[Number].State = "processing";
        (await channel.CloseAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Pending);

        provider.Orders[Number].State = "open"; // the bank said no
        (await channel.CloseAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Closed);
        (await channel.CloseAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Closed);
        provider.Complaints.ShouldBeEmpty();
    }

    [Fact]
    public async Task Where_Stripe_refuses_a_close_without_the_intent_it_is_asked_for()
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync("stripe");
        provider.Pay(Number);
        provider.Changes = (_, answer) => (answer["error"] as JsonObject)?.Remove("payment_intent");

        PaymentResult closed = await channel.CloseAsync(order, default);

        closed.Outcome.ShouldBe(PaymentOutcome.Paid, closed.Text);
        closed.Notice!.Amount.ShouldBe(Amount);
    }

    [Fact]
    public async Task Two_spaces_refund_through_one_Stripe_account()
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync("stripe");
        provider.Pay(Number);
        provider.Orders["other"] = new FakeOrder("other", Amount);
        PaymentOrder elsewhere = order with { Space = "b", ProviderOrder = "pi_other" };

        foreach (RefundOrder refund in new[] { Refund(order, "pi_" + Number), Refund(elsewhere, "pi_other") })
        {
            PaymentResult made = await channel.RefundAsync(refund, default);
            made.Outcome.ShouldBe(PaymentOutcome.Pending, made.Text);
            (await channel.QueryRefundAsync(refund, default)).ProviderId.ShouldBe(made.ProviderId, "the same refund");
        }

        provider.Orders.Values.ShouldAllBe(o => o.Refunded == 3_000);
        provider.Sent.First(s => s.Path == "/v1/refunds").IdempotencyKey.ShouldBe(
            RefundIds.Of(Number, "r1"), "the default space's stay what they were: one underway while the program is replaced is not made twice");
    }

    [Fact]
    public async Task A_long_id_makes_no_key_that_Stripe_refuses()
    {
        var provider = new FakeStripe();
        IPaymentChannel channel = provider.Channel(TimeProvider.System);
        string id = string.Concat(Enumerable.Repeat("茶", 66));
        PaymentOrder order = Order(provider) with { Checkout = id };
        channel.Problem(id, Amount, provider.Currency).ShouldBeNull();

        (await channel.CreateAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Opened);
        (await channel.CreateAsync(order with { Checkout = id[1..] + "水" }, default)).Outcome.ShouldBe(PaymentOutcome.Opened);

        provider.Complaints.ShouldBeEmpty();
        provider.Sent.Select(s => s.IdempotencyKey).Distinct(StringComparer.Ordinal).Count().ShouldBe(2);
    }

    [Theory]
    [InlineData("wechatpay", "tx-" + Number)]
    [InlineData("alipay", "tx-" + Number)]
    public async Task A_reason_is_cut_to_what_the_provider_takes_and_an_empty_one_left_out(string kind, string transaction)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Pay(Number);
        string[] reasons = [string.Concat(Enumerable.Repeat("货", 27)), new string('a', 79) + "😀", new string('a', 199) + "😀", new string('a', 2_000), "back", ""];

        for (int i = 0; i < reasons.Length; i++)
        {
            RefundOrder refund = Refund(order, transaction) with { Id = RefundIds.Of(Number, "r" + i), Amount = 100, Reason = reasons[i] };
            PaymentResult made = await channel.RefundAsync(refund, default);
            made.Outcome.ShouldBeOneOf([PaymentOutcome.Refunded, PaymentOutcome.Pending], made.Text);
        }

        provider.Complaints.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("wechatpay", "transaction_id")]
    [InlineData("alipay", "trade_no")]
    public async Task A_payment_without_an_id_is_not_one(string kind, string field)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Pay(Number);
        provider.Changes = (_, answer) => answer.Remove(field);

        PaymentResult result = await channel.QueryAsync(order, default);

        result.Outcome.ShouldBe(PaymentOutcome.Unknown, "its callback would be a second payment");
        result.Notice.ShouldBeNull();
    }

    [Theory]
    [InlineData("wechatpay")]
    [InlineData("alipay")]
    public async Task An_order_that_is_opened_again_after_it_was_paid_is_paid(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync(kind);
        provider.Pay(Number);

        PaymentResult again = await channel.CreateAsync(order, default);

        again.Outcome.ShouldBe(PaymentOutcome.Paid, again.Text);
        again.Notice!.Amount.ShouldBe(Amount);
    }

    [Fact]
    public async Task An_order_that_was_paid_and_refunded_at_WeChat_Pay_ends()
    {
        (FakeProvider provider, IPaymentChannel channel, PaymentOrder order) = await OpenedAsync("wechatpay");
        provider.Pay(Number);
        provider.Changes = (_, answer) =>
        {
            if (answer.ContainsKey("trade_state"))
            {
                answer["trade_state"] = "REFUND";
            }
        };

        (await channel.QueryAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Closed);
        (await channel.CloseAsync(order, default)).Outcome.ShouldBe(PaymentOutcome.Closed);
    }

    [Theory]
    [InlineData("wechatpay", "default", "https://shop.test/v1/callbacks/wechatpay")]
    [InlineData("wechatpay", "b", "https://shop.test/v1/spaces/b/callbacks/wechatpay")]
    [InlineData("alipay", "default", "https://shop.test/v1/callbacks/alipay")]
    [InlineData("alipay", "b", "https://shop.test/v1/spaces/b/callbacks/alipay")]
    public async Task Each_spaces_orders_are_called_back_at_its_own_address(string kind, string space, string address)
    {
        FakeProvider provider = Make(kind);
        IPaymentChannel channel = provider.Channel(TimeProvider.System);
        PaymentOrder order = Order(provider) with { Space = space };
        await channel.CreateAsync(order, default);
        provider.Pay(Number);
        await channel.RefundAsync(Refund(order, "tx-" + Number), default);

        provider.Sent.Select(s => Uri.UnescapeDataString(s.Body)).Where(b => b.Contains("/callbacks/", StringComparison.Ordinal))
            .ShouldAllBe(b => b.Contains(address, StringComparison.Ordinal));
        Uri.UnescapeDataString(provider.Sent[0].Body).ShouldContain(address);
    }

    private static async Task<(FakeProvider Provider, IPaymentChannel Channel, PaymentOrder Order)> OpenedAsync(string kind)
    {
        FakeProvider provider = Make(kind);
        IPaymentChannel channel = provider.Channel(TimeProvider.System);
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        return (provider, channel, Order(provider) with { ProviderOrder = opened.ProviderId });
    }

    private static FakeProvider Make(string kind) => kind switch { "stripe" => new FakeStripe(), "wechatpay" => new FakeWeChatPay(), _ => new FakeAlipay() };

    private static PaymentOrder Order(FakeProvider provider) => new("default", Number, Amount, provider.Currency, null, DateTimeOffset.UtcNow.AddMinutes(15));

    private static RefundOrder Refund(PaymentOrder order, string transaction) => new(order, transaction, Amount, RefundIds.Of(Number, "r1"), 3_000, "back", null);

    /// <summary>Wherever it stands: an error may hold what it is about.</summary>
    private static void Rename(JsonObject answer, string field, string value)
    {
        if (answer.ContainsKey(field))
        {
            answer[field] = value;
        }

        if (answer["error"]?["payment_intent"] is JsonObject intent)
        {
            intent[field] = value;
        }
    }
}

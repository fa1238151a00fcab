using System.Net;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Tests.Payments.Providers;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Payments;

/// <summary>What holds for every channel that calls its provider.</summary>
public class ChannelConformanceTests
{
    private const string Number = "SO-000123";
    private const long Amount = 8_880;

    public static TheoryData<string> Kinds => ["stripe", "wechatpay", "alipay"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_order_is_opened_once_asked_about_and_paid(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        channel.MakesCalls.ShouldBeTrue();
        channel.Problem(Number, Amount, provider.Currency).ShouldBeNull();
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        opened.Outcome.ShouldBe(PaymentOutcome.Opened, opened.Text);
        (opened.PayUrl ?? opened.ProviderId).ShouldNotBeNullOrEmpty();
        (await channel.CreateAsync(Order(provider), default)).Outcome.ShouldBe(PaymentOutcome.Opened);
        provider.Orders.Count.ShouldBe(1);
        PaymentOrder order = Order(provider, opened.ProviderId);
        (await channel.QueryAsync(order, default)).Outcome.ShouldBeOneOf(PaymentOutcome.Opened, PaymentOutcome.Pending);

        provider.Pay(Number);
        PaymentResult paid = await channel.QueryAsync(order, default);

        paid.Outcome.ShouldBe(PaymentOutcome.Paid, paid.Text);
        (paid.Notice!.Kind, paid.Notice.Checkout, paid.Notice.Amount, paid.Notice.Currency).ShouldBe((NoticeKind.Paid, Number, Amount, provider.Currency));
        paid.Notice.Transaction.ShouldNotBeNullOrEmpty();
        paid.Notice.EventId.ShouldBeEmpty("it was asked for, not sent");
        (await channel.CreateAsync(order, default)).Outcome.ShouldBeOneOf(PaymentOutcome.Paid, PaymentOutcome.Opened);
        provider.Complaints.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_callback_and_the_question_name_the_same_payment(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        FakeOrder paid = provider.Pay(Number);
        DateTimeOffset now = DateTimeOffset.UtcNow;

        CallbackVerdict verdict = channel.Verify(provider.Callback(paid, now), now);

        verdict.Reason.ShouldBeNull();
        PaymentNotice asked = (await channel.QueryAsync(Order(provider, opened.ProviderId), default)).Notice!;
        (verdict.Notice!.Kind, verdict.Notice.Checkout, verdict.Notice.Transaction, verdict.Notice.Amount, verdict.Notice.Currency)
            .ShouldBe((asked.Kind, asked.Checkout, asked.Transaction, asked.Amount, asked.Currency), "or it would be taken twice (E30)");
        verdict.Notice.EventId.ShouldNotBeNullOrEmpty();
        channel.Verify(provider.Callback(paid, now) with { Body = provider.Callback(paid, now).Body[..^1] }, now).Notice.ShouldBeNull();
        channel.Reply(CallbackOutcome.Taken).Status.ShouldBeInRange(200, 299);
        channel.Reply(CallbackOutcome.Refused).Status.ShouldBe(401);
        channel.Reply(CallbackOutcome.Later).Status.ShouldBeGreaterThanOrEqualTo(500);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_unpaid_order_is_closed_and_of_a_paid_one_the_close_says_so(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        (await channel.CloseAsync(Order(provider, opened.ProviderId), default)).Outcome.ShouldBe(PaymentOutcome.Closed);
        (await channel.QueryAsync(Order(provider, opened.ProviderId), default)).Outcome.ShouldBe(PaymentOutcome.Closed);

        (FakeProvider other, IPaymentChannel again) = Make(kind);
        opened = await again.CreateAsync(Order(other), default);
        other.Pay(Number);
        PaymentResult closed = await again.CloseAsync(Order(other, opened.ProviderId), default);
        closed.Outcome.ShouldBe(PaymentOutcome.Paid, closed.Text);
        closed.Notice!.Amount.ShouldBe(Amount); // E38
        other.Complaints.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_refund_is_made_once_however_often_it_is_asked_for(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        provider.Pay(Number);
        string transaction = (await channel.QueryAsync(Order(provider, opened.ProviderId), default)).Notice!.Transaction!;
        var refund = new RefundOrder(Order(provider, opened.ProviderId), transaction, Amount, RefundIds.Of(Number, "r1"), 3_000, "back", null);
        (await channel.QueryRefundAsync(refund with { Id = "hf-unknown" }, default)).Outcome.ShouldBeOneOf(PaymentOutcome.NotFound, PaymentOutcome.Pending);
        provider.Refunds.Clear();
        provider.Orders[Number].Refunded = 0;

        PaymentResult made = await channel.RefundAsync(refund, default);
        made.Outcome.ShouldBeOneOf(PaymentOutcome.Refunded, PaymentOutcome.Pending);
        (await channel.RefundAsync(refund, default)).Outcome.ShouldBeOneOf(PaymentOutcome.Refunded, PaymentOutcome.Pending);
        (await channel.QueryRefundAsync(refund with { ProviderRefund = made.ProviderId }, default)).Outcome.ShouldBe(PaymentOutcome.Refunded);
        (await channel.RefundAsync(refund with { Id = RefundIds.Of(Number, "r2"), Amount = Amount }, default)).Outcome.ShouldBe(PaymentOutcome.Refused);

        provider.Orders[Number].Refunded.ShouldBe(3_000);
        provider.Complaints.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task E29_what_is_no_answer_is_unknown_and_never_failed(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        PaymentResult opened = await channel.CreateAsync(Order(provider), default);
        provider.Pay(Number);
        foreach (HttpStatusCode status in new[] { HttpStatusCode.InternalServerError, HttpStatusCode.BadGateway, HttpStatusCode.TooManyRequests, HttpStatusCode.OK })
        {
            provider.Broken = status;
            foreach (PaymentResult result in new[]
            {
                await channel.CreateAsync(Order(provider), default),
                await channel.QueryAsync(Order(provider, opened.ProviderId ?? "pi_x"), default),
                await channel.CloseAsync(Order(provider, opened.ProviderId), default),
                await channel.RefundAsync(new RefundOrder(Order(provider), "tx", Amount, "hf1", 1, "x", null), default),
            })
            {
                result.Outcome.ShouldBe(PaymentOutcome.Unknown, $"{status}: {result.Text}");
                result.Text.ShouldNotContain("never-tell");
            }
        }
    }

    [Theory]
    [InlineData("wechatpay")]
    [InlineData("alipay")]
    public async Task An_answer_that_is_wrongly_signed_is_not_believed(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        await channel.CreateAsync(Order(provider), default);
        provider.Pay(Number);
        provider.SignsWrongly = true;

        PaymentResult result = await channel.QueryAsync(Order(provider), default);

        result.Outcome.ShouldBe(PaymentOutcome.Unknown);
        result.Notice.ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task An_order_that_nobody_opened_is_not_found(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        (await channel.QueryAsync(Order(provider) with { ProviderOrder = kind == "stripe" ? "pi_none" : null }, default)).Outcome.ShouldBe(PaymentOutcome.NotFound);
        provider.Complaints.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task The_bill_of_a_day_is_fetched(string kind)
    {
        (FakeProvider provider, IPaymentChannel channel) = Make(kind);
        using var reader = new StreamReader(await channel.DownloadBillAsync(new DateOnly(2026, 11, 22), default));
        (await reader.ReadToEndAsync()).ShouldBe("a bill");
        provider.Complaints.ShouldBeEmpty();
        provider.Broken = HttpStatusCode.InternalServerError;
        await Should.ThrowAsync<PaymentChannelException>(() => channel.DownloadBillAsync(new DateOnly(2026, 11, 22), default));
    }

    [Fact]
    public void What_a_provider_does_not_take_is_said_before_anything_is_held()
    {
        (_, IPaymentChannel wechat) = Make("wechatpay");
        wechat.Problem("c1", 100, "CNY").ShouldNotBeNull("six characters at least");
        wechat.Problem(Number, 100, "EUR").ShouldNotBeNull();
        (_, IPaymentChannel alipay) = Make("alipay");
        alipay.Problem("a b", 100, "CNY").ShouldNotBeNull();
        (_, IPaymentChannel stripe) = Make("stripe");
        stripe.Problem(Number, 100_000_000, "EUR").ShouldNotBeNull();
    }

    private static (FakeProvider Provider, IPaymentChannel Channel) Make(string kind)
    {
        FakeProvider provider = kind switch { "stripe" => new FakeStripe(), "wechatpay" => new FakeWeChatPay(), _ => new FakeAlipay() };
        return (provider, provider.Channel(TimeProvider.System));
    }

    private static PaymentOrder Order(FakeProvider provider, string? providerOrder = null) =>
        new("default", Number, Amount, provider.Currency, providerOrder, DateTimeOffset.UtcNow.AddMinutes(15));
}

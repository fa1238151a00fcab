namespace Holdfast.Kernel.Tests.Checkouts;

/// <summary>What providers tell of refunds that somebody makes by hand: each counts once, whoever tells of it first.</summary>
public class RefundNoticeTests : CheckoutScenario
{
    public RefundNoticeTests()
    {
        Space.Stock("sku", 10);
        Begin("c", calls: false);
        Tell(NoticeKind.Paid, "c");
    }

    [Fact]
    public void E37_TheSameRefundCallbackAgain_IsADuplicate()
    {
        Refund("c", "r1", 300);
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_77", eventId: "e").ShouldBe("refunded");
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_77", eventId: "e").ShouldBe("duplicate");
        Space.LastEvents.ShouldBeEmpty();
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_77", eventId: "another").ShouldBe("kept", "the provider tells of a refund in several events");

        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:300");
        View("c").Refunds[0].ProviderRefund.ShouldBe("re_77");
    }

    [Fact]
    public void E37_TheSameRefundCallbackAgain_DoesNotEndAnotherRefundOfThatAmount()
    {
        Refund("c", "r1", 300);
        Refund("c", "r2", 300);
        foreach (string @event in (string[])["e", "e", "f"])
        {
            Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_1", eventId: @event);
        }

        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:300 r2=Pending:300");
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_2").ShouldBe("refunded");
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:300 r2=Succeeded:300");
    }

    [Fact]
    public void ACallbackThatNamesNoRefund_CountsOnceByItsEvent()
    {
        Refund("c", "r1", 300);
        Refund("c", "r2", 300);
        PaymentNotice notice = Notice(NoticeKind.Refunded, "c", amount: 300, eventId: "e");
        Take(notice).Detail.ShouldBe("refunded");
        Take(notice).Detail.ShouldBe("duplicate");
        Again(notice).Detail.ShouldBe("kept");
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:300 r2=Pending:300");
    }

    [Fact]
    public void ARefundThatWasMadeAtTheProvider_EndsNoneThatIsAskedForLater()
    {
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_1", eventId: "e").ShouldBe("refunded");
        Refund("c", "r1", 300);
        Tell(NoticeKind.Refunded, "c", amount: 300, refund: "re_1", eventId: "f").ShouldBe("kept");
        Money("c").ShouldBe("Paid: p1=Order | provider-re_1=Succeeded:300 r1=Pending:300");
    }

    [Fact]
    public void ARefusedOne_IsKnownAgainToo()
    {
        Refund("c", "r1", 300);
        Tell(NoticeKind.RefundFailed, "c", amount: 300, refund: "re_1").ShouldBe("refund_failed");
        Refund("c", "r2", 300);
        Tell(NoticeKind.RefundFailed, "c", amount: 300, refund: "re_1").ShouldBe("kept");
        Money("c").ShouldBe("Paid: p1=Order | r1=Failed:300 r2=Pending:300");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ARefundByHand_CountsOnce_WhetherTheOperatorOrTheProviderTellsFirst(bool operatorFirst)
    {
        Refund("c", "r1");
        if (operatorFirst)
        {
            Settle("r1");
        }

        Tell(NoticeKind.Refunded, "c", refund: "re_1");
        Settle("r1").Repeat.ShouldBeTrue();
        Tell(NoticeKind.Refunded, "c", refund: "re_1").ShouldBe("kept");

        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:5000");
        View("c").Refunds[0].ProviderRefund.ShouldBe("re_1");
    }

    [Theory]
    [InlineData(301, "EUR")]
    [InlineData(300, "USD")]
    public void AnotherAmountOrCurrencyThanTheOperatorSettled_IsAnotherRefund(long amount, string currency)
    {
        Refund("c", "r1", 300);
        Settle("r1");
        Tell(NoticeKind.Refunded, "c", amount: amount, currency: currency, refund: "re_1").ShouldBe("refunded");
        View("c").Refunds.Count.ShouldBe(2);
    }

    [Fact]
    public void ACallbackMayNameARefundAsTheShopDoes()
    {
        Refund("c", "r1", 1_000);
        Refund("c", "r2", 1_000);
        Tell(NoticeKind.Refunded, "c", amount: 1_000, refund: "r2").ShouldBe("refunded");
        Money("c").ShouldBe("Paid: p1=Order | r1=Pending:1000 r2=Succeeded:1000");
        Tell(NoticeKind.Refunded, "c", amount: 1_000, refund: "r1").ShouldBe("refunded");
        Settle("r1").Repeat.ShouldBeTrue();
        Settle("r2").Repeat.ShouldBeTrue();
        View("c").Refunded.ShouldBe(2_000);
    }

    [Fact]
    public void OfSeveralEqualOnes_TheOldestIsEndedFirst()
    {
        Refund("c", "r1", 1_000);
        Refund("c", "r2", 1_000);
        Tell(NoticeKind.Refunded, "c", amount: 1_000, refund: "re_1").ShouldBe("refunded");
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:1000 r2=Pending:1000");
        Tell(NoticeKind.Refunded, "c", amount: 1_000, refund: "re_2").ShouldBe("refunded");
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:1000 r2=Succeeded:1000");
    }

    [Fact]
    public void ATotal_EndsTheRefundThatItGrewBy()
    {
        Refund("c", "r1", 1_000);
        Take(Notice(NoticeKind.Refunded, "c", amount: 1_000, refund: "x1") with { AmountIsTotal = true }).Detail.ShouldBe("refunded");
        Refund("c", "r2", 500);
        Take(Notice(NoticeKind.Refunded, "c", amount: 1_500, refund: "x2") with { AmountIsTotal = true }).Detail.ShouldBe("refunded");
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:1000 r2=Succeeded:500");
    }

    [Fact]
    public void ARefundThatFailedAfterItSucceeded_IsTheShopsMoneyAgain_WithAnAlert()
    {
        Refund("c", "r1", 3_000);
        PaymentNotice succeeded = Notice(NoticeKind.Refunded, "c", amount: 3_000, refund: "re_1");
        Take(succeeded).Detail.ShouldBe("refunded");
        Alerts.ShouldBeEmpty();

        PaymentNotice failed = Notice(NoticeKind.RefundFailed, "c", amount: 3_000, refund: "re_1");
        Take(failed).Detail.ShouldBe("refund_failed");

        Alerts.ShouldHaveSingleItem().ShouldContain("r1 failed, after it had succeeded");
        View("c").Refunded.ShouldBe(0);
        Again(succeeded).Detail.ShouldBe("kept", "what came before is no news");
        Again(failed).Detail.ShouldBe("kept");
        Money("c").ShouldBe("Paid: p1=Order | r1=Failed:3000");
        Refund("c", "r2").Code.ShouldBe(Code.Ok);
        View("c").Refunds[1].Amount.ShouldBe(Price, "all of it is there again");
    }

    [Fact]
    public void ARefundOfAnUnknownPaymentThatNamesNoCheckout_IsAskedForOnceMore()
    {
        PaymentNotice notice = Notice(NoticeKind.Refunded, "", "p9", 300, refund: "re_9", eventId: "e") with { Checkout = null };
        Take(notice).Detail.ShouldBe("early");
        Alerts.ShouldHaveSingleItem().ShouldContain("not known here");

        Take(notice).Detail.ShouldBe("duplicate", "a payment of somebody else's must not come for ever");
        Space.LastEvents.ShouldBeEmpty();
        Alerts.Count.ShouldBe(1);
    }

    [Fact]
    public void ARefundThatCameBeforeItsPaymentAndNamesNoCheckout_CountsWhenItComesAgain()
    {
        Begin("d", calls: false);
        PaymentNotice notice = Notice(NoticeKind.Refunded, "", "p9", 300, refund: "re_9", eventId: "e") with { Checkout = null };
        Take(notice).Detail.ShouldBe("early");
        Tell(NoticeKind.Paid, "d", "p9");
        Take(notice).Detail.ShouldBe("refunded");
        Take(notice).Detail.ShouldBe("duplicate");
        Money("d").ShouldBe("Paid: p9=Order | provider-re_9=Succeeded:300");
    }

    [Fact]
    public void WhatAnEarlierVersionEnded_WithoutTheProvidersId_IsNotCountedAgainWhenItIsReadAgain()
    {
        Refund("c", "r1", 300);
        PaymentNotice notice = Notice(NoticeKind.Refunded, "c", amount: 300, refund: "re_1", eventId: "e");

        // What was written then: the notice, and the end without an id.
        Written("33 0163 03707370 0165 04 08526566756E646564 03010203" + "37 0163 027231 01 00 00", 2);
        Take(notice).Detail.ShouldBe("duplicate");
        Again(notice);
        Money("c").ShouldBe("Paid: p1=Order | r1=Succeeded:300");
    }

    private Answer Settle(string refund) => Space.Decide(new SettleRefund(Space.Hasher, "c", refund, succeeded: true, "seen on the bill"));

    private Answer Again(PaymentNotice notice) => Space.Decide(new TakeNotice(Space.Hasher, notice, false, Space.Now));
}

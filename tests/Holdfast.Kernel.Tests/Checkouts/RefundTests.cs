namespace Holdfast.Kernel.Tests.Checkouts;

public class RefundTests : CheckoutScenario
{
    public RefundTests() => Space.Stock("sku", 10);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void E36_WhenMoreThanWasPaidHasGoneBack_NothingIsLeftToRefund(long amount)
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c");
        Tell(NoticeKind.Refunded, "c", amount: Price + 1_000, refund: "at-the-provider").ShouldBe("refunded");

        Answer answer = Refund("c", "r", amount);

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.ExceedsPaid, amount, 0));
        View("c").Refunds.Count.ShouldBe(1);
    }

    [Fact]
    public void E33_WhatIsInSuspense_GoesBackByItsOwnCallOnly()
    {
        Tell(NoticeKind.Paid, "nobody", "p9");

        Answer answer = Refund("psp/p9", "r");

        answer.Code.ShouldBe(Code.Conflict);
        answer.Detail.ShouldBeOfType<string>().ShouldContain("/v1/suspense/psp/p9/refund");
        Space.Decide(new ResolveCheckout(Space.Hasher, "psp/p9", accept: true, "take it")).Code.ShouldBe(Code.Conflict, "there is no order that it could pay");
        View("psp/p9").Refunds.ShouldBeEmpty();
        Space.Decide(new ResolveCheckout(Space.Hasher, "psp", "p9", "nobody's")).Code.ShouldBe(Code.Ok);
        View("psp/p9").Refunds.ShouldHaveSingleItem().Amount.ShouldBe(Price);
    }

    [Theory]
    [InlineData(null, "USD", Code.Conflict)]
    [InlineData("p2", null, Code.Conflict)]
    [InlineData("unknown", null, Code.Conflict)]
    [InlineData("p1", "EUR", Code.Ok)]
    [InlineData(null, null, Code.Ok)]
    public void TheSameIdWithAnotherBody_IsAConflict(string? transaction, string? currency, Code code)
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c");
        Tell(NoticeKind.Paid, "c", "p2");
        Refund("c", "r", 300);

        Answer again = Space.Decide(new RefundCheckout(Space.Hasher, "c", "r", transaction, 300, currency, "sent back"));

        again.Code.ShouldBe(code);
        again.Repeat.ShouldBe(code == Code.Ok);
    }

    [Fact]
    public void APaymentOfNothing_NeedsNoRefund()
    {
        Begin("c");
        Open("c");
        Tell(NoticeKind.Paid, "c");
        Tell(NoticeKind.Paid, "c", "p0", amount: 0).ShouldBe("goes_back");

        Money("c").ShouldBe("Paid: p1=Order p0=GoesBack | ");
        View("c").IsStuck.ShouldBeFalse();
        Due().ShouldBeEmpty();
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    public void IdsThatNoPathCanName_AreInvalid(string id)
    {
        Begin(id).Code.ShouldBe(Code.Invalid);
        Begin("c");
        Tell(NoticeKind.Paid, "c");
        Refund("c", id).Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void PaidAndRefunded_AreInThePaymentsCurrency()
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c", currency: "USD").ShouldBe("conflicted");
        Tell(NoticeKind.Paid, "c", "p2", amount: 700).ShouldBe("conflicted");
        Space.Decide(new ResolveCheckout(Space.Hasher, "c", accept: true, "close enough")).Code.ShouldBe(Code.Ok);
        Refund("c", "r", 100);
        foreach (PaymentCall call in Due())
        {
            Say(call, PaymentOutcome.Refunded);
        }

        CheckoutView view = View("c");
        (view.Paid, view.Refunded, view.PaidCurrency).ShouldBe((Price, 100, "USD"));
    }

    [Theory]
    [InlineData(NoticeKind.Paid, long.MaxValue)]
    [InlineData(NoticeKind.Paid, -1L)]
    [InlineData(NoticeKind.Refunded, long.MaxValue)]
    [InlineData(NoticeKind.Refunded, Quantity.Max + 1)]
    [InlineData(NoticeKind.Disputed, -1L)]
    public void AnAmountThatIsNone_IsKeptAndChangesNothing(NoticeKind kind, long amount)
    {
        Begin("c", calls: false);
        Begin("d", calls: false);
        Tell(NoticeKind.Paid, "c");
        Refund("c", "r", 1);
        string before = Money("c");
        string checkout = kind == NoticeKind.Paid ? "d" : "c";

        Tell(kind, checkout, kind == NoticeKind.Paid ? "p2" : "p1", amount, refund: "re", eventId: "e").ShouldBe("kept");
        Tell(kind, checkout, kind == NoticeKind.Paid ? "p2" : "p1", amount, refund: "re", eventId: "e").ShouldBe("duplicate");

        Money("c").ShouldBe(before);
        View("d").State.ShouldBe(CheckoutState.Pending);
        Alerts.ShouldHaveSingleItem().ShouldContain("amount");
    }

    [Fact]
    public void AnAnswerWithAnAmountThatIsNone_PaysNothing()
    {
        Begin("c");
        Open("c");
        Space.Now += 5_000;
        Say(One(PaymentOp.Query), PaymentOutcome.Paid, paidBy: "p1", amount: long.MaxValue);

        Money("c").ShouldBe("Pending:  | ");
    }

    [Fact]
    public void SumsOfWhatAnEarlierVersionTook_StopAtTheLargestNumber()
    {
        Begin("c", calls: false);
        Tell(NoticeKind.Paid, "c");

        // 2^63-1, begun and succeeded, twice.
        foreach (string refund in (string[])["0161", "0162"])
        {
            Written($"36 0163 {refund} 027031 FFFFFFFFFFFFFFFF7F 00 00" + $"37 0163 {refund} 01 00 00", 2);
        }

        View("c").Refunded.ShouldBe(long.MaxValue);
        Refund("c", "r").Code.ShouldBe(Code.ExceedsPaid);
    }
}

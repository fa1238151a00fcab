namespace Holdfast.Kernel.Tests.Checkouts;

/// <summary>Notices out of order, and notices about another order of the provider's.</summary>
public class PaymentNoticeTests : CheckoutScenario
{
    public PaymentNoticeTests() => Space.Stock("sku", 2);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void APaymentInSuspense_MovesToTheCheckoutThatALaterNoticeNames(bool calls)
    {
        Begin("c", calls: calls);
        Take(Nameless(), calls).Detail.ShouldBe("suspense");
        Space.Machine.OpenCheckouts.ShouldBe(2);

        Take(Notice(NoticeKind.Paid, "c"), calls).Detail.ShouldBe("paid");

        Money("c").ShouldBe("Paid: p1=Order | ");
        Space.Buckets("sku").ShouldBe((1, 0, 1));
        Space.Decide(new GetCheckout(Space.Hasher, "psp/p1")).Code.ShouldBe(Code.NotFound);
        Space.Machine.OpenCheckouts.ShouldBe(0);
        Due().ShouldBeEmpty();
        Take(Nameless(), calls).Detail.ShouldBe("duplicate");
        Tell(NoticeKind.Paid, "c").ShouldBe("duplicate");
    }

    [Fact]
    public void APaymentInSuspenseThatIsAskedAbout_MovesToo_AndIsAskedAboutNoMore()
    {
        Begin("c");
        Open("c");
        Take(Notice(NoticeKind.Paid, "unknown")).Detail.ShouldBe("suspense");

        Tell(NoticeKind.Paid, "c").ShouldBe("paid");

        Due().ShouldBeEmpty();
        Space.Machine.OpenCheckouts.ShouldBe(0);
    }

    [Fact]
    public void APaymentInSuspense_MovesWhenTheProviderNamesItAsTheOrders()
    {
        Begin("c");
        Open("c");
        Take(Nameless()).Detail.ShouldBe("suspense");
        Space.Now += 5_000;

        Say(One(PaymentOp.Query), PaymentOutcome.Paid, paidBy: "p1");

        Money("c").ShouldBe("Paid: p1=Order | ");
        Space.Decide(new GetCheckout(Space.Hasher, "psp/p1")).Code.ShouldBe(Code.NotFound);
    }

    [Fact]
    public void APaymentInSuspenseThatGoesBack_StaysThere()
    {
        Begin("c", calls: false);
        Take(Nameless(), calls: false).Detail.ShouldBe("suspense");
        Space.Decide(new ResolveCheckout(Space.Hasher, "psp", "p1", "nobody's")).Code.ShouldBe(Code.Ok);

        Take(Notice(NoticeKind.Paid, "c"), calls: false).Detail.ShouldBe("duplicate");

        View("c").State.ShouldBe(CheckoutState.Pending);
    }

    [Fact]
    public void TheSameCallbackAgain_MovesNothing()
    {
        Take(Notice(NoticeKind.Paid, "c", eventId: "e"), calls: false).Detail.ShouldBe("suspense");
        Begin("c", calls: false);
        Take(Notice(NoticeKind.Paid, "c", eventId: "e"), calls: false).Detail.ShouldBe("duplicate");
        View("c").State.ShouldBe(CheckoutState.Pending, "it was paid before there was such a checkout");
    }

    [Fact]
    public void TheEndOfAnotherOrder_DoesNotEndTheCheckout()
    {
        Begin("c");
        Open("c"); // its order at the provider is o-c
        Take(Notice(NoticeKind.Closed, "c", null) with { ProviderOrder = "o-older" }).Detail.ShouldBe("kept");
        View("c").State.ShouldBe(CheckoutState.Pending);
        Space.Buckets("sku").Held.ShouldBe(1);

        Take(Notice(NoticeKind.Closed, "c", null) with { ProviderOrder = "o-c" }).Detail.ShouldBe("closed");
        View("c").State.ShouldBe(CheckoutState.Expired);
    }

    [Fact]
    public void TheEndOfAnOrder_EndsACheckoutWhoseOrderIsNotKnown()
    {
        Begin("c", calls: false);
        Take(Notice(NoticeKind.Closed, "c", null) with { ProviderOrder = "o" }, calls: false).Detail.ShouldBe("closed");
    }

    private PaymentNotice Nameless() => Notice(NoticeKind.Paid, "", eventId: "nameless") with { Checkout = null };
}

namespace Holdfast.Kernel.Tests.Checkouts;

/// <summary>A checkout's hold follows from what becomes of the checkout; the holds' own calls leave it alone.</summary>
public class CheckoutHoldTests : CheckoutScenario
{
    public CheckoutHoldTests() => Space.Stock("sku", 3);

    [Fact]
    public void WhileTheCheckoutIsOpen_ItsHoldIsNotConfirmedCancelledOrExtendedByItself()
    {
        Begin("c", quantity: 3);

        foreach (Answer answer in (Answer[])[Space.Confirm("c:hold"), Space.Confirm("c:hold", ("sku", 1)), Space.ConfirmKeeping("c:hold", ("sku", 1)), Space.Cancel("c:hold"), Space.Extend("c:hold", 1)])
        {
            answer.Code.ShouldBe(Code.Conflict);
            answer.Detail.ShouldBeOfType<string>().ShouldContain("checkout c");
        }

        Space.Get("c:hold").State.ShouldBe(HoldState.Held);
        Space.Buckets("sku").ShouldBe((0, 3, 0));
        Tell(NoticeKind.Paid, "c").ShouldBe("paid");
        Space.Buckets("sku").ShouldBe((0, 0, 3));
    }

    [Fact]
    public void OnceItHasEnded_ItsHoldAnswersAsAnyOther()
    {
        Begin("paid");
        Tell(NoticeKind.Paid, "paid");
        Space.Confirm("paid:hold").Repeat.ShouldBeTrue();
        Space.Return("paid:hold", "back", ("sku", 1)).Code.ShouldBe(Code.Ok);

        Begin("cancelled", calls: false);
        Cancel("cancelled");
        Space.Cancel("cancelled:hold").Repeat.ShouldBeTrue();
        Space.Confirm("cancelled:hold").Code.ShouldBe(Code.Cancelled);
    }

    [Fact]
    public void AHoldThatOnlyLooksLikeACheckouts_IsItsCallersOwn()
    {
        Space.Try("mine:hold", ("sku", 1));
        Space.Extend("mine:hold", 60_000).Code.ShouldBe(Code.Ok);
        Space.Confirm("mine:hold").Code.ShouldBe(Code.Ok);
        Space.Cancel(":hold").Code.ShouldBe(Code.Ok);
    }
}

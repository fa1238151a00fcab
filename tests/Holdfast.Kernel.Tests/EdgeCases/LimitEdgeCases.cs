namespace Holdfast.Kernel.Tests.EdgeCases;

public class LimitEdgeCases : Scenario
{
    public LimitEdgeCases() => Space.Stock("sku", 100, new ResourcePolicy { LimitPerOwner = 3 });

    [Fact]
    public void E50_LimitPerOwner_TwoCartsAtOnce_IsOneAtomicCheck()
    {
        Space.TryAs("cart1", "ann", ("sku", 2)).Code.ShouldBe(Code.Ok);

        Answer answer = Space.TryAs("cart2", "ann", ("sku", 2));

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.LimitExceeded, 2, 1));
        Space.TryAs("cart2", "ann", ("sku", 1)).Code.ShouldBe(Code.Ok);
        Space.TryAs("cart3", "bob", ("sku", 3)).Code.ShouldBe(Code.Ok, "another owner has a limit of their own");
        Space.Try("cart4", ("sku", 1)).Code.ShouldBe(Code.NotOwner, "leaving the owner out is no way around");
    }

    [Fact]
    public void E50_ALimitSetLater_CountsWhatWasTakenBefore()
    {
        Space.Put("sku");
        Space.TryAs("h", "ann", ("sku", 5));
        Space.Put("sku", new ResourcePolicy { LimitPerOwner = 3 });

        Answer answer = Space.TryAs("h2", "ann", ("sku", 1));

        (answer.Code, answer.Available).ShouldBe((Code.LimitExceeded, 0));
        Space.Confirm("h").Code.ShouldBe(Code.Ok, "what is held may finish");
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("cancel twice")]
    [InlineData("expire")]
    [InlineData("expire and cancel")]
    [InlineData("touch at deadline")]
    public void E51_HoldExpiresOrIsCancelled_QuotaIsGivenBackOnce(string how)
    {
        Space.TryWith("h", "ann", 60_000, 0, ("sku", 2));
        Space.TryAs("other", "ann", ("sku", 1));
        switch (how)
        {
            case "cancel" or "cancel twice":
                Space.Cancel("h");
                break;
            case "touch at deadline":
                Space.Now += 60_000;
                Space.Confirm("h").Code.ShouldBe(Code.Expired);
                break;
            default:
                Space.Pass(60_064);
                break;
        }

        if (how is "cancel twice" or "expire and cancel")
        {
            Space.Cancel("h").Code.ShouldBe(Code.Ok);
        }

        Space.Pass(1_000);
        Space.TryAs("more", "ann", ("sku", 3)).Available.ShouldBe(2, "exactly what the hold had taken");
        Space.TryAs("more", "ann", ("sku", 2)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void E51_APartialConfirm_GivesBackTheReleasedPartOfTheQuota()
    {
        Space.TryAs("h", "ann", ("sku", 3));
        Space.Confirm("h", ("sku", 1));

        Space.TryAs("h2", "ann", ("sku", 3)).Available.ShouldBe(2);
    }

    [Fact]
    public void E52_Return_GivesQuotaBack_RaisesAvailable_NeverMoreThanConsumed()
    {
        Space.TryAs("h", "ann", ("sku", 3));
        Space.Confirm("h");

        Space.Return("h", "r1", ("sku", 2)).Code.ShouldBe(Code.Ok);

        Space.Buckets("sku").ShouldBe((99, 0, 1));
        Space.TryAs("h2", "ann", ("sku", 3)).Available.ShouldBe(2);
        Answer answer = Space.Return("h", "r2", ("sku", 2));
        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.ExceedsHold, 2, 1));
        Space.Return("h", "r2", ("sku", 1), ("sku", 1)).Code.ShouldBe(Code.ExceedsHold, "the sum counts");
        Space.Return("h", "r2", ("nowhere", 1)).Code.ShouldBe(Code.ExceedsHold);
        Space.Return("h", "r2", ("sku", 1)).Code.ShouldBe(Code.Ok, "a refused return's id is not used up");
        Space.Buckets("sku").ShouldBe((100, 0, 0));
        Space.Peek("h").Lines[0].ShouldBe(new HoldLineView("sku", 3, 0, 0, 3));
        Space.Confirm("h").Repeat.ShouldBeTrue("returned goods don't undo the confirm");
    }

    [Fact]
    public void E52_ReturnAfterAPartialConfirm_IsBoundedByWhatWasConsumed()
    {
        Space.Put("sku");
        Space.TryAs("h", "ann", ("sku", 10));
        Space.ConfirmKeeping("h", ("sku", 4));

        Space.Return("h", "r1", ("sku", 5)).Code.ShouldBe(Code.ExceedsHold);
        Space.Return("h", "r1", ("sku", 3)).State.ShouldBe(HoldState.Held);
        Space.Buckets("sku").ShouldBe((93, 6, 1));
        Space.Confirm("h").State.ShouldBe(HoldState.Confirmed);
        Space.Return("h", "r2", ("sku", 7)).Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((100, 0, 0));
    }

    [Fact]
    public void E53_DuplicateReturn_ComesBackOnce()
    {
        Space.Stock("other", 10);
        Space.TryAs("h", "ann", ("sku", 3), ("other", 1));
        Space.Confirm("h");
        Space.Return("h", "r", ("sku", 1));

        Space.Return("h", "r", ("sku", 1)).Repeat.ShouldBeTrue();
        Space.Return("h", "r", ("sku", 2)).Code.ShouldBe(Code.Conflict);
        Space.Return("h", "r", ("other", 1)).Code.ShouldBe(Code.Conflict);
        Space.Return("h", "r", ("nowhere", 1)).Code.ShouldBe(Code.Conflict);
        Space.Buckets("sku").ShouldBe((98, 0, 2));
        Space.Buckets("other").ShouldBe((9, 0, 1));
    }

    [Fact]
    public void E54_CancelAfterAPartialConfirmWithKeptRemainder_GivesBackOnlyTheRemainder()
    {
        Space.TryAs("h", "ann", ("sku", 3));
        Space.ConfirmKeeping("h", ("sku", 1));

        Answer answer = Space.Cancel("h");

        (answer.Code, answer.State).ShouldBe((Code.Ok, HoldState.Cancelled));
        Space.Buckets("sku").ShouldBe((99, 0, 1));
        Space.TryAs("h2", "ann", ("sku", 3)).Available.ShouldBe(2);
        Space.Cancel("h").Repeat.ShouldBeTrue();
        Space.Buckets("sku").ShouldBe((99, 0, 1));
        Space.Return("h", "r", ("sku", 1)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void E55_ACouponHeldByOneOrder_CanNotBeHeldByAnother_AndSomeoneElsesIsNotOwner()
    {
        Space.Stock("coupon:A7", 1, new ResourcePolicy { Owner = "ann" });

        Space.TryAs("bobs", "bob", ("coupon:A7", 1)).Code.ShouldBe(Code.NotOwner);
        Space.Try("nobodys", ("coupon:A7", 1)).Code.ShouldBe(Code.NotOwner);
        Space.TryAs("order1", "ann", ("coupon:A7", 1)).Code.ShouldBe(Code.Ok);
        Space.TryAs("order2", "ann", ("coupon:A7", 1)).Code.ShouldBe(Code.Insufficient);
        Space.Cancel("order1");
        Space.TryAs("order2", "ann", ("coupon:A7", 1)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void E55_ACouponThatChangesHands_LetsTheOldOwnersHoldFinish()
    {
        Space.Stock("coupon:A7", 2, new ResourcePolicy { Owner = "ann" });
        Space.TryAs("order1", "ann", ("coupon:A7", 1));
        Space.Put("coupon:A7", new ResourcePolicy { Owner = "bob" });

        Space.TryAs("order2", "ann", ("coupon:A7", 1)).Code.ShouldBe(Code.NotOwner);
        Space.Confirm("order1").Code.ShouldBe(Code.Ok);
        Space.TryAs("order3", "bob", ("coupon:A7", 1)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void E56_TheOwnersOwnEarlierHoldBlocksTheSecondCart_AndTheRefusalNamesIt()
    {
        Space.TryAs("cart1", "ann", ("sku", 3));

        Answer answer = Space.TryAs("cart2", "ann", ("sku", 1));

        (answer.Code, answer.Detail).ShouldBe((Code.LimitExceeded, "cart1"));
        Space.Confirm("cart1");
        Space.TryAs("cart2", "ann", ("sku", 1)).Detail.ShouldBe("cart1", "bought counts too");
        SpaceMachine restored = Ending.Restore(Space.Machine);
        new Space(machine: restored) { Now = Space.Now }.TryAs("cart2", "ann", ("sku", 1)).Detail.ShouldBe("cart1");
    }

    [Fact]
    public void E56_AHoldThatWasReleased_IsNotNamed()
    {
        Space.TryAs("cart1", "ann", ("sku", 3));
        Space.Cancel("cart1");

        Space.TryAs("cart2", "ann", ("sku", 4)).Detail.ShouldBeNull("it stands in nobody's way");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(2)]
    public void E56_AHoldThatGavePartBack_IsNamed(long confirmed)
    {
        Space.TryAs("cart1", "ann", ("sku", 3));
        Space.ConfirmWith("cart1", true, ("sku", confirmed));
        Space.Return("cart1", "r1", ("sku", 2));

        Space.TryAs("cart2", "ann", ("sku", 3)).Detail.ShouldBe("cart1", "one unit of it counts still");
    }

    [Fact]
    public void E56_AHoldThatGaveAllBack_IsNotNamed()
    {
        Space.TryAs("cart1", "ann", ("sku", 3));
        Space.Confirm("cart1");
        Space.Return("cart1", "r1", ("sku", 3));

        Space.TryAs("cart2", "ann", ("sku", 4)).Detail.ShouldBeNull("confirmed, and counts for nothing by now");
    }

    [Fact]
    public void AnAccount_LeavesMemory_WithTheLastHoldThatRefersToIt()
    {
        Space.TryAs("h1", "ann", ("sku", 1));
        Space.TryAs("h2", "ann", ("sku", 1));
        Space.Cancel("h1");
        Space.Pass(Options.RetentionMs + 1);
        Space.Machine.Ledger.Accounts.Count.ShouldBe(1, "its second hold has only just expired");

        Space.Pass(Options.RetentionMs + 1);

        Space.Machine.Ledger.Accounts.Count.ShouldBe(0);
        Space.TryAs("h3", "ann", ("sku", 3)).Code.ShouldBe(Code.Ok);
    }
}

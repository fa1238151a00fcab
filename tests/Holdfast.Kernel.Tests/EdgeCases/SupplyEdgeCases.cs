namespace Holdfast.Kernel.Tests.EdgeCases;

public class SupplyEdgeCases : Scenario
{
    [Fact]
    public void E41_RestockDuringTheSale_RaisesAvailableOnce_AndBuyersCanHoldAgain()
    {
        Space.Stock("sku", 1);
        Space.Try("h1", ("sku", 1));
        Space.Try("h2", ("sku", 1)).Code.ShouldBe(Code.Insufficient);

        Space.Adjust("sku", "restock", 1).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "restock", 1).Repeat.ShouldBeTrue();

        Space.Try("h2", ("sku", 1)).Code.ShouldBe(Code.Ok, "the refusal was not kept against its id");
        Space.Try("h3", ("sku", 1)).Code.ShouldBe(Code.Insufficient);
    }

    [Fact]
    public void E42_AdjustmentBelowWhatIsHeld_IsRefused()
    {
        Space.Stock("sku", 10);
        Space.Try("h", ("sku", 8));

        Answer answer = Space.Adjust("sku", "shrink", -3);

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.Insufficient, 3, 2));
        Space.LastEvents.ShouldBeEmpty();
        Space.Adjust("sku", "shrink", -2).Code.ShouldBe(Code.Ok, "a refused id is not used up");
    }

    [Fact]
    public void E42_AdjustmentBelowWhatIsHeld_WithForce_LeavesADeficit_AndTheHoldsIntact()
    {
        Space.Stock("sku", 10);
        Space.Try("h", ("sku", 8));

        Space.Adjust("sku", "fire", -9, force: true).Code.ShouldBe(Code.Ok);

        Space.Buckets("sku").ShouldBe((-7, 8, 0));
        Space.Try("h2", ("sku", 1)) .Available.ShouldBe(0, "never told as negative");
        Space.Confirm("h").Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((-7, 0, 8));
    }

    [Fact]
    public void E43_AbsoluteSetRacingDeductions_NeedsTheVersionThatItSaw()
    {
        Space.Stock("sku", 10);
        long seen = Space.Resource("sku").Version;
        Space.Try("h", ("sku", 4));

        Answer answer = Space.Set("sku", "count-1", 10, seen);

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.VersionMismatch, seen, seen + 1));
        Space.Buckets("sku").ShouldBe((6, 4, 0));
        Space.Set("sku", "count-1", 20, seen + 1).Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((20, 4, 0));
        Space.Resource("sku").Supplied.ShouldBe(24);
        Space.Set("sku", "count-1", 20, seen + 1).Repeat.ShouldBeTrue("a repeat is told apart from a stale version");
    }

    [Fact]
    public void E43_EveryMoveOfAResource_RaisesItsVersion()
    {
        var versions = new List<long>();
        void See() => versions.Add(Space.Resource("sku").Version);
        Space.Put("sku");
        See();
        Space.Adjust("sku", "a", 10);
        See();
        Space.Try("h", ("sku", 4));
        See();
        Space.ConfirmKeeping("h", ("sku", 1));
        See();
        Space.Return("h", "r", ("sku", 1));
        See();
        Space.Cancel("h");
        See();
        Space.TryWith("x", null, 1_000, 0, ("sku", 4));
        See();
        Space.Pass(1_064);
        See();
        Space.Put("sku", new ResourcePolicy { Overdraft = 1 });
        See();

        versions.ShouldBe(versions.Order());
        versions.Distinct().Count().ShouldBe(versions.Count);
    }

    [Fact]
    public void E44_AWarehouseCountThatIgnoresHolds_IsRebasedAsADeltaSinceItsSnapshot()
    {
        // The warehouse knows what left its shelves (consumed), not what is promised (held).
        Space.Stock("sku", 100);
        Space.Try("open", ("sku", 30));
        ResourceView snapshot = Space.Resource("sku");
        long onShelves = snapshot.Available + snapshot.Held;

        // While the count is under way, sales go on: 10 leave the shelves, 5 more are promised.
        Space.Confirm("open", ("sku", 10));
        Space.Try("later", ("sku", 5));

        // The count comes in: 96 stood on the shelves at the snapshot. The mistake would be to set available to 96.
        long counted = 96;
        Space.Adjust("sku", "count-7", counted - onShelves, reason: "cycle count").Code.ShouldBe(Code.Ok);

        Space.Buckets("sku").ShouldBe((81, 5, 10));
        ResourceView now = Space.Resource("sku");
        (now.Available + now.Held).ShouldBe(counted - 10, "the shelves: the count less what left since");
    }

    [Fact]
    public void E45_DuplicateOrReorderedFeed_IsAppliedOnce_ByAdjustmentId()
    {
        Space.Stock("sku", 0);
        Space.Stock("other", 0);
        (string Id, long Delta)[] feed = [("d1", 5), ("d2", 3), ("d3", 7)];
        foreach (int i in new[] { 2, 0, 0, 2, 1, 0, 1 })
        {
            Space.Adjust("sku", feed[i].Id, feed[i].Delta).Code.ShouldBe(Code.Ok);
        }

        Space.Resource("sku").Supplied.ShouldBe(15);
        Space.Adjust("sku", "d1", 6).Code.ShouldBe(Code.Conflict);
        Space.Adjust("sku", "d1", 5, force: true).Code.ShouldBe(Code.Conflict);
        Space.Adjust("sku", "d1", 5, reason: "another word").Repeat.ShouldBeTrue("the reason is not what it does");
        Space.Adjust("other", "d1", 5).Repeat.ShouldBeFalse("ids are the resource's own");
        Space.Adjust("nowhere", "d1", 5).Code.ShouldBe(Code.UnknownResource);
    }

    [Fact]
    public void E45_AnAdjustmentsId_IsForgottenAfterItsRetention_NotBefore()
    {
        Space.Stock("sku", 5);
        Space.Pass(Options.AdjustmentRetentionMs);
        Space.Adjust("sku", "opening", 5).Repeat.ShouldBeTrue();

        Space.Pass(1);

        Space.Adjust("sku", "opening", 5).Repeat.ShouldBeFalse();
        Space.Resource("sku").Supplied.ShouldBe(10);
    }

    [Fact]
    public void E46_ResourceDisabledWithHolds_TakesNoNewTry_AndTheHeldMayFinish()
    {
        Space.Stock("sku", 10);
        foreach (string id in new[] { "confirm", "cancel", "extend", "return" })
        {
            Space.Try(id, ("sku", 1));
        }

        Space.Confirm("return");
        Space.Put("sku", new ResourcePolicy { Disabled = true });

        Space.Try("new", ("sku", 1)).Code.ShouldBe(Code.Disabled);
        Space.Try("confirm", ("sku", 1)).Repeat.ShouldBeTrue();
        Space.Confirm("confirm").Code.ShouldBe(Code.Ok);
        Space.Cancel("cancel").Code.ShouldBe(Code.Ok);
        Space.Extend("extend", 1_000).Code.ShouldBe(Code.Ok);
        Space.Return("return", "r", ("sku", 1)).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "more", 1).Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((9, 1, 1));
    }

    [Fact]
    public void E47_SafetyStockRaisedAboveAvailable_OffersNothing_AndHoldsStayIntact()
    {
        Space.Stock("sku", 10);
        Space.Try("h", ("sku", 4));
        Space.Put("sku", new ResourcePolicy { SafetyStock = 7 });

        Answer answer = Space.Try("h2", ("sku", 1));

        (answer.Code, answer.Available).ShouldBe((Code.Insufficient, 0));
        Space.Buckets("sku").ShouldBe((6, 4, 0));
        Space.Confirm("h").Code.ShouldBe(Code.Ok);
        Space.Put("sku", new ResourcePolicy { SafetyStock = 5 });
        Space.Try("h3", ("sku", 2)).Available.ShouldBe(1);
        Space.Try("h3", ("sku", 1)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void E49_OverdraftFilled_TheDeficitShrinksFirst()
    {
        Space.Stock("sku", 0, new ResourcePolicy { Overdraft = 10 });
        Space.Try("h", ("sku", 8)).Code.ShouldBe(Code.Ok);
        Space.Try("h2", ("sku", 3)).Available.ShouldBe(2);
        Space.Confirm("h");
        Space.Buckets("sku").ShouldBe((-8, 0, 8));

        Space.Adjust("sku", "arrival", 5);

        Space.Buckets("sku").ShouldBe((-3, 0, 8));
        Space.Put("sku", ResourcePolicy.Default);
        Space.Try("h3", ("sku", 1)).Code.ShouldBe(Code.Insufficient, "without overdraft the deficit comes first");
        Space.Adjust("sku", "arrival 2", 4);
        Space.Try("h3", ("sku", 1)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void APutWithTheSamePolicy_ChangesNothing()
    {
        Space.Put("sku", new ResourcePolicy { LimitPerOwner = 2, Owner = "ann" }).Repeat.ShouldBeFalse();

        Space.Put("sku", new ResourcePolicy { LimitPerOwner = 2, Owner = "ann" }).Repeat.ShouldBeTrue();

        Space.LastEvents.ShouldBeEmpty();
        Space.Resource("sku").Version.ShouldBe(1);
    }
}

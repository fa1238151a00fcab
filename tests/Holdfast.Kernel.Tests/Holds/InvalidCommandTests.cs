namespace Holdfast.Kernel.Tests.Holds;

/// <summary>What makes a command invalid by itself: nothing is looked at, nothing is kept.</summary>
public class InvalidCommandTests : Scenario
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    [InlineData(Quantity.Max + 1)]
    public void E48_QuantityOutOfBounds_IsInvalid_InEveryCommandWithLines(long quantity)
    {
        Space.Stock("sku", 10);
        Space.Try("h", ("sku", 2));
        Space.Try("c", ("sku", 2));
        Space.Confirm("c");

        Space.Try("x", ("sku", quantity)).Code.ShouldBe(Code.Invalid);
        Space.Confirm("h", ("sku", quantity)).Code.ShouldBe(Code.Invalid);
        Space.Return("c", "r", ("sku", quantity)).Code.ShouldBe(Code.Invalid);
        Space.Buckets("sku").ShouldBe((6, 2, 2));
        Space.Get("x").Code.ShouldBe(Code.NotFound);
    }

    [Fact]
    public void E48_SumOfLinesOverflows_IsInvalid_AndNothingIsKept()
    {
        Space.Stock("sku", Quantity.Max);

        Space.Try("h", ("sku", Quantity.Max), ("sku", 1)).Code.ShouldBe(Code.Invalid);
        Space.Try("h", [.. Enumerable.Repeat(("sku", Quantity.Max), 64)]).Code.ShouldBe(Code.Invalid);
        Space.Try("h", ("sku", Quantity.Max - 1), ("sku", 1)).Code.ShouldBe(Code.Ok);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(long.MinValue)]
    [InlineData(-Quantity.Max - 1)]
    [InlineData(Quantity.Max + 1)]
    public void E48_DeltaOutOfBounds_IsInvalid(long delta)
    {
        Space.Stock("sku", 10);

        Space.Adjust("sku", "a", delta, force: true).Code.ShouldBe(Code.Invalid);
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(Quantity.Max + 1)]
    public void E48_SetOutOfBounds_IsInvalid(long available)
    {
        Space.Stock("sku", 10);

        Space.Set("sku", "a", available, Space.Resource("sku").Version).Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void E48_SupplyThatWouldOverflow_IsInvalid_InBothDirections()
    {
        Space.Stock("sku", Quantity.Max);

        Space.Adjust("sku", "one more", 1).Code.ShouldBe(Code.Invalid);
        Space.Adjust("sku", "all", -Quantity.Max).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "below", -Quantity.Max, force: true).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "one less", -1, force: true).Code.ShouldBe(Code.Invalid);
        Space.Resource("sku").Supplied.ShouldBe(-Quantity.Max);
    }

    [Fact]
    public void E48_BucketsAtTheirUtmostBounds_DoNotWrap()
    {
        Space.Stock("sku", Quantity.Max, new ResourcePolicy { Overdraft = Quantity.Max });
        Space.TryAs("one", "ann", ("sku", Quantity.Max)).Code.ShouldBe(Code.Ok);
        Space.TryAs("two", "ann", ("sku", Quantity.Max)).Code.ShouldBe(Code.Ok);
        Space.TryAs("three", "ann", ("sku", 1)).Code.ShouldBe(Code.Insufficient);
        Space.Adjust("sku", "lost", -Quantity.Max, force: true).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "lost more", -Quantity.Max, force: true).Code.ShouldBe(Code.Ok);
        Space.Put("sku", new ResourcePolicy { SafetyStock = Quantity.Max });

        Space.Buckets("sku").ShouldBe((-3 * Quantity.Max, 2 * Quantity.Max, 0));
        Answer answer = Space.TryAs("four", "bob", ("sku", Quantity.Max));
        (answer.Code, answer.Available).ShouldBe((Code.Insufficient, 0));
        Space.Set("sku", "found", Quantity.Max, Space.Resource("sku").Version).Code.ShouldBe(Code.Invalid, "supply would be three times the bound");
    }

    [Fact]
    public void SixtyFourLines_AreTaken_AndOneMoreIsInvalid()
    {
        (string, long)[] lines = [.. Enumerable.Range(0, 65).Select(i => ("sku-" + i, 1L))];
        foreach ((string id, _) in lines)
        {
            Space.Stock(id, 2);
        }

        Space.Try("many", lines).Code.ShouldBe(Code.Invalid);
        Space.Try("most", lines[..64]).Code.ShouldBe(Code.Ok);
        Space.Try("same", [.. Enumerable.Repeat(("sku-64", 1L), 65)]).Code.ShouldBe(Code.Invalid, "lines are counted as given");
        Space.Peek("most").Lines.Count.ShouldBe(64);
        Space.Confirm("most", lines).Code.ShouldBe(Code.Invalid);
        Space.Confirm("most", lines[..64]).Code.ShouldBe(Code.Ok);
        Space.Return("most", "r", lines[..64]).Code.ShouldBe(Code.Ok);
        Space.Buckets("sku-63").ShouldBe((2, 0, 0));
    }

    [Fact]
    public void NoLines_IsInvalid_ForATryAndAReturn()
    {
        Space.Stock("sku", 1);
        Space.Try("h").Code.ShouldBe(Code.Invalid);
        Space.Try("c", ("sku", 1));
        Space.Confirm("c");
        Space.Return("c", "r").Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void NamesOf128Bytes_AreTaken_AndOneMoreIsInvalid()
    {
        string exact = string.Concat(Enumerable.Repeat("\u00fc", 64));
        Space.Stock(exact, 5);

        Space.TryAs(exact, exact, (exact, 2)).Code.ShouldBe(Code.Ok);
        Space.Confirm(exact, (exact, 2)).Code.ShouldBe(Code.Ok);
        Space.Return(exact, exact, (exact, 1)).Code.ShouldBe(Code.Ok);
        Space.Adjust(exact, exact, 1).Code.ShouldBe(Code.Ok);
        Space.Peek(exact).Owner.ShouldBe(exact);

        string over = exact + "x";
        Space.Put(over).Code.ShouldBe(Code.Invalid);
        Space.Put("sku", new ResourcePolicy { Owner = over }).Code.ShouldBe(Code.Invalid);
        Space.Try(over, (exact, 1)).Code.ShouldBe(Code.Invalid);
        Space.TryAs("h", over, (exact, 1)).Code.ShouldBe(Code.Invalid);
        Space.Try("h", (over, 1)).Code.ShouldBe(Code.Invalid);
        Space.Cancel(over).Code.ShouldBe(Code.Invalid);
        Space.Return(exact, over, (exact, 1)).Code.ShouldBe(Code.Invalid);
        Space.Adjust(exact, over, 1).Code.ShouldBe(Code.Invalid);
        Space.GetResource(over).Code.ShouldBe(Code.Invalid);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\rb")]
    [InlineData("a\nb")]
    [InlineData("a\0")]
    [InlineData("\u007f")]
    public void NamesThatCouldForgeAReply_AreInvalid(string name)
    {
        Space.Stock("sku", 5);

        Space.Try(name, ("sku", 1)).Code.ShouldBe(Code.Invalid);
        Space.Try("h", (name, 1)).Code.ShouldBe(Code.Invalid);
        Space.Cancel(name).Code.ShouldBe(Code.Invalid);
        Space.Adjust("sku", name, 1).Code.ShouldBe(Code.Invalid);
        Space.Machine.KnownHolds.ShouldBe(0);
    }

    [Fact]
    public void NamesThatAreNotUtf8_AreInvalid()
    {
        var command = new CancelHold(Space.Hasher);
        command.Reset([0xC3, 0x28]);

        Space.Decide(command).Code.ShouldBe(Code.Invalid);
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(Quantity.MaxTtlMs + 1, false)]
    [InlineData(Quantity.MaxTtlMs, true)]
    [InlineData(1, true)]
    public void TimeToLive_IsBounded(long ttlMs, bool valid)
    {
        Space.Stock("sku", 5);

        Space.TryWith("h", null, ttlMs, 0, ("sku", 1)).Code.ShouldBe(valid ? Code.Ok : Code.Invalid);
        Space.Try("x", ("sku", 1));
        Space.Extend("x", ttlMs).Code.ShouldBe(valid ? Code.Ok : Code.Invalid);
        Space.Extend("x", 0).Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void PoliciesOutOfBounds_AreInvalid()
    {
        ResourcePolicy[] wrong =
        [
            new() { LimitPerOwner = 0 }, new() { LimitPerOwner = -1 }, new() { Overdraft = -1 },
            new() { Overdraft = Quantity.Max + 1 }, new() { SafetyStock = -1 }, new() { SafetyStock = Quantity.Max + 1 },
            new() { HoldMs = 0 }, new() { HoldMs = Quantity.MaxTtlMs + 1 }, new() { HoldMs = Options.MaxLifeMs + 1 },
            new() { OpensAtMs = -1 }, new() { ClosesAtMs = -1 }, new() { OpensAtMs = 5, ClosesAtMs = 5 }, new() { Owner = "" },
        ];
        foreach (ResourcePolicy policy in wrong)
        {
            Space.Put("sku", policy).Code.ShouldBe(Code.Invalid, policy.ToString());
        }

        Space.Machine.ResourceCount.ShouldBe(0);
    }

    [Fact]
    public void ReasonsOf512Bytes_AreTaken_AndOneMoreIsInvalid()
    {
        Space.Stock("sku", 5);

        Space.Adjust("sku", "a", 1, reason: new string('r', 512)).Code.ShouldBe(Code.Ok);
        Space.Adjust("sku", "b", 1, reason: new string('r', 513)).Code.ShouldBe(Code.Invalid);
        Space.Buckets("sku").Available.ShouldBe(6);
    }
}

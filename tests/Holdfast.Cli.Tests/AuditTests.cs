using Holdfast.Cli.Demo;
using Holdfast.Client;

namespace Holdfast.Cli.Tests;

/// <summary>The demo's checker is shown to fire before its silence is believed: each test plants one fault.</summary>
public sealed class AuditTests
{
    private const long Units = 10;
    private const long PerOwner = 2;
    private readonly List<Cart> _carts = [];
    private readonly Dictionary<string, ServerHold> _holds = new(StringComparer.Ordinal);

    public AuditTests()
    {
        // A sale without fault: each test spoils one thing.
        Sell("a", "ann", 2, Told.Confirmed, HoldState.Confirmed);
        Sell("b", "bob", 1, Told.Cancelled, HoldState.Cancelled);
        Sell("c", "cid", 1, Told.Nothing, HoldState.Expired);
        _carts.Add(new Cart("d", "dan", 1, Plan.Buy, TimeSpan.FromMinutes(1)) { Tried = Told.Refused });
    }

    [Fact]
    public void A_sale_without_fault_is_good()
    {
        Audit audit = Check();

        audit.Findings.ShouldBeEmpty();
        audit.IsGood.ShouldBeTrue();
        audit.States[HoldState.Confirmed].ShouldBe(1);
    }

    [Fact]
    public void A_hold_that_was_acknowledged_and_that_the_server_does_not_know_is_lost()
    {
        _holds.Remove("c");

        Check().ShouldSatisfyAllConditions(a => a.Lost.ShouldBe(1), a => a.Findings.Single().ShouldStartWith("c: "), a => a.IsGood.ShouldBeFalse());
    }

    [Theory]
    [InlineData("a", HoldState.Held)]
    [InlineData("a", HoldState.Expired)]
    [InlineData("b", HoldState.Expired)]
    [InlineData("c", HoldState.Confirmed)]
    public void A_state_that_differs_from_what_was_told_is_lost(string id, HoldState now)
    {
        _holds[id] = _holds[id] with { State = now };

        Check().Lost.ShouldBe(1);
    }

    [Fact]
    public void A_hold_after_a_refusal_is_found()
    {
        _holds["d"] = new ServerHold("dan", HoldState.Expired, 1);

        Check().Lost.ShouldBe(1);
    }

    [Fact]
    public void Another_quantity_or_owner_is_found()
    {
        _holds["b"] = new ServerHold("bob", HoldState.Cancelled, 2);
        _holds["c"] = new ServerHold("eve", HoldState.Expired, 1);

        Check().Lost.ShouldBe(2);
    }

    [Fact]
    public void A_cart_counted_twice_is_found() =>
        Check(consumed: 4, available: 6).ShouldSatisfyAllConditions(a => a.HeldTwice.ShouldBe(2), a => a.IsGood.ShouldBeFalse());

    [Fact]
    public void Overselling_is_found()
    {
        for (int i = 0; i < 5; i++)
        {
            Sell($"more-{i}", $"owner-{i}", 2, Told.Confirmed, HoldState.Confirmed);
        }

        Check(consumed: 12, available: -2).ShouldSatisfyAllConditions(a => a.Oversold.ShouldBe(2), a => a.IsGood.ShouldBeFalse());
    }

    [Fact]
    public void More_than_the_limit_is_found()
    {
        Sell("a2", "ann", 1, Told.Confirmed, HoldState.Confirmed);

        Check(consumed: 3, available: 7).ShouldSatisfyAllConditions(a => a.OverLimit.ShouldBe(1), a => a.IsGood.ShouldBeFalse());
    }

    [Fact]
    public void Units_that_vanish_are_found() =>
        Check(available: 7).ShouldSatisfyAllConditions(a => a.Imbalance.ShouldBe(1), a => a.IsGood.ShouldBeFalse());

    [Fact]
    public void Units_held_past_every_deadline_are_found()
    {
        _holds["c"] = _holds["c"] with { State = HoldState.Held };

        Check(held: 1, available: 7).ShouldSatisfyAllConditions(a => a.NotReleased.ShouldBe(1), a => a.IsGood.ShouldBeFalse());
    }

    private void Sell(string id, string owner, long quantity, Told ended, HoldState state)
    {
        _carts.Add(new Cart(id, owner, quantity, Plan.Buy, TimeSpan.FromMinutes(1)) { Tried = Told.Held, Ended = ended });
        _holds[id] = new ServerHold(owner, state, quantity);
    }

    private Audit Check(long consumed = 2, long held = 0, long available = 8) =>
        Audit.Of(_carts, new ServerTruth(_holds, available, held, consumed), Units, PerOwner, allOver: true);
}

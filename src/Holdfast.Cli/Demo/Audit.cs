using Holdfast.Client;

namespace Holdfast.Cli.Demo;

/// <summary>A hold as the server has it.</summary>
internal sealed record ServerHold(string? Owner, HoldState State, long Quantity);

/// <summary>What the server has, read after the sale.</summary>
/// <param name="Holds">Every cart's hold that the server knows, by id.</param>
/// <param name="Available">Units available.</param>
/// <param name="Held">Units held.</param>
/// <param name="Consumed">Units sold.</param>
internal sealed record ServerTruth(IReadOnlyDictionary<string, ServerHold> Holds, long Available, long Held, long Consumed);

/// <summary>Holds the shoppers' book against what the server has. Everything that the server ever told must still be true.</summary>
internal sealed class Audit
{
    private const int FindingsMax = 20;
    private readonly List<string> _findings = [];

    private Audit()
    {
    }

    /// <summary>Units sold above those that there were.</summary>
    public long Oversold { get; private set; }

    /// <summary>Carts about which the server told something that isn't so any more.</summary>
    public int Lost { get; private set; }

    /// <summary>Units that the resource counts and no cart has (or the other way round): a cart counted twice.</summary>
    public long HeldTwice { get; private set; }

    /// <summary>Shoppers with more than the limit.</summary>
    public int OverLimit { get; private set; }

    /// <summary>Units that appeared or vanished.</summary>
    public long Imbalance { get; private set; }

    /// <summary>Units that are still held although every deadline has passed.</summary>
    public long NotReleased { get; private set; }

    /// <summary>Carts by what the server has of them.</summary>
    public Dictionary<HoldState, int> States { get; } = [];

    /// <summary>What is wrong, at most the first twenty.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Whether all is as it must be.</summary>
    public bool IsGood => _findings.Count == 0;

    /// <summary>Checks.</summary>
    /// <param name="carts">The shoppers' book.</param>
    /// <param name="truth">What the server has.</param>
    /// <param name="units">Units that were on sale.</param>
    /// <param name="perOwner">The limit.</param>
    /// <param name="allOver">Whether every deadline has passed, so that nothing may be held any more.</param>
    public static Audit Of(IReadOnlyCollection<Cart> carts, ServerTruth truth, long units, long perOwner, bool allOver)
    {
        var audit = new Audit();
        var byOwner = new Dictionary<string, long>(StringComparer.Ordinal);
        long counted = 0;
        long toldSold = 0;
        long leftInTheDark = 0;
        foreach (Cart cart in carts)
        {
            ServerHold? hold = truth.Holds.GetValueOrDefault(cart.Id);
            audit.Compare(cart, hold);
            toldSold += cart.Ended == Told.Confirmed ? cart.Quantity : 0;
            if (hold is null)
            {
                continue;
            }

            audit.States[hold.State] = audit.States.GetValueOrDefault(hold.State) + 1;
            if (hold.State is HoldState.Held or HoldState.Confirmed)
            {
                counted += hold.Quantity;
                byOwner[cart.Owner] = byOwner.GetValueOrDefault(cart.Owner) + hold.Quantity;
            }

            // A shopper who gave up asking (the server was away too long) leaves a hold that lasts to its own, longer deadline.
            leftInTheDark += hold.State == HoldState.Held && (cart.Tried == Told.Unknown || cart.Ended == Told.Unknown) ? hold.Quantity : 0;
        }

        audit.Oversold = Math.Max(0, Math.Max(truth.Consumed, toldSold) - units);
        audit.Require(audit.Oversold == 0, $"sold {truth.Consumed} units and told of {toldSold}, but there were {units}");
        audit.HeldTwice = Math.Abs(truth.Held + truth.Consumed - counted);
        audit.Require(audit.HeldTwice == 0, $"the resource counts {truth.Held} held and {truth.Consumed} sold, but the carts have {counted} in all");
        audit.Imbalance = units - truth.Available - truth.Held - truth.Consumed;
        audit.Require(audit.Imbalance == 0, $"supplied {units} is not available {truth.Available} + held {truth.Held} + sold {truth.Consumed}");
        audit.NotReleased = allOver ? truth.Held - leftInTheDark : 0;
        audit.Require(audit.NotReleased == 0, $"{audit.NotReleased} units are still held after every deadline");
        foreach ((string owner, long has) in byOwner.Where(o => o.Value > perOwner))
        {
            audit.OverLimit++;
            audit.Require(false, $"{owner} has {has} units, the limit is {perOwner}");
        }

        return audit;
    }

    private void Compare(Cart cart, ServerHold? hold)
    {
        if (Contradiction(cart, hold) is { } contradiction)
        {
            Lost++;
            Require(false, $"{cart.Id}: {contradiction}");
        }
    }

    private static string? Contradiction(Cart cart, ServerHold? hold)
    {
        string now = hold?.State.ToString().ToLowerInvariant() ?? "unknown to it";
        if (hold is not null && (hold.Quantity != cart.Quantity || hold.Owner != cart.Owner))
        {
            return $"asked for {cart.Quantity} for {cart.Owner}, but the server has {hold.Quantity} for {hold.Owner}";
        }

        if (cart.Tried == Told.Held && hold is null)
        {
            return "the server said held, but now it is unknown to it";
        }

        // Nothing follows a refused try, so a hold would have come out of nothing.
        if (cart.Tried == Told.Refused && hold is not null)
        {
            return $"the server refused it, but now it is {now}";
        }

        return cart.Ended switch
        {
            Told.Confirmed when hold?.State != HoldState.Confirmed => $"the server said confirmed, but now it is {now}",
            Told.Cancelled when hold?.State != HoldState.Cancelled => $"the server said cancelled, but now it is {now}",
            Told.Expired when hold?.State != HoldState.Expired => $"the server said expired, but now it is {now}",

            // Nobody asked for an end, so only the deadline can have ended it.
            Told.Nothing when hold?.State is HoldState.Confirmed or HoldState.Cancelled => $"nobody ended it, but now it is {now}",
            _ => null,
        };
    }

    private void Require(bool holds, string finding)
    {
        if (!holds && _findings.Count < FindingsMax)
        {
            _findings.Add(finding);
        }
    }
}

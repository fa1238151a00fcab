using System.Text;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>
/// Buys again and again: tries to hold, then confirms, cancels, or walks away. Repeats every call under the same id
/// until it is answered, sometimes though it was answered, and keeps a book of what it was told.
/// </summary>
internal sealed class Shopper(int number, Random random, SimulationOptions options, NameHasher hasher)
{
    private int _purchases;

    /// <summary>The purchase under way; null before the first.</summary>
    public Purchase? Current { get; private set; }

    /// <summary>All purchases, the current one included.</summary>
    public List<Purchase> Book { get; } = [];

    /// <summary>The call that waits for its answer; null when nothing is sent.</summary>
    public SimulatedRequest? Waiting { get; set; }

    /// <summary>Makes the next call: the last one again when its outcome is unknown, else what comes next.</summary>
    public SimulatedRequest NextCall(Action<SimulatedRequest> answered)
    {
        if (Current is null or { IsOver: true })
        {
            Begin();
        }

        Purchase purchase = Current!;
        Command command = purchase.Step switch
        {
            PurchaseStep.Try => Try(purchase),
            PurchaseStep.Confirm => Confirm(purchase),
            PurchaseStep.Cancel => Cancel(purchase),
            _ => Get(purchase),
        };
        return new SimulatedRequest(command, purchase, purchase.Step, answered);
    }

    private void Begin()
    {
        Current = new Purchase
        {
            Id = $"h-{number}-{_purchases++}",
            Owner = $"o-{random.Next(options.Owners)}",
            Lines = [.. Enumerable.Range(0, options.Resources).Where(_ => random.Next(2) == 0).DefaultIfEmpty(0).Select(r => (r, random.Next(1, 4)))],
            TtlMs = random.Next(3) == 0 ? 200 : 60_000,
            Plan = (PurchasePlan)random.Next(4),
        };
        Book.Add(Current);
    }

    private TryHold Try(Purchase purchase)
    {
        var command = new TryHold(hasher);
        command.Reset(Utf8(purchase.Id), Utf8(purchase.Owner), purchase.TtlMs);
        foreach ((int resource, int quantity) in purchase.Lines)
        {
            command.AddLine(Utf8($"sku-{resource}"), quantity);
        }

        return command;
    }

    private ConfirmHold Confirm(Purchase purchase)
    {
        var command = new ConfirmHold(hasher);
        command.Reset(Utf8(purchase.Id));
        return command;
    }

    private CancelHold Cancel(Purchase purchase)
    {
        var command = new CancelHold(hasher);
        command.Reset(Utf8(purchase.Id));
        return command;
    }

    private GetHold Get(Purchase purchase)
    {
        var command = new GetHold(hasher) { WantsView = true };
        command.Reset(Utf8(purchase.Id));
        return command;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}

/// <summary>What a shopper means to do once it holds.</summary>
internal enum PurchasePlan
{
    Confirm,
    Cancel,
    WalkAway,
    AskThenConfirm,
}

/// <summary>The call that is next.</summary>
internal enum PurchaseStep
{
    Try,
    Ask,
    Confirm,
    Cancel,
}

/// <summary>One purchase, and what its shopper was told of it.</summary>
internal sealed class Purchase
{
    public required string Id { get; init; }

    public required string Owner { get; init; }

    public required (int Resource, int Quantity)[] Lines { get; init; }

    public required long TtlMs { get; init; }

    public required PurchasePlan Plan { get; init; }

    public PurchaseStep Step { get; set; }

    /// <summary>Whether no call is left to make.</summary>
    public bool IsOver { get; set; }

    /// <summary>Told held, until then; 0: never told.</summary>
    public long ToldHeldUntilMs { get; set; }

    /// <summary>The final state that was told.</summary>
    public HoldState ToldFinal { get; set; }

    /// <summary>Calls that were sent at least once, answered or not.</summary>
    public HashSet<PurchaseStep> Sent { get; } = [];
}

/// <summary>A call in the simulator: its answer goes to the scheduler, at once and on its thread.</summary>
internal sealed class SimulatedRequest(Command command, Purchase purchase, PurchaseStep step, Action<SimulatedRequest> answered) : Request(command)
{
    public Purchase Purchase => purchase;

    public PurchaseStep Step => step;

    protected internal override bool CompletesInline => true;

    protected internal override void Complete() => answered(this);
}

using System.Globalization;
using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>A branch as planned.</summary>
internal sealed record PlannedBranch(string Name, BranchKind Kind, int Participant, long Amount, string[]? After);

/// <summary>Who drives a transaction.</summary>
internal enum Driver
{
    Coordinator,
    Caller,
    Message,
}

/// <summary>A transaction as planned, where its caller stands, and what it was told.</summary>
internal sealed class SimulatedTransaction
{
    public required string Id { get; init; }

    public required Driver Driver { get; init; }

    public required IReadOnlyList<PlannedBranch> Branches { get; init; }

    /// <summary>Whether a caller that drives means to commit; it may be prevented.</summary>
    public required bool MeansToCommit { get; init; }

    /// <summary>Whether the caller dies at some point and is never heard of again.</summary>
    public required int DiesAfterStep { get; init; }

    public long TimeoutMs { get; init; } = 20_000;

    /// <summary>What the caller does next: 0 begin, then two for each branch (register, try), then decide.</summary>
    public int Step { get; set; }

    public bool IsOver { get; set; }

    public bool Waiting { get; set; }

    public bool RefusedByBranch { get; set; }

    public bool LocalDone { get; set; }

    /// <summary>Told that it exists.</summary>
    public bool ToldBegun { get; set; }

    /// <summary>Told that it commits (true), aborts (false).</summary>
    public bool? ToldDecision { get; set; }

    public static SimulatedTransaction Make(int number, Random random, TransactionSimulationOptions options)
    {
        var driver = (Driver)random.Next(3);
        bool saga = random.Next(2) == 0;
        int count = random.Next(1, 5);
        bool graph = driver == Driver.Coordinator && random.Next(3) == 0;
        var branches = new List<PlannedBranch>();
        for (int i = 0; i < count; i++)
        {
            BranchKind kind = driver == Driver.Message ? BranchKind.Delivery
                : random.Next(5) == 0 ? BranchKind.Hold
                : saga && random.Next(4) != 0 ? BranchKind.SagaStep
                : BranchKind.Tcc;
            string[]? after = graph ? [.. branches.Where(_ => random.Next(2) == 0).Select(b => b.Name)] : null;
            branches.Add(new PlannedBranch("b" + i.ToString(CultureInfo.InvariantCulture), kind, random.Next(options.Participants), random.Next(1, 9), after));
        }

        return new SimulatedTransaction
        {
            Id = "t" + number.ToString(CultureInfo.InvariantCulture),
            Driver = driver,
            Branches = branches,
            MeansToCommit = random.Next(4) != 0,
            DiesAfterStep = random.Next(3) == 0 ? random.Next(10) : int.MaxValue,
            TimeoutMs = random.Next(3) == 0 ? 300 : 20_000,
        };
    }

    public static BranchSpec Spec(PlannedBranch branch)
    {
        string url = "http://p" + branch.Participant.ToString(CultureInfo.InvariantCulture) + "/";
        return new BranchSpec(branch.Name)
        {
            After = branch.After,
            Hold = branch.Kind == BranchKind.Hold ? new HoldSpec(null, 0, [new("sku", branch.Amount)]) : null,
            Try = branch.Kind is BranchKind.Tcc or BranchKind.SagaStep ? new CallSpec(url) : null,
            Confirm = branch.Kind is BranchKind.Tcc or BranchKind.Delivery ? new CallSpec(url) : null,
            Cancel = branch.Kind is BranchKind.Tcc or BranchKind.SagaStep ? new CallSpec(url) : null,
        };
    }
}

/// <summary>A command in the simulator; its answer goes to the scheduler, at once and on its thread.</summary>
internal sealed class SimulatedCommand(Command command, Action<Answer> answered) : Engine.Request(command)
{
    protected internal override bool CompletesInline => true;

    protected internal override void Complete() => answered(Answer);
}

namespace Holdfast.Testing;

/// <summary>How large a simulated run of transactions is, and what is wrong in it.</summary>
public sealed record TransactionSimulationOptions
{
    /// <summary>Steps of the scheduler before everything heals.</summary>
    public int Steps { get; init; } = 500;

    /// <summary>Transactions that are started.</summary>
    public int Transactions { get; init; } = 14;

    /// <summary>Participants, each with its own books.</summary>
    public int Participants { get; init; } = 3;

    /// <summary>Units that each participant has.</summary>
    public long Supply { get; init; } = 40;

    /// <summary>A fault planted to show that the oracle notices.</summary>
    public TransactionFault Fault { get; init; }
}

/// <summary>A fault of a participant or of the coordinator, imitated.</summary>
public enum TransactionFault
{
    /// <summary>None: everything must hold.</summary>
    None,

    /// <summary>A participant carries out a repeated call again.</summary>
    NoDedupe,

    /// <summary>A participant undoes, on a cancel, what was never tried.</summary>
    EmptyRollbackRuns,

    /// <summary>A participant's empty rollback leaves no marker, as when it is rolled back with the empty work.</summary>
    EmptyRollbackUnmarked,

    /// <summary>A participant carries out a try that comes after its cancel.</summary>
    NoSuspension,

    /// <summary>The coordinator's restart loses the last durable batch, and with it a decision that it acted on.</summary>
    DecisionLost,
}

/// <summary>How a run ended.</summary>
/// <param name="Seed">What it was made from: the same seed gives the same run.</param>
/// <param name="Problem">The first thing that was wrong, or null.</param>
/// <param name="Ended">Transactions that ended, confirmed and cancelled.</param>
/// <param name="Confirmed">Those that were confirmed.</param>
/// <param name="Calls">Calls that reached a participant, repeats included.</param>
/// <param name="Meddled">Other bodies under a taken id, and branches after the decision: each refused.</param>
/// <param name="Crashes">Times that the coordinator lost its memory.</param>
/// <param name="Digest">The machine's digest at the end.</param>
public sealed record TransactionSimulationReport(int Seed, string? Problem, int Ended, int Confirmed, int Calls, int Meddled, int Crashes, ulong Digest);

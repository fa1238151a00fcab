namespace Holdfast.Testing;

/// <summary>How large a simulated run is, and what is wrong in it.</summary>
public sealed record SimulationOptions
{
    /// <summary>Steps of the scheduler.</summary>
    public int Steps { get; init; } = 600;

    /// <summary>Shoppers that buy at the same time, one purchase after another.</summary>
    public int Shoppers { get; init; } = 8;

    /// <summary>Resources.</summary>
    public int Resources { get; init; } = 3;

    /// <summary>Owners; fewer than shoppers, so that they meet in limits.</summary>
    public int Owners { get; init; } = 4;

    /// <summary>Units put on sale of each resource.</summary>
    public long Supply { get; init; } = 40;

    /// <summary>Most units an owner may have of a resource.</summary>
    public long LimitPerOwner { get; init; } = 15;

    /// <summary>A fault planted to show that the oracle notices.</summary>
    public PlantedFault Fault { get; init; }
}

/// <summary>A fault of the engine, imitated.</summary>
public enum PlantedFault
{
    /// <summary>None: everything must hold.</summary>
    None,

    /// <summary>Answers leave although their batch was never written (as with reply buffers shared between batches, or a lying disk).</summary>
    AnswerBeforeDurable,

    /// <summary>A restart loses the last durable batch.</summary>
    LoseLastBatch,

    /// <summary>Memory is kept after an append that failed.</summary>
    KeepMemoryAfterFailure,
}

/// <summary>How a run ended.</summary>
/// <param name="Seed">What it was made from: the same seed gives the same run.</param>
/// <param name="Problem">The first thing that was wrong, or null.</param>
/// <param name="Answers">Answers that shoppers got.</param>
/// <param name="Crashes">Times that all memory was lost.</param>
/// <param name="FailedAppends">Appends that failed or whose outcome was unknown.</param>
/// <param name="Digest">The machine's digest at the end.</param>
public sealed record SimulationReport(int Seed, string? Problem, int Answers, int Crashes, int FailedAppends, ulong Digest);

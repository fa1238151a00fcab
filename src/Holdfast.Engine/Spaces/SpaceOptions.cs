using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>How a space runs.</summary>
public sealed record SpaceOptions
{
    /// <summary>The kernel's rules.</summary>
    public HoldOptions Holds { get; init; } = new();

    /// <summary>The kernel's rules of transactions.</summary>
    public TransactionOptions Transactions { get; init; } = new();

    /// <summary>The kernel's rules of checkouts.</summary>
    public CheckoutOptions Checkouts { get; init; } = new();

    private const int MaxQueueCapacity = 1 << 24;

    /// <summary>Most requests that wait for the loop; one more is answered <c>overloaded</c>. Default 65,536; at most 16,777,216.</summary>
    public int QueueCapacity { get; init; } = 65_536;

    /// <summary>Most commands in one batch. Default 8,192: keeps a batch (and so an answer) within milliseconds.</summary>
    public int MaxBatchCommands { get; init; } = 8_192;

    /// <summary>A snapshot is taken after this many events since the last. Default 5 million; 0: never by itself.</summary>
    public long SnapshotEveryEvents { get; init; } = 5_000_000;

    /// <summary>Whether frames that two snapshots and the views have passed are removed. Default no: the journal is the audit trail.</summary>
    public bool TrimAfterSnapshot { get; init; }

    /// <summary>How often a space that storage has failed tries again. Default one second.</summary>
    public TimeSpan RetryStorageEvery { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Why no space can run under these, in words; null when one can.</summary>
    public string? Problem =>
        QueueCapacity is < 1 or > MaxQueueCapacity ? $"QueueCapacity must be from 1 to {MaxQueueCapacity}."
        : MaxBatchCommands < 1 ? "MaxBatchCommands must be 1 or more."
        : RetryStorageEvery <= TimeSpan.Zero || RetryStorageEvery > TimeSpan.FromDays(1) ? "RetryStorageEvery must be above zero, and at most a day."
        : Holds is null ? "Holds must be given."
        : Transactions is null ? "Transactions must be given."
        : Checkouts is null ? "Checkouts must be given."
        : Holds.Problem;
}

/// <summary>What a space is doing.</summary>
public enum SpaceStatus
{
    /// <summary>Reading its journal; nothing is answered yet.</summary>
    Starting,

    /// <summary>Serving.</summary>
    Running,

    /// <summary>Storage is full: reads are answered, writes are not.</summary>
    ReadOnly,

    /// <summary>Storage failed: the space drops its memory and reads its journal again.</summary>
    Recovering,

    /// <summary>Stopped for good: another writer owns the journal, the journal is corrupt, or the host stopped it.</summary>
    Stopped,
}

using Holdfast.Server;

namespace Holdfast.Cli.Bench;

/// <summary>What is measured.</summary>
internal sealed record BenchSettings
{
    /// <summary>Where the journal is.</summary>
    public required JournalKind Journal { get; init; }

    /// <summary>Npgsql connection string of the PostgreSQL journal.</summary>
    public string? Connection { get; init; }

    /// <summary>Concurrent callers, each with one request underway.</summary>
    public required int Callers { get; init; }

    /// <summary>Holds of one round.</summary>
    public required int Count { get; init; }

    /// <summary>Resources that the holds go round.</summary>
    public required int Resources { get; init; }

    /// <summary>Folder under which the bench makes its own; null: the system's temporary one.</summary>
    public string? Data { get; init; }

    /// <summary>Live holds to grow to; 0: measure rounds instead.</summary>
    public int Live { get; init; }

    /// <summary>Transactions of this kind are measured instead: holds, http or sql; null: not.</summary>
    public string? Transactions { get; init; }

    /// <summary>Payments are measured instead: callbacks or checkouts; null: not.</summary>
    public string? Payments { get; init; }

    /// <summary>Whether latency is measured open-loop at half of the rate.</summary>
    public bool Latency { get; init; }

    /// <summary>Whether reading the journal again is measured.</summary>
    public bool Replay { get; init; }

    /// <summary>Whether the views follow, as in production.</summary>
    public bool Views { get; init; } = true;
}

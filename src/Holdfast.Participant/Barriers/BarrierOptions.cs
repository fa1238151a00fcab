namespace Holdfast.Participant;

/// <summary>How a barrier works.</summary>
public sealed record BarrierOptions
{
    /// <summary>The database; null: told by the connection's type (Npgsql, Microsoft.Data.Sqlite, MySql).</summary>
    public BarrierDialect? Dialect { get; init; }

    /// <summary>Whether the barrier makes its tables when they are missing. Default yes; else run <see cref="BranchBarrier.Schema"/> yourself.</summary>
    public bool CreateTables { get; init; } = true;

    /// <summary>
    /// How long markers stay beyond the coordinator's watermark. Default 1 hour: calls that are underway in the network that
    /// long are refused, never run anew.
    /// </summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Whether the barrier's own statements are prepared once a connection, where the provider keeps them (Npgsql). Default
    /// yes: it saves PostgreSQL the planning. No behind a pooler that gives each transaction another server connection and
    /// doesn't know prepared statements (PgBouncer before 1.21).
    /// </summary>
    public bool PrepareStatements { get; init; } = true;

    /// <summary>How often one process cleans up, at most. Default 30 seconds.</summary>
    public TimeSpan CleanEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most markers deleted at a time. Default 1,000.</summary>
    public int CleanAtMost { get; init; } = 1_000;
}

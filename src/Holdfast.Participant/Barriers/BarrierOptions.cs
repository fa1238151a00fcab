namespace Holdfast.Participant;

/// <summary>How a barrier works.</summary>
public sealed record BarrierOptions
{
    /// <summary>The database; null: told by the connection's type (Npgsql, Microsoft.Data.Sqlite, MySql).</summary>
    public BarrierDialect? Dialect { get; init; }

    /// <summary>
    /// Whether the barrier looks for its tables and makes what is missing. Default yes; it needs no right to make them when they
    /// are there. No: run <see cref="BranchBarrier.Schema"/> yourself.
    /// </summary>
    public bool CreateTables { get; init; } = true;

    /// <summary>
    /// How long markers stay beyond the coordinator's watermark. Default 1 hour: calls that are underway in the network that
    /// long are refused, never run anew.
    /// </summary>
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// How long the markers of messages (<see cref="MessageBarrier.LocalAsync"/>) stay, by the participant's clock. Default 30
    /// days. After it the work of a message that is given again would be done again, and a check-back that was never answered
    /// would abort it.
    /// </summary>
    public TimeSpan KeepMessagesFor { get; init; } = TimeSpan.FromDays(30);

    /// <summary>
    /// Whether the barrier's own statements are prepared once a connection, where the provider keeps them (Npgsql). Default
    /// yes: it saves PostgreSQL the planning. No behind a pooler that gives each transaction another server connection and
    /// doesn't know prepared statements (PgBouncer before 1.21).
    /// </summary>
    public bool PrepareStatements { get; init; } = true;

    /// <summary>How often one process cleans up, at most; while there is more than <see cref="CleanAtMost"/>, each call does. Default 30 seconds.</summary>
    public TimeSpan CleanEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most markers deleted at a time. Default 1,000.</summary>
    public int CleanAtMost { get; init; } = 1_000;
}

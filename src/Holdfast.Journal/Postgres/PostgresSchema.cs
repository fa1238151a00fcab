using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>The tables, and the one statement that writes history.</summary>
internal static class PostgresSchema
{
    // Any number will do as long as all of ours use it: CREATE … IF NOT EXISTS alone fails when two sessions create at once.
    private const long CreationLock = 0x486F6C6466617374;

    // STORAGE EXTERNAL: frames are hashes and ids, so TOAST's compression would cost time and save nothing.
    public const string Create = """
        CREATE TABLE IF NOT EXISTS holdfast_space(
            space text PRIMARY KEY,
            epoch bigint NOT NULL DEFAULT 0,
            floor bigint NOT NULL DEFAULT 0);
        CREATE TABLE IF NOT EXISTS holdfast_journal(
            space text NOT NULL,
            sequence bigint NOT NULL,
            frame bytea NOT NULL,
            PRIMARY KEY(space, sequence));
        ALTER TABLE holdfast_journal ALTER COLUMN frame SET STORAGE EXTERNAL;
        CREATE TABLE IF NOT EXISTS holdfast_snapshot(
            space text NOT NULL,
            sequence bigint NOT NULL,
            part int NOT NULL,
            bytes bytea NOT NULL,
            PRIMARY KEY(space, sequence, part));
        ALTER TABLE holdfast_snapshot ALTER COLUMN bytes SET STORAGE EXTERNAL;
        """;

    /// <summary>
    /// The primary key is the fence; the row of holdfast_space closes its two gaps: <c>floor</c> refuses a writer that slept
    /// through a trim (its sequence is free again), <c>epoch</c> one whose unacknowledged frames an open has dropped.
    /// </summary>
    public const string Insert = """
        INSERT INTO holdfast_journal(space, sequence, frame)
        SELECT $1, $2, $3 FROM holdfast_space s WHERE s.space = $1 AND s.epoch = $4 AND s.floor < $2
        """;

    /// <summary>
    /// Waits until every insert under way has ended and keeps new ones out until this transaction ends. An insert takes its
    /// table lock before its snapshot, so whichever comes after this sees what this transaction committed.
    /// </summary>
    public const string LockOutAppends = "LOCK TABLE holdfast_journal IN SHARE ROW EXCLUSIVE MODE";

    public static async Task CreateAsync(NpgsqlConnection connection, string space, CancellationToken cancellationToken)
    {
        // The tables are looked for first: ALTER TABLE takes a lock that would wait for every append in flight.
        await using (var look = new NpgsqlCommand("SELECT to_regclass('holdfast_snapshot') IS NOT NULL", connection))
        {
            if (await look.ExecuteScalarAsync(cancellationToken) is not true)
            {
                await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
                await using var create = new NpgsqlCommand($"SELECT pg_advisory_xact_lock({CreationLock}); {Create}", connection, transaction);
                await create.ExecuteNonQueryAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
            }
        }

        await using var add = new NpgsqlCommand("INSERT INTO holdfast_space(space) VALUES ($1) ON CONFLICT DO NOTHING", connection);
        add.Parameters.Add(new NpgsqlParameter<string> { TypedValue = space });
        await add.ExecuteNonQueryAsync(cancellationToken);
    }
}

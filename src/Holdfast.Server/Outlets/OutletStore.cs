using Dapper;
using Microsoft.Data.Sqlite;

namespace Holdfast.Server.Outlets;

/// <summary>
/// What an outlet still has to deliver, and how far it has read each journal: both in one transaction, so that each event is
/// put in exactly once, whatever is killed. Delivery is then at least once.
/// </summary>
internal sealed class OutletStore : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Lock _lock = new();

    public OutletStore(string? file)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file ?? ":memory:", Pooling = false }.ToString());
        try
        {
            _connection.Open();
            _connection.Execute("""
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = FULL;
                CREATE TABLE IF NOT EXISTS position (outlet TEXT NOT NULL, space TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (outlet, space)) WITHOUT ROWID;
                CREATE TABLE IF NOT EXISTS disabled (outlet TEXT NOT NULL PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
                CREATE TABLE IF NOT EXISTS message (
                    number INTEGER PRIMARY KEY AUTOINCREMENT, outlet TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,
                    attempts INTEGER NOT NULL, due INTEGER, last TEXT, UNIQUE (outlet, id));
                CREATE INDEX IF NOT EXISTS message_due ON message (outlet, due);
                """);
        }
        catch
        {
            _connection.Dispose(); // not left to the collector: it is tried again every half second
            throw;
        }
    }

    public long? Position(string outlet, string space)
    {
        lock (_lock)
        {
            return _connection.QuerySingleOrDefault<long?>("SELECT sequence FROM position WHERE outlet = @outlet AND space = @space", new { outlet, space });
        }
    }

    /// <summary>Adds messages up to a sequence; one that is still waiting is not added again.</summary>
    public void Add(string outlet, string space, long sequence, IEnumerable<OutletMessage> messages, long nowMs)
    {
        lock (_lock)
        {
            using SqliteTransaction transaction = _connection.BeginTransaction();
            foreach (OutletMessage message in messages)
            {
                _connection.Execute(
                    "INSERT INTO message (outlet, id, type, body, attempts, due) VALUES (@outlet, @Id, @Type, @Body, 0, @nowMs) ON CONFLICT DO UPDATE SET attempts = 0, due = excluded.due",
                    new { outlet, message.Id, message.Type, message.Body, nowMs },
                    transaction);
            }

            _connection.Execute(
                "INSERT INTO position (outlet, space, sequence) VALUES (@outlet, @space, @sequence) ON CONFLICT DO UPDATE SET sequence = excluded.sequence",
                new { outlet, space, sequence },
                transaction);
            transaction.Commit();
        }
    }

    public void SetPosition(string outlet, string space, long sequence) => Add(outlet, space, sequence, [], 0);

    /// <summary>Messages that are due, oldest first.</summary>
    public IReadOnlyList<DueMessage> Due(string outlet, long nowMs, int most)
    {
        lock (_lock)
        {
            return [.. _connection.Query<DueMessage>(
                "SELECT number AS Number, id AS Id, type AS Type, body AS Body, attempts AS Attempts FROM message WHERE outlet = @outlet AND due <= @nowMs ORDER BY due, number LIMIT @most",
                new { outlet, nowMs, most })];
        }
    }

    public void Delivered(IEnumerable<long> numbers)
    {
        lock (_lock)
        {
            _connection.Execute("DELETE FROM message WHERE number IN @numbers", new { numbers });
        }
    }

    /// <summary>It is tried again at <paramref name="dueMs"/>; null: not by itself any more.</summary>
    public void Failed(long number, int attempts, long? dueMs, string last)
    {
        lock (_lock)
        {
            _connection.Execute("UPDATE message SET attempts = @attempts, due = @dueMs, last = @last WHERE number = @number", new { number, attempts, dueMs, last });
        }
    }

    public string? Disabled(string outlet)
    {
        lock (_lock)
        {
            return _connection.QuerySingleOrDefault<string>("SELECT reason FROM disabled WHERE outlet = @outlet", new { outlet });
        }
    }

    public void Disable(string outlet, string? reason)
    {
        lock (_lock)
        {
            _connection.Execute(
                reason is null ? "DELETE FROM disabled WHERE outlet = @outlet" : "INSERT OR REPLACE INTO disabled (outlet, reason) VALUES (@outlet, @reason)",
                new { outlet, reason });
        }
    }

    /// <summary>Messages that wait, and those that were given up.</summary>
    public (long Waiting, long GivenUp, string? Last) Count(string outlet)
    {
        lock (_lock)
        {
            return _connection.QuerySingle<(long, long, string?)>(
                "SELECT COUNT(due), COUNT(*) - COUNT(due), (SELECT last FROM message WHERE outlet = @outlet AND last IS NOT NULL ORDER BY number DESC LIMIT 1) FROM message WHERE outlet = @outlet",
                new { outlet });
        }
    }

    public void Dispose() => _connection.Dispose();
}

/// <summary>A message that is due.</summary>
internal sealed record DueMessage(long Number, string Id, string Type, byte[] Body, long Attempts);

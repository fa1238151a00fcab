using System.Data.Common;

namespace Holdfast.Participant;

/// <summary>A database's words for what the barrier needs.</summary>
public enum BarrierDialect
{
    /// <summary>PostgreSQL.</summary>
    Postgres,

    /// <summary>SQLite.</summary>
    Sqlite,

    /// <summary>MySQL and MariaDB (InnoDB).</summary>
    MySql,
}

/// <summary>The statements. Parameters are named with @, which all three providers take.</summary>
internal sealed class BarrierSql
{
    public const string Table = "holdfast_barrier";
    public const string Cleaned = "holdfast_barrier_cleaned";

    private const string Columns = "space, transaction_id, branch, op, origin, begun, created_at";
    private const string Values = "@space, @transaction, @branch, @op, @origin, @begun, @created";
    private const string Branch = "space = @space and transaction_id = @transaction and branch = @branch";
    private const string LockTry = "select 1 from " + Table + " where " + Branch + " and op = 'try'";
    private const string Outdated = "space = @space and begun > 0 and begun < @before and created_at < @before";

    // A message's marker has the negative of its own time for its begin, so that the index finds the old ones; those made by earlier versions have 0.
    private const string OutdatedMessage = "space = @space and branch = '-' and begun <= 0 and begun > 0 - @before and created_at < @before";

    // A mark later than this clock isn't one: some call told a watermark that can't be.
    private const string NotCleaned = "not exists (select 1 from " + Cleaned + " c where c.space = @space and @begun > 0 and c.begun > @begun and c.begun <= @created)";

    public required IReadOnlyList<string> Create { get; init; }

    /// <summary>How many of the things that <see cref="Create"/> makes are there, one by each statement. Needs no right to make them.</summary>
    public required string Count { get; init; }

    /// <summary>Inserts a marker; no row when it is there already, or when the transaction ended so long ago that its markers are cleaned up.</summary>
    public required string Insert { get; init; }

    /// <summary>Deletes a bounded number of markers of branches that nobody needs any more.</summary>
    public required string Clean { get; init; }

    /// <summary>Deletes a bounded number of markers of messages that nobody needs any more.</summary>
    public required string CleanMessages { get; init; }

    /// <summary>Raises the mark up to which markers may be gone; one that is later than now is no mark, and is lowered.</summary>
    public required string Raise { get; init; }

    /// <summary>Locks the try's row against a cancel of the same branch; null: the database has one writer.</summary>
    public string? LockForConfirm { get; private init; }

    /// <summary>Locks the try's row against a confirm of the same branch; null: the insert that found it has done so, or the database has one writer.</summary>
    public string? LockForCancel { get; private init; }

    /// <summary>Whether one connection string may name many databases, as it does for those in memory.</summary>
    public bool SharesNames { get; private init; }

    /// <summary>Whether the provider keeps a prepared statement with its pooled connection, so that preparing again costs nothing.</summary>
    public bool KeepsPrepared { get; private init; }

    public string Select { get; private init; } = "select op, origin from " + Table + " where " + Branch;

    public static BarrierSql Of(BarrierDialect dialect) => dialect switch
    {
        BarrierDialect.Postgres => Postgres,
        BarrierDialect.Sqlite => Sqlite,
        _ => MySql,
    };

    /// <summary>By the provider's type, since the product references no provider.</summary>
    public static BarrierDialect Detect(DbConnection connection) => connection.GetType().Name switch
    {
        "NpgsqlConnection" => BarrierDialect.Postgres,
        "SqliteConnection" or "SQLiteConnection" => BarrierDialect.Sqlite,
        "MySqlConnection" => BarrierDialect.MySql,
        { } other => throw new NotSupportedException($"The barrier doesn't know the database of a {other}. Name it: new BarrierOptions {{ Dialect = ... }}."),
    };

    private static readonly BarrierSql Postgres = new()
    {
        KeepsPrepared = true,
        Create = Tables("varchar", "", " collate \"C\""),
        Count = $"select count(*) from (values (to_regclass('{Table}')), (to_regclass('{Cleaned}')), (to_regclass('{Table}_begun'))) made (name) where name is not null",
        Insert = $"insert into {Table} ({Columns}) select {Values} where {NotCleaned} on conflict do nothing",
        Clean = $"delete from {Table} where ctid in (select ctid from {Table} where {Outdated} limit @limit)",
        CleanMessages = $"delete from {Table} where ctid in (select ctid from {Table} where {OutdatedMessage} limit @limit)",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on conflict (space) do update set begun = case when {Cleaned}.begun > @now then excluded.begun else greatest({Cleaned}.begun, excluded.begun) end",
        LockForConfirm = LockTry + " for update",
        LockForCancel = LockTry + " for share",
    };

    private static readonly BarrierSql Sqlite = new()
    {
        SharesNames = true,
        Create = Tables("text", "", ""),
        Count = $"select count(*) from sqlite_master where name in ('{Table}', '{Cleaned}', '{Table}_begun')",
        Insert = $"insert into {Table} ({Columns}) select {Values} where {NotCleaned} on conflict do nothing",
        Clean = $"delete from {Table} where rowid in (select rowid from {Table} where {Outdated} limit @limit)",
        CleanMessages = $"delete from {Table} where rowid in (select rowid from {Table} where {OutdatedMessage} limit @limit)",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on conflict (space) do update set begun = case when begun > @now then excluded.begun else max(begun, excluded.begun) end",
    };

    private static readonly BarrierSql MySql = new()
    {
        Create = Tables("varchar", " engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin", ""),
        Count = $"select count(*) from information_schema.tables where table_schema = database() and table_name in ('{Table}', '{Cleaned}')",

        // Locking, so that it sees what was committed after the transaction's snapshot (REPEATABLE READ); shared, as the insert that found a row has locked it.
        Select = $"select op, origin from {Table} where {Branch} lock in share mode",
        Insert = $"insert ignore into {Table} ({Columns}) select {Values} from dual where {NotCleaned}",
        Clean = $"delete from {Table} where {Outdated} limit @limit",
        CleanMessages = $"delete from {Table} where {OutdatedMessage} limit @limit",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on duplicate key update begun = if(begun > @now, values(begun), greatest(begun, values(begun)))",
        LockForConfirm = LockTry + " for update",
    };

    private static string[] Tables(string text, string options, string collation)
    {
        string Text(int length) => (text == "text" ? text : $"{text}({length})") + collation + " not null";

        // MySQL's and MariaDB's text takes no notice of blanks at the end; their binary strings do. A character has up to 4 bytes.
        string Id(int length) => options.Length > 0 ? $"varbinary({4 * length}) not null" : Text(length);
        string index = options.Length > 0 ? $", index {Table}_begun (space, begun)" : "";
        string table = $"""
            create table if not exists {Table} (
              space {Id(64)}, transaction_id {Id(128)}, branch {Id(64)}, op {Text(8)}, origin {Text(8)},
              begun bigint not null, created_at bigint not null,
              primary key (space, transaction_id, branch, op){index}){options}
            """;
        string cleaned = $"create table if not exists {Cleaned} (space {Id(64)}, begun bigint not null, primary key (space)){options}";
        return options.Length > 0 ? [table, cleaned] : [table, cleaned, $"create index if not exists {Table}_begun on {Table} (space, begun)"];
    }
}

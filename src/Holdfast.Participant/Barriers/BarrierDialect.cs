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
    private const string NotCleaned = "not exists (select 1 from " + Cleaned + " c where c.space = @space and @begun > 0 and c.begun > @begun)";

    public required IReadOnlyList<string> Create { get; init; }

    /// <summary>Inserts a marker; no row when it is there already, or when the transaction ended so long ago that its markers are cleaned up.</summary>
    public required string Insert { get; init; }

    /// <summary>Deletes a bounded number of markers that nobody needs any more.</summary>
    public required string Clean { get; init; }

    /// <summary>Raises the mark up to which markers may be gone.</summary>
    public required string Raise { get; init; }

    /// <summary>Whether the provider keeps a prepared statement with its pooled connection, so that preparing again costs nothing.</summary>
    public bool KeepsPrepared { get; private init; }

    public string Select { get; } = "select op, origin from " + Table + " where space = @space and transaction_id = @transaction and branch = @branch";

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
        Insert = $"insert into {Table} ({Columns}) select {Values} where {NotCleaned} on conflict do nothing",
        Clean = $"delete from {Table} where ctid in (select ctid from {Table} where space = @space and begun > 0 and begun < @before limit @limit)",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on conflict (space) do update set begun = greatest({Cleaned}.begun, excluded.begun)",
    };

    private static readonly BarrierSql Sqlite = new()
    {
        Create = Tables("text", "", ""),
        Insert = $"insert into {Table} ({Columns}) select {Values} where {NotCleaned} on conflict do nothing",
        Clean = $"delete from {Table} where rowid in (select rowid from {Table} where space = @space and begun > 0 and begun < @before limit @limit)",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on conflict (space) do update set begun = max(begun, excluded.begun)",
    };

    private static readonly BarrierSql MySql = new()
    {
        Create = Tables("varchar", " engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin", ""),
        Insert = $"insert ignore into {Table} ({Columns}) select {Values} from dual where {NotCleaned}",
        Clean = $"delete from {Table} where space = @space and begun > 0 and begun < @before limit @limit",
        Raise = $"insert into {Cleaned} (space, begun) values (@space, @before) on duplicate key update begun = greatest(begun, values(begun))",
    };

    private static string[] Tables(string text, string options, string collation)
    {
        string Text(int length) => (text == "text" ? text : $"{text}({length})") + collation + " not null";
        string index = options.Length > 0 ? $", index {Table}_begun (space, begun)" : "";
        string table = $"""
            create table if not exists {Table} (
              space {Text(64)}, transaction_id {Text(128)}, branch {Text(64)}, op {Text(8)}, origin {Text(8)},
              begun bigint not null, created_at bigint not null,
              primary key (space, transaction_id, branch, op){index}){options}
            """;
        string cleaned = $"create table if not exists {Cleaned} (space {Text(64)}, begun bigint not null, primary key (space)){options}";
        return options.Length > 0 ? [table, cleaned] : [table, cleaned, $"create index if not exists {Table}_begun on {Table} (space, begun)"];
    }
}

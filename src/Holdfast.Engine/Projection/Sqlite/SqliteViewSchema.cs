namespace Holdfast.Engine.Projection.Sqlite;

/// <summary>The tables in SQLite. A change of shape raises the format: views of another format are built anew.</summary>
internal static class SqliteViewSchema
{
    public const long Format = 2;

    public static readonly string[] Tables =
    [
        "holdfast_view_position",
        "holdfast_view_resources",
        "holdfast_view_holds",
        "holdfast_view_lines",
        "holdfast_view_live",
        "holdfast_view_movements",
    ];

    // holds: number is the rowid, so new rows go to the end. lines and movements are their own index (WITHOUT ROWID).
    // live lists what is held now, few among all that ever was; cancelled and expired holds are few enough for an index.
    // Confirmed ones, the many, are found by walking.
    public const string Create = """
        CREATE TABLE IF NOT EXISTS holdfast_view_position(
            one INTEGER PRIMARY KEY CHECK (one = 1),
            format INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            hash BLOB);
        CREATE TABLE IF NOT EXISTS holdfast_view_resources(
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            available INTEGER NOT NULL, held INTEGER NOT NULL, consumed INTEGER NOT NULL, supplied INTEGER NOT NULL,
            version INTEGER NOT NULL,
            limit_per_owner INTEGER, opens_at INTEGER, closes_at INTEGER, owner TEXT,
            overdraft INTEGER NOT NULL, hold_ms INTEGER, disabled INTEGER NOT NULL, safety_stock INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS holdfast_view_holds(
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL, owner TEXT, state INTEGER NOT NULL,
            created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, finished_at INTEGER,
            sequence INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS holdfast_view_holds_id ON holdfast_view_holds(id);
        CREATE INDEX IF NOT EXISTS holdfast_view_holds_owner ON holdfast_view_holds(owner) WHERE owner IS NOT NULL;
        CREATE INDEX IF NOT EXISTS holdfast_view_holds_state ON holdfast_view_holds(state) WHERE state > 2;
        CREATE TABLE IF NOT EXISTS holdfast_view_lines(
            hold INTEGER NOT NULL, line INTEGER NOT NULL, resource INTEGER NOT NULL,
            quantity INTEGER NOT NULL, held INTEGER NOT NULL, consumed INTEGER NOT NULL, returned INTEGER NOT NULL,
            PRIMARY KEY(hold, line)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS holdfast_view_lines_resource ON holdfast_view_lines(resource, hold);
        CREATE TABLE IF NOT EXISTS holdfast_view_live(
            hold INTEGER NOT NULL, resource INTEGER NOT NULL,
            PRIMARY KEY(hold, resource)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS holdfast_view_live_resource ON holdfast_view_live(resource, hold);
        CREATE TABLE IF NOT EXISTS holdfast_view_movements(
            resource INTEGER NOT NULL, sequence INTEGER NOT NULL, ordinal INTEGER NOT NULL,
            time INTEGER NOT NULL, kind INTEGER NOT NULL, hold INTEGER,
            available INTEGER NOT NULL, held INTEGER NOT NULL, consumed INTEGER NOT NULL,
            reason TEXT, reference TEXT,
            PRIMARY KEY(resource, sequence, ordinal)) WITHOUT ROWID;
        """;

    public static string Drop => string.Concat(Tables.Select(t => $"DROP TABLE IF EXISTS {t};"));
}

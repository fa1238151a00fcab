namespace Holdfast.Engine.Projection.Postgres;

/// <summary>The tables in PostgreSQL, shared by all spaces of a database. A change of shape raises the format: views of another format are built anew.</summary>
internal static class PostgresViewSchema
{
    public const int Format = 2;

    // Any number will do as long as all of ours use it: CREATE … IF NOT EXISTS alone fails when two sessions create at once.
    private const long CreationLock = 0x486F6C6456696577;

    /// <summary>Rows of a space, in the order in which they may be deleted.</summary>
    public static readonly string[] RowTables =
        ["holdfast_view_movements", "holdfast_view_live", "holdfast_view_lines", "holdfast_view_holds", "holdfast_view_resources"];

    // COLLATE "C": ids are ordered by their bytes, as in SQLite and in the kernel.
    // No index of holds or lines names a column that changes, and pages keep room: so the second version of a row, written
    // when the hold ends, stays on its page and no index is touched (HOT). What is held now is listed apart, in live.
    public static readonly string Create = $"""
        SELECT pg_advisory_xact_lock({CreationLock});
        DO $$ BEGIN
            IF to_regclass('holdfast_view_position') IS NOT NULL THEN
                IF EXISTS (SELECT 1 FROM holdfast_view_position WHERE format <> {Format}) THEN
                    DROP TABLE IF EXISTS {string.Join(", ", RowTables)}, holdfast_view_position;
                END IF;
            END IF;
        END $$;
        CREATE TABLE IF NOT EXISTS holdfast_view_position(
            space text PRIMARY KEY, format int NOT NULL, sequence bigint NOT NULL, hash bytea);
        CREATE TABLE IF NOT EXISTS holdfast_view_resources(
            space text NOT NULL, number bigint NOT NULL, id text COLLATE "C" NOT NULL,
            available bigint NOT NULL, held bigint NOT NULL, consumed bigint NOT NULL, supplied bigint NOT NULL,
            version bigint NOT NULL,
            limit_per_owner bigint, opens_at bigint, closes_at bigint, owner text COLLATE "C",
            overdraft bigint NOT NULL, hold_ms bigint, disabled bigint NOT NULL, safety_stock bigint NOT NULL,
            PRIMARY KEY(space, number));
        CREATE UNIQUE INDEX IF NOT EXISTS holdfast_view_resources_id ON holdfast_view_resources(space, id);
        CREATE TABLE IF NOT EXISTS holdfast_view_holds(
            space text NOT NULL, number bigint NOT NULL, id text COLLATE "C" NOT NULL, owner text COLLATE "C", state smallint NOT NULL,
            created_at bigint NOT NULL, expires_at bigint NOT NULL, finished_at bigint, sequence bigint NOT NULL,
            PRIMARY KEY(space, number)) WITH (fillfactor = 50);
        CREATE INDEX IF NOT EXISTS holdfast_view_holds_id ON holdfast_view_holds(space, id);
        CREATE INDEX IF NOT EXISTS holdfast_view_holds_owner ON holdfast_view_holds(space, owner, number) WHERE owner IS NOT NULL;
        CREATE TABLE IF NOT EXISTS holdfast_view_lines(
            space text NOT NULL, hold bigint NOT NULL, line smallint NOT NULL, resource bigint NOT NULL,
            quantity bigint NOT NULL, held bigint NOT NULL, consumed bigint NOT NULL, returned bigint NOT NULL,
            PRIMARY KEY(space, hold, line)) WITH (fillfactor = 50);
        CREATE INDEX IF NOT EXISTS holdfast_view_lines_resource ON holdfast_view_lines(space, resource, hold);
        CREATE TABLE IF NOT EXISTS holdfast_view_live(
            space text NOT NULL, hold bigint NOT NULL, resource bigint NOT NULL,
            PRIMARY KEY(space, hold, resource));
        CREATE INDEX IF NOT EXISTS holdfast_view_live_resource ON holdfast_view_live(space, resource, hold);
        CREATE TABLE IF NOT EXISTS holdfast_view_movements(
            space text NOT NULL, resource bigint NOT NULL, sequence bigint NOT NULL, ordinal int NOT NULL,
            time bigint NOT NULL, kind smallint NOT NULL, hold bigint,
            available bigint NOT NULL, held bigint NOT NULL, consumed bigint NOT NULL, reason text, reference text,
            PRIMARY KEY(space, resource, sequence, ordinal));
        """;
}

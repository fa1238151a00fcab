using System.Data.Common;
using System.Globalization;
using Dapper;
using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>The list queries, in SQL that SQLite and PostgreSQL both take. Every order is a key's order, every walk an index's.</summary>
internal sealed class ViewQueries(string space, bool hasSpaceColumn)
{
    private const string HoldColumns =
        "h.number AS Number, h.id AS Id, h.owner AS Owner, h.state AS State, h.created_at AS CreatedAt, " +
        "h.expires_at AS ExpiresAt, h.finished_at AS FinishedAt, h.sequence AS Sequence";

    public ViewPage<ListedHold> Holds(DbConnection connection, DbTransaction transaction, HoldQuery query, long? after, int limit)
    {
        long? resource = null;
        if (query.Resource is not null)
        {
            resource = ResourceNumber(connection, transaction, query.Resource);
            if (resource is null)
            {
                return new ViewPage<ListedHold>([], null);
            }
        }

        (string from, string key) = Walk(query, resource is not null);
        string sql =
            $"SELECT {HoldColumns} FROM {from} AND {key} {Comparison(query)} @after" +
            (query.Owner is null ? "" : " AND h.owner = @owner") +
            (query.State is null ? "" : " AND h.state = @state") +
            (query.State is HoldState.Cancelled or HoldState.Expired ? " AND h.state > 2" : "") +
            $" ORDER BY {key} {Direction(query)} LIMIT @most";
        var parameters = new
        {
            space,
            after = after ?? (query.NewestFirst ? long.MaxValue : 0),
            resource = resource ?? 0,
            owner = query.Owner,
            state = (int)(query.State ?? HoldState.None),
            most = limit + 1,
        };
        List<HoldRow> rows = connection.Query<HoldRow>(sql, parameters, transaction).AsList();
        string? next = Cut(rows, limit) ? Text(rows[^1].Number) : null;
        return new ViewPage<ListedHold>(WithLines(connection, transaction, rows), next);
    }

    public ViewPage<Movement> Movements(DbConnection connection, DbTransaction transaction, string resource, long sequence, long ordinal, int limit)
    {
        if (ResourceNumber(connection, transaction, resource) is not { } number)
        {
            return new ViewPage<Movement>([], null);
        }

        string sql =
            "SELECT m.sequence AS Sequence, m.ordinal AS Ordinal, m.time AS Time, m.kind AS Kind, h.id AS Hold, m.available AS Available, " +
            "m.held AS Held, m.consumed AS Consumed, m.reason AS Reason, m.reference AS Reference " +
            $"FROM holdfast_view_movements m LEFT JOIN holdfast_view_holds h ON {SameSpace("h", "m")} h.number = m.hold " +
            $"WHERE {Scope("m")} m.resource = @number AND (m.sequence, m.ordinal) > (@sequence, @ordinal) " +
            "ORDER BY m.sequence, m.ordinal LIMIT @most";
        List<MovementRow> rows = connection.Query<MovementRow>(sql, new { space, number, sequence, ordinal, most = limit + 1 }, transaction).AsList();
        string? next = Cut(rows, limit) ? Text(rows[^1].Sequence) + "-" + Text(rows[^1].Ordinal) : null;
        return new ViewPage<Movement>([.. rows.Select(r => r.ToMovement(resource))], next);
    }

    public ViewPage<ResourceView> Resources(DbConnection connection, DbTransaction transaction, string? prefix, string? after, int limit)
    {
        // The end of a prefix: nothing that begins with it sorts behind its last character's successor.
        string? end = string.IsNullOrEmpty(prefix) ? null : prefix + "\U0010FFFF";
        string sql =
            "SELECT r.id AS Id, r.available AS Available, r.held AS Held, r.consumed AS Consumed, r.supplied AS Supplied, r.version AS Version, " +
            "r.limit_per_owner AS LimitPerOwner, r.opens_at AS OpensAt, r.closes_at AS ClosesAt, r.owner AS Owner, r.overdraft AS Overdraft, " +
            "r.hold_ms AS HoldMs, r.disabled AS Disabled, r.safety_stock AS SafetyStock " +
            $"FROM holdfast_view_resources r WHERE {Scope("r")} r.id >= @from" +
            (end is null ? "" : " AND r.id < @end") +
            (after is null ? "" : " AND r.id > @after") +
            " ORDER BY r.id LIMIT @most";
        List<ResourceRow> rows = connection.Query<ResourceRow>(sql, new { space, from = prefix ?? "", end, after, most = limit + 1 }, transaction).AsList();
        string? next = Cut(rows, limit) ? rows[^1].Id : null;
        return new ViewPage<ResourceView>([.. rows.Select(r => r.ToView())], next);
    }

    public HoldsAtRisk AtRisk(DbConnection connection, DbTransaction transaction, string resource, long deficit)
    {
        if (deficit <= 0 || ResourceNumber(connection, transaction, resource) is not { } number)
        {
            return new HoldsAtRisk([], 0, Complete: true);
        }

        // Walked newest first and left as soon as the deficit is covered: the reader is not asked for more.
        string sql =
            $"SELECT {HoldColumns}, l.held AS LineHeld FROM holdfast_view_live v CROSS JOIN holdfast_view_lines l CROSS JOIN holdfast_view_holds h " +
            $"WHERE {Scope("v")} {Scope("l")} {Scope("h")} v.resource = @number AND l.hold = v.hold AND l.resource = v.resource AND h.number = v.hold " +
            "ORDER BY v.hold DESC LIMIT @most";
        var rows = new List<HoldRow>();
        long covered = 0;
        bool more = false;
        foreach (HoldRow row in connection.Query<HoldRow>(sql, new { space, number, most = SpaceViews.MaxLimit + 1 }, transaction, buffered: false))
        {
            more = covered < deficit;
            if (!more || rows.Count == SpaceViews.MaxLimit)
            {
                break;
            }

            more = false;
            rows.Add(row);
            covered += row.LineHeld;
        }

        return new HoldsAtRisk(WithLines(connection, transaction, rows), covered, Complete: !more);
    }

    /// <summary>What to walk, in the order of its key: the smallest thing that has all that is asked for.</summary>
    private (string From, string Key) Walk(HoldQuery query, bool onResource)
    {
        bool live = query.State == HoldState.Held;
        if (query.Owner is not null)
        {
            // An owner has few holds.
            string touching = onResource
                ? $" AND EXISTS (SELECT 1 FROM holdfast_view_lines l WHERE {Scope("l")} l.hold = h.number AND l.resource = @resource)"
                : "";
            return ($"holdfast_view_holds h WHERE {Scope("h")} 1 = 1{touching}", "h.number");
        }

        if (onResource)
        {
            // CROSS JOIN: SQLite takes the tables in the order written, so the lines lead.
            string table = live ? "holdfast_view_live" : "holdfast_view_lines";
            return ($"{table} l CROSS JOIN holdfast_view_holds h WHERE {Scope("l")} {Scope("h")} h.number = l.hold AND l.resource = @resource", "l.hold");
        }

        if (live)
        {
            string held = $"SELECT DISTINCT v.hold FROM holdfast_view_live v WHERE {Scope("v")} v.hold {Comparison(query)} @after ORDER BY v.hold {Direction(query)} LIMIT @most";
            return ($"({held}) l CROSS JOIN holdfast_view_holds h WHERE {Scope("h")} h.number = l.hold", "l.hold");
        }

        return ($"holdfast_view_holds h WHERE {Scope("h")} 1 = 1", "h.number");
    }

    private static string Comparison(HoldQuery query) => query.NewestFirst ? "<" : ">";

    private static string Direction(HoldQuery query) => query.NewestFirst ? "DESC" : "ASC";

    private static bool Cut<T>(List<T> rows, int limit)
    {
        if (rows.Count <= limit)
        {
            return false;
        }

        rows.RemoveRange(limit, rows.Count - limit);
        return true;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private List<ListedHold> WithLines(DbConnection connection, DbTransaction transaction, List<HoldRow> holds)
    {
        if (holds.Count == 0)
        {
            return [];
        }

        // Numbers of our own making, so they may stand in the text; as parameters they would be too many for one statement.
        string sql =
            "SELECT l.hold AS Hold, r.id AS Resource, l.quantity AS Quantity, l.held AS Held, l.consumed AS Consumed, l.returned AS Returned " +
            $"FROM holdfast_view_lines l JOIN holdfast_view_resources r ON {SameSpace("r", "l")} r.number = l.resource " +
            $"WHERE {Scope("l")} l.hold IN ({string.Join(',', holds.Select(h => Text(h.Number)))}) ORDER BY l.hold, l.line";
        ILookup<long, LineRow> lines = connection.Query<LineRow>(sql, new { space }, transaction).ToLookup(l => l.Hold);
        return [.. holds.Select(h => h.ToListed([.. lines[h.Number].Select(l => l.ToView())]))];
    }

    private long? ResourceNumber(DbConnection connection, DbTransaction transaction, string id) =>
        connection.QuerySingleOrDefault<long?>($"SELECT r.number FROM holdfast_view_resources r WHERE {Scope("r")} r.id = @id", new { space, id }, transaction);

    private string Scope(string alias) => hasSpaceColumn ? alias + ".space = @space AND" : "";

    private string SameSpace(string one, string other) => hasSpaceColumn ? $"{one}.space = {other}.space AND" : "";

    // Dapper fills these by name; both databases' integers become long.
    private sealed class HoldRow
    {
        public long Number { get; set; }

        public string Id { get; set; } = "";

        public string? Owner { get; set; }

        public long State { get; set; }

        public long CreatedAt { get; set; }

        public long ExpiresAt { get; set; }

        public long? FinishedAt { get; set; }

        public long Sequence { get; set; }

        public long LineHeld { get; set; }

        public ListedHold ToListed(IReadOnlyList<HoldLineView> lines) =>
            new(new HoldView(Id, Owner, (HoldState)State, CreatedAt, ExpiresAt, lines), FinishedAt, Sequence);
    }

    private sealed class LineRow
    {
        public long Hold { get; set; }

        public string Resource { get; set; } = "";

        public long Quantity { get; set; }

        public long Held { get; set; }

        public long Consumed { get; set; }

        public long Returned { get; set; }

        public HoldLineView ToView() => new(Resource, Quantity, Held, Consumed, Returned);
    }

    private sealed class MovementRow
    {
        public long Sequence { get; set; }

        public long Ordinal { get; set; }

        public long Time { get; set; }

        public long Kind { get; set; }

        public string? Hold { get; set; }

        public long Available { get; set; }

        public long Held { get; set; }

        public long Consumed { get; set; }

        public string? Reason { get; set; }

        public string? Reference { get; set; }

        public Movement ToMovement(string resource) =>
            new(resource, Sequence, (int)Ordinal, Time, (EventType)Kind, Hold, Available, Held, Consumed, Reason, Reference);
    }

    private sealed class ResourceRow
    {
        public string Id { get; set; } = "";

        public long Available { get; set; }

        public long Held { get; set; }

        public long Consumed { get; set; }

        public long Supplied { get; set; }

        public long Version { get; set; }

        public long? LimitPerOwner { get; set; }

        public long? OpensAt { get; set; }

        public long? ClosesAt { get; set; }

        public string? Owner { get; set; }

        public long Overdraft { get; set; }

        public long? HoldMs { get; set; }

        public long Disabled { get; set; }

        public long SafetyStock { get; set; }

        public ResourceView ToView() => new(Id, Available, Held, Consumed, Supplied, Version, new ResourcePolicy
        {
            LimitPerOwner = LimitPerOwner,
            OpensAtMs = OpensAt,
            ClosesAtMs = ClosesAt,
            Owner = Owner,
            Overdraft = Overdraft,
            HoldMs = HoldMs,
            Disabled = Disabled != 0,
            SafetyStock = SafetyStock,
        });
    }
}

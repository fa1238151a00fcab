using Holdfast.Kernel;
using Microsoft.Data.Sqlite;

namespace Holdfast.Engine.Projection.Sqlite;

/// <summary>The writing connection and its statements. One thread at a time.</summary>
internal sealed class SqliteViewWriter : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly List<SqliteStatement> _all = [];
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _rollback;
    private readonly SqliteStatement _position;
    private readonly SqliteStatement _movePosition;
    private readonly SqliteStatement _findHold;
    private readonly SqliteStatement _findLines;
    private readonly SqliteStatement _findResource;
    private readonly SqliteStatement _findResourceById;
    private readonly SqliteStatement _nextResource;
    private readonly SqliteStatement _insertHold;
    private readonly SqliteStatement _insertLine;
    private readonly SqliteStatement _updateHold;
    private readonly SqliteStatement _updateLine;
    private readonly SqliteStatement _insertLive;
    private readonly SqliteStatement _deleteLive;
    private readonly SqliteStatement _insertMovement;
    private readonly SqliteStatement _putResource;

    public SqliteViewWriter(SqliteConnection connection)
    {
        const string resourceColumns =
            "number, id, available, held, consumed, supplied, version, limit_per_owner, opens_at, closes_at, owner, overdraft, hold_ms, disabled, safety_stock";
        _connection = connection;
        _begin = Prepare("BEGIN IMMEDIATE");
        _commit = Prepare("COMMIT");
        _rollback = Prepare("ROLLBACK");
        _position = Prepare("SELECT sequence, hash FROM holdfast_view_position");
        _movePosition = Prepare($"INSERT OR REPLACE INTO holdfast_view_position(one, format, sequence, hash) VALUES (1, {SqliteViewSchema.Format}, ?, ?)");
        _findHold = Prepare("SELECT number, owner, state, created_at, expires_at, finished_at, sequence FROM holdfast_view_holds WHERE id = ? ORDER BY number DESC LIMIT 1");
        _findLines = Prepare("SELECT resource, quantity, held, consumed, returned FROM holdfast_view_lines WHERE hold = ? ORDER BY line");
        _findResource = Prepare($"SELECT {resourceColumns} FROM holdfast_view_resources WHERE number = ?");
        _findResourceById = Prepare($"SELECT {resourceColumns} FROM holdfast_view_resources WHERE id = ?");
        _nextResource = Prepare("SELECT coalesce(max(number) + 1, 0) FROM holdfast_view_resources");
        _insertHold = Prepare("INSERT INTO holdfast_view_holds(number, id, owner, state, created_at, expires_at, finished_at, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        _insertLine = Prepare("INSERT INTO holdfast_view_lines(hold, line, resource, quantity, held, consumed, returned) VALUES (?, ?, ?, ?, ?, ?, ?)");
        _updateHold = Prepare("UPDATE holdfast_view_holds SET state = ?, expires_at = ?, finished_at = ?, sequence = ? WHERE number = ?");
        _updateLine = Prepare("UPDATE holdfast_view_lines SET held = ?, consumed = ?, returned = ? WHERE hold = ? AND line = ?");
        _insertLive = Prepare("INSERT INTO holdfast_view_live(hold, resource) VALUES (?, ?)");
        _deleteLive = Prepare("DELETE FROM holdfast_view_live WHERE hold = ? AND resource = ?");
        _insertMovement = Prepare("INSERT INTO holdfast_view_movements(resource, sequence, ordinal, time, kind, hold, available, held, consumed, reason, reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        _putResource = Prepare($"INSERT OR REPLACE INTO holdfast_view_resources({resourceColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    }

    public SQLitePCL.sqlite3 Handle => _connection.Handle!;

    public void Begin() => _begin.Begin().Execute();

    public void Commit() => _commit.Begin().Execute();

    public void Rollback() => _rollback.Begin().Execute();

    public ViewPosition? Position()
    {
        ViewPosition? position = _position.Begin().Read() ? new ViewPosition(_position.Long(0), _position.Blob(1)) : null;
        _position.Reset();
        return position;
    }

    public void MovePosition(ViewPosition position) => _movePosition.Begin().Bind(position.Sequence).Bind(position.Hash.Span).Execute();

    /// <summary>The newest hold with an id, with its lines.</summary>
    public ViewHold? FindHold(string id)
    {
        SqliteStatement find = _findHold.Begin().Bind(id);
        if (!find.Read())
        {
            return null;
        }

        long number = find.Long(0);
        var hold = new ViewHold(number, id, find.TextOrNull(1), find.Long(3), ReadLines(number))
        {
            State = (HoldState)find.Long(2),
            ListedLive = (HoldState)find.Long(2) == HoldState.Held,
            ExpiresAtMs = find.Long(4),
            FinishedAtMs = find.LongOrNull(5),
            Sequence = find.Long(6),
        };
        find.Reset();
        return hold;
    }

    public ViewResource? FindResource(int number) => ReadResource(_findResource.Begin().Bind(number));

    public ViewResource? FindResource(string id) => ReadResource(_findResourceById.Begin().Bind(id));

    public int NextResource()
    {
        _nextResource.Begin().Read();
        int next = (int)_nextResource.Long(0);
        _nextResource.Reset();
        return next;
    }

    public void Insert(ViewHold hold)
    {
        _insertHold.Begin().Bind(hold.Number).Bind(hold.Id).Bind(hold.Owner).Bind((long)hold.State)
            .Bind(hold.CreatedAtMs).Bind(hold.ExpiresAtMs).Bind(hold.FinishedAtMs).Bind(hold.Sequence).Execute();
        for (int i = 0; i < hold.Lines.Length; i++)
        {
            ref readonly ViewLine line = ref hold.Lines[i];
            _insertLine.Begin().Bind(hold.Number).Bind(i).Bind(line.Resource)
                .Bind(line.Quantity).Bind(line.Held).Bind(line.Consumed).Bind(line.Returned).Execute();
            if (hold.State == HoldState.Held)
            {
                _insertLive.Begin().Bind(hold.Number).Bind(line.Resource).Execute();
            }
        }
    }

    public void Update(ViewHold hold)
    {
        _updateHold.Begin().Bind((long)hold.State).Bind(hold.ExpiresAtMs).Bind(hold.FinishedAtMs).Bind(hold.Sequence).Bind(hold.Number).Execute();
        for (int i = 0; i < hold.Lines.Length && hold.LinesChanged; i++)
        {
            ref readonly ViewLine line = ref hold.Lines[i];
            _updateLine.Begin().Bind(line.Held).Bind(line.Consumed).Bind(line.Returned).Bind(hold.Number).Bind(i).Execute();
            if (hold.LeavesLive)
            {
                _deleteLive.Begin().Bind(hold.Number).Bind(line.Resource).Execute();
            }
        }
    }

    public void Insert(in ViewMovement m) =>
        _insertMovement.Begin().Bind(m.Resource).Bind(m.Sequence).Bind(m.Ordinal).Bind(m.TimeMs).Bind((long)m.Kind)
            .Bind(m.Hold == 0 ? (long?)null : m.Hold).Bind(m.Available).Bind(m.Held).Bind(m.Consumed).Bind(m.Reason).Bind(m.Reference).Execute();

    public void Put(ViewResource r)
    {
        ResourcePolicy p = r.Policy;
        _putResource.Begin().Bind(r.Number).Bind(r.Id).Bind(r.Available).Bind(r.Held).Bind(r.Consumed).Bind(r.Supplied).Bind(r.Version)
            .Bind(p.LimitPerOwner).Bind(p.OpensAtMs).Bind(p.ClosesAtMs).Bind(p.Owner).Bind(p.Overdraft).Bind(p.HoldMs)
            .Bind(p.Disabled ? 1L : 0L).Bind(p.SafetyStock).Execute();
    }

    public void Dispose()
    {
        foreach (SqliteStatement statement in _all)
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    private ViewLine[] ReadLines(long hold)
    {
        var lines = new ViewLine[1];
        int count = 0;
        SqliteStatement find = _findLines.Begin().Bind(hold);
        while (find.Read())
        {
            if (count == lines.Length)
            {
                Array.Resize(ref lines, count * 2);
            }

            lines[count++] = new ViewLine
            {
                Resource = (int)find.Long(0),
                Quantity = find.Long(1),
                Held = find.Long(2),
                Consumed = find.Long(3),
                Returned = find.Long(4),
            };
        }

        Array.Resize(ref lines, count);
        return lines;
    }

    private static ViewResource? ReadResource(SqliteStatement find)
    {
        if (!find.Read())
        {
            return null;
        }

        var resource = new ViewResource((int)find.Long(0), find.Text(1))
        {
            Available = find.Long(2),
            Held = find.Long(3),
            Consumed = find.Long(4),
            Supplied = find.Long(5),
            Version = find.Long(6),
            Policy = new ResourcePolicy
            {
                LimitPerOwner = find.LongOrNull(7),
                OpensAtMs = find.LongOrNull(8),
                ClosesAtMs = find.LongOrNull(9),
                Owner = find.TextOrNull(10),
                Overdraft = find.Long(11),
                HoldMs = find.LongOrNull(12),
                Disabled = find.Long(13) != 0,
                SafetyStock = find.Long(14),
            },
        };
        find.Reset();
        return resource;
    }

    private SqliteStatement Prepare(string sql)
    {
        var statement = new SqliteStatement(_connection.Handle!, sql);
        _all.Add(statement);
        return statement;
    }
}

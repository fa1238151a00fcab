using Holdfast.Kernel;
using Npgsql;
using NpgsqlTypes;

namespace Holdfast.Engine.Projection.Postgres;

/// <summary>One transaction's statements: reads and changes by arrays, new rows by COPY, so that a chunk costs a few round trips.</summary>
internal sealed class PostgresViewWriter(NpgsqlConnection connection, NpgsqlTransaction transaction, string space, CancellationToken cancellationToken)
{
    private const string ResourceColumns =
        "number, id, available, held, consumed, supplied, version, limit_per_owner, opens_at, closes_at, owner, overdraft, hold_ms, disabled, safety_stock";

    public async Task ClearAsync()
    {
        foreach (string table in PostgresViewSchema.RowTables)
        {
            await using NpgsqlCommand delete = Command($"DELETE FROM {table} WHERE space = $1");
            delete.CommandTimeout = 0;
            await delete.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    public async Task<long?> LockPositionAsync()
    {
        await using NpgsqlCommand command = Command("SELECT sequence FROM holdfast_view_position WHERE space = $1 FOR UPDATE");
        return (long?)await command.ExecuteScalarAsync(cancellationToken);
    }

    public async Task MovePositionAsync(ViewPosition position)
    {
        await using NpgsqlCommand command = Command(
            $"INSERT INTO holdfast_view_position(space, format, sequence, hash) VALUES ($1, {PostgresViewSchema.Format}, $2, $3) " +
            "ON CONFLICT (space) DO UPDATE SET format = excluded.format, sequence = excluded.sequence, hash = excluded.hash");
        Add(command, position.Sequence);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Bytea, Value = position.Hash.IsEmpty ? DBNull.Value : position.Hash.ToArray() });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task LoadAsync(ViewChunk chunk)
    {
        if (chunk.NeededHolds.Count > 0)
        {
            await LoadHoldsAsync(chunk);
        }

        await using NpgsqlCommand command = Command($"SELECT {ResourceColumns} FROM holdfast_view_resources WHERE space = $1 AND (number = ANY($2) OR id = ANY($3))");
        Add(command, chunk.NeededResources.Select(n => (long)n).ToArray());
        Add(command, chunk.NeededResourceIds.ToArray());
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                chunk.Put(ReadResource(reader));
            }
        }

        if (chunk.NeededResourceIds.Count > 0)
        {
            await using NpgsqlCommand next = Command("SELECT coalesce(max(number) + 1, 0) FROM holdfast_view_resources WHERE space = $1");
            chunk.NextResource = (int)(long)(await next.ExecuteScalarAsync(cancellationToken))!;
        }
    }

    public async Task InsertHoldsAsync(IReadOnlyCollection<ViewHold> holds)
    {
        if (holds.Count == 0)
        {
            return;
        }

        await using (NpgsqlBinaryImporter copy = await connection.BeginBinaryImportAsync(
            "COPY holdfast_view_holds(space, number, id, owner, state, created_at, expires_at, finished_at, sequence) FROM STDIN BINARY", cancellationToken))
        {
            foreach (ViewHold hold in holds)
            {
                await copy.StartRowAsync(cancellationToken);
                await copy.WriteAsync(space, cancellationToken);
                await copy.WriteAsync(hold.Number, cancellationToken);
                await copy.WriteAsync(hold.Id, cancellationToken);
                await WriteAsync(copy, hold.Owner);
                await copy.WriteAsync((short)hold.State, cancellationToken);
                await copy.WriteAsync(hold.CreatedAtMs, cancellationToken);
                await copy.WriteAsync(hold.ExpiresAtMs, cancellationToken);
                await WriteAsync(copy, hold.FinishedAtMs);
                await copy.WriteAsync(hold.Sequence, cancellationToken);
            }

            await copy.CompleteAsync(cancellationToken);
        }

        await InsertLinesAsync(holds);
        await InsertLiveAsync(holds);
    }

    public async Task UpdateHoldsAsync(IReadOnlyCollection<ViewHold> holds)
    {
        if (holds.Count == 0)
        {
            return;
        }

        await using (NpgsqlCommand update = Command(
            "UPDATE holdfast_view_holds h SET state = u.state, expires_at = u.expires_at, finished_at = u.finished_at, sequence = u.sequence " +
            "FROM unnest($2, $3, $4, $5, $6) AS u(number, state, expires_at, finished_at, sequence) WHERE h.space = $1 AND h.number = u.number"))
        {
            Add(update, holds.Select(h => h.Number).ToArray());
            Add(update, holds.Select(h => (short)h.State).ToArray());
            Add(update, holds.Select(h => h.ExpiresAtMs).ToArray());
            Add(update, holds.Select(h => h.FinishedAtMs).ToArray());
            Add(update, holds.Select(h => h.Sequence).ToArray());
            await update.ExecuteNonQueryAsync(cancellationToken);
        }

        (long Hold, short Line, ViewLine Values)[] lines =
            [.. holds.Where(h => h.LinesChanged).SelectMany(h => h.Lines.Select((line, i) => (h.Number, (short)i, line)))];
        if (lines.Length > 0)
        {
            await using NpgsqlCommand update = Command(
                "UPDATE holdfast_view_lines l SET held = u.held, consumed = u.consumed, returned = u.returned " +
                "FROM unnest($2, $3, $4, $5, $6) AS u(hold, line, held, consumed, returned) WHERE l.space = $1 AND l.hold = u.hold AND l.line = u.line");
            Add(update, lines.Select(l => l.Hold).ToArray());
            Add(update, lines.Select(l => l.Line).ToArray());
            Add(update, lines.Select(l => l.Values.Held).ToArray());
            Add(update, lines.Select(l => l.Values.Consumed).ToArray());
            Add(update, lines.Select(l => l.Values.Returned).ToArray());
            await update.ExecuteNonQueryAsync(cancellationToken);
        }

        (long Hold, long Resource)[] ended = [.. holds.Where(h => h.LeavesLive).SelectMany(h => h.Lines.Select(line => (h.Number, (long)line.Resource)))];
        if (ended.Length > 0)
        {
            await using NpgsqlCommand delete = Command(
                "DELETE FROM holdfast_view_live v USING unnest($2, $3) AS u(hold, resource) WHERE v.space = $1 AND v.hold = u.hold AND v.resource = u.resource");
            Add(delete, ended.Select(l => l.Hold).ToArray());
            Add(delete, ended.Select(l => l.Resource).ToArray());
            await delete.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    public async Task InsertMovementsAsync(IReadOnlyCollection<ViewMovement> movements)
    {
        if (movements.Count == 0)
        {
            return;
        }

        await using NpgsqlBinaryImporter copy = await connection.BeginBinaryImportAsync(
            "COPY holdfast_view_movements(space, resource, sequence, ordinal, time, kind, hold, available, held, consumed, reason, reference) FROM STDIN BINARY", cancellationToken);
        foreach (ViewMovement m in movements)
        {
            await copy.StartRowAsync(cancellationToken);
            await copy.WriteAsync(space, cancellationToken);
            await copy.WriteAsync((long)m.Resource, cancellationToken);
            await copy.WriteAsync(m.Sequence, cancellationToken);
            await copy.WriteAsync(m.Ordinal, cancellationToken);
            await copy.WriteAsync(m.TimeMs, cancellationToken);
            await copy.WriteAsync((short)m.Kind, cancellationToken);
            await WriteAsync(copy, m.Hold == 0 ? null : m.Hold);
            await copy.WriteAsync(m.Available, cancellationToken);
            await copy.WriteAsync(m.Held, cancellationToken);
            await copy.WriteAsync(m.Consumed, cancellationToken);
            await WriteAsync(copy, m.Reason);
            await WriteAsync(copy, m.Reference);
        }

        await copy.CompleteAsync(cancellationToken);
    }

    public async Task PutResourcesAsync(IReadOnlyList<ViewResource> resources)
    {
        if (resources.Count == 0)
        {
            return;
        }

        const string update =
            "available = excluded.available, held = excluded.held, consumed = excluded.consumed, supplied = excluded.supplied, version = excluded.version, " +
            "limit_per_owner = excluded.limit_per_owner, opens_at = excluded.opens_at, closes_at = excluded.closes_at, owner = excluded.owner, " +
            "overdraft = excluded.overdraft, hold_ms = excluded.hold_ms, disabled = excluded.disabled, safety_stock = excluded.safety_stock";
        await using NpgsqlCommand command = Command(
            $"INSERT INTO holdfast_view_resources(space, {ResourceColumns}) " +
            "SELECT $1, u.* FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS u " +
            $"ON CONFLICT (space, number) DO UPDATE SET {update}");
        Add(command, resources.Select(r => (long)r.Number).ToArray());
        Add(command, resources.Select(r => r.Id).ToArray());
        Add(command, resources.Select(r => r.Available).ToArray());
        Add(command, resources.Select(r => r.Held).ToArray());
        Add(command, resources.Select(r => r.Consumed).ToArray());
        Add(command, resources.Select(r => r.Supplied).ToArray());
        Add(command, resources.Select(r => r.Version).ToArray());
        Add(command, resources.Select(r => r.Policy.LimitPerOwner).ToArray());
        Add(command, resources.Select(r => r.Policy.OpensAtMs).ToArray());
        Add(command, resources.Select(r => r.Policy.ClosesAtMs).ToArray());
        Add(command, resources.Select(r => r.Policy.Owner).ToArray());
        Add(command, resources.Select(r => r.Policy.Overdraft).ToArray());
        Add(command, resources.Select(r => r.Policy.HoldMs).ToArray());
        Add(command, resources.Select(r => r.Policy.Disabled ? 1L : 0L).ToArray());
        Add(command, resources.Select(r => r.Policy.SafetyStock).ToArray());
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task InsertLinesAsync(IReadOnlyCollection<ViewHold> holds)
    {
        await using NpgsqlBinaryImporter copy = await connection.BeginBinaryImportAsync(
            "COPY holdfast_view_lines(space, hold, line, resource, quantity, held, consumed, returned) FROM STDIN BINARY", cancellationToken);
        foreach (ViewHold hold in holds)
        {
            for (int i = 0; i < hold.Lines.Length; i++)
            {
                ViewLine line = hold.Lines[i];
                await copy.StartRowAsync(cancellationToken);
                await copy.WriteAsync(space, cancellationToken);
                await copy.WriteAsync(hold.Number, cancellationToken);
                await copy.WriteAsync((short)i, cancellationToken);
                await copy.WriteAsync((long)line.Resource, cancellationToken);
                await copy.WriteAsync(line.Quantity, cancellationToken);
                await copy.WriteAsync(line.Held, cancellationToken);
                await copy.WriteAsync(line.Consumed, cancellationToken);
                await copy.WriteAsync(line.Returned, cancellationToken);
            }
        }

        await copy.CompleteAsync(cancellationToken);
    }

    private async Task InsertLiveAsync(IReadOnlyCollection<ViewHold> holds)
    {
        await using NpgsqlBinaryImporter copy = await connection.BeginBinaryImportAsync(
            "COPY holdfast_view_live(space, hold, resource) FROM STDIN BINARY", cancellationToken);
        foreach (ViewHold hold in holds.Where(h => h.State == HoldState.Held))
        {
            foreach (ViewLine line in hold.Lines)
            {
                await copy.StartRowAsync(cancellationToken);
                await copy.WriteAsync(space, cancellationToken);
                await copy.WriteAsync(hold.Number, cancellationToken);
                await copy.WriteAsync((long)line.Resource, cancellationToken);
            }
        }

        await copy.CompleteAsync(cancellationToken);
    }

    private async Task LoadHoldsAsync(ViewChunk chunk)
    {
        // One row a line; a tombstone has none, and comes as one row with NULLs.
        await using NpgsqlCommand command = Command(
            "SELECT h.number, h.id, h.owner, h.state, h.created_at, h.expires_at, h.finished_at, h.sequence, l.resource, l.quantity, l.held, l.consumed, l.returned " +
            "FROM (SELECT DISTINCT ON (id) * FROM holdfast_view_holds WHERE space = $1 AND id = ANY($2) ORDER BY id, number DESC) h " +
            "LEFT JOIN holdfast_view_lines l ON l.space = $1 AND l.hold = h.number ORDER BY h.number, l.line");
        Add(command, chunk.NeededHolds.ToArray());
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        var lines = new List<ViewLine>();
        bool more = await reader.ReadAsync(cancellationToken);
        while (more)
        {
            long number = reader.GetInt64(0);
            string id = reader.GetString(1);
            string? owner = reader.IsDBNull(2) ? null : reader.GetString(2);
            var state = (HoldState)reader.GetInt16(3);
            (long created, long expires, long? finished, long sequence) = (reader.GetInt64(4), reader.GetInt64(5), LongOrNull(reader, 6), reader.GetInt64(7));
            lines.Clear();
            do
            {
                if (!reader.IsDBNull(8))
                {
                    lines.Add(new ViewLine
                    {
                        Resource = (int)reader.GetInt64(8),
                        Quantity = reader.GetInt64(9),
                        Held = reader.GetInt64(10),
                        Consumed = reader.GetInt64(11),
                        Returned = reader.GetInt64(12),
                    });
                }

                more = await reader.ReadAsync(cancellationToken);
            }
            while (more && reader.GetInt64(0) == number);
            chunk.Put(new ViewHold(number, id, owner, created, [.. lines])
            {
                State = state,
                ListedLive = state == HoldState.Held,
                ExpiresAtMs = expires,
                FinishedAtMs = finished,
                Sequence = sequence,
            });
        }
    }

    private static ViewResource ReadResource(NpgsqlDataReader reader) => new((int)reader.GetInt64(0), reader.GetString(1))
    {
        Available = reader.GetInt64(2),
        Held = reader.GetInt64(3),
        Consumed = reader.GetInt64(4),
        Supplied = reader.GetInt64(5),
        Version = reader.GetInt64(6),
        Policy = new ResourcePolicy
        {
            LimitPerOwner = LongOrNull(reader, 7),
            OpensAtMs = LongOrNull(reader, 8),
            ClosesAtMs = LongOrNull(reader, 9),
            Owner = reader.IsDBNull(10) ? null : reader.GetString(10),
            Overdraft = reader.GetInt64(11),
            HoldMs = LongOrNull(reader, 12),
            Disabled = reader.GetInt64(13) != 0,
            SafetyStock = reader.GetInt64(14),
        },
    };

    private static long? LongOrNull(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    private static void Add<T>(NpgsqlCommand command, T value) => command.Parameters.Add(new NpgsqlParameter<T> { TypedValue = value });

    private NpgsqlCommand Command(string sql)
    {
        var command = new NpgsqlCommand(sql, connection, transaction);
        Add(command, space);
        return command;
    }

    private Task WriteAsync(NpgsqlBinaryImporter copy, string? text) =>
        text is null ? copy.WriteNullAsync(cancellationToken) : copy.WriteAsync(text, cancellationToken);

    private Task WriteAsync(NpgsqlBinaryImporter copy, long? number) =>
        number is { } value ? copy.WriteAsync(value, cancellationToken) : copy.WriteNullAsync(cancellationToken);
}

using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>
/// Finds where a space's log ends, and drops what was stored past that end without ever being acknowledged.
/// </summary>
/// <remarks>
/// With two appends in flight on two connections, N + 1 can be durable while N isn't: a gap. And a stale writer whose N is
/// refused can still have placed its N + 1: a frame that names a predecessor which isn't there. Neither was acknowledged,
/// since a writer acknowledges N + 1 only after its own N returned. So both may be dropped, provided that the writer of
/// N can't complete it afterwards and then acknowledge both. Three steps see to that:
/// <list type="number">
/// <item>wait a moment: with a healthy writer beside us the gap fills by itself within a round trip;</item>
/// <item>lock appends out, which waits for those under way, and look again: now N is there or can only come later;</item>
/// <item>in the same transaction raise the space's epoch, which every insert compares: an N that comes later is refused
/// with a conflict, and its writer never acknowledges N + 1.</item>
/// </list>
/// How much can stand there follows from the rule that a writer begins N + 2 only after its own N returned without error
/// (<see cref="IJournal.MaxInFlight"/> is 2, and its appends end in order):
/// <list type="bullet">
/// <item>N is missing: no writer's N has returned, and none opened behind it, so none has begun N + 2. One frame, N + 1, stands
/// behind the gap, and the gap is one wide.</item>
/// <item>N is there and N + 1 names another predecessor: that is a stale writer's second frame; its first was refused, so it
/// begins nothing more. The writer of N may have begun N + 2 beside its own N + 1, which is refused too; N + 3 would need an
/// N + 1 of its own. So at most two frames stand there, and the second doesn't follow the first.</item>
/// </list>
/// Everything else is damage, and refused: it may have been acknowledged. The second to last frame lost looks like a gap; that can't
/// be told from here, so whatever is dropped is told.
/// </remarks>
internal sealed class PostgresTail(NpgsqlConnection connection, string space)
{
    // More rows than writers can leave past the end; the oldest of them is the foothold of the walk.
    private const int Window = 16;
    private const int Looks = 10;
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    public async Task<(JournalTail Tail, long Epoch)> FindAsync(CancellationToken cancellationToken)
    {
        for (int look = 0; look < Looks; look++)
        {
            Found found = await FindOnceAsync(cancellationToken);
            if (found.DropFrom is null)
            {
                return (found.Tail, found.Epoch);
            }

            await Task.Delay(BetweenLooks, cancellationToken);
        }

        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(PostgresSchema.LockOutAppends, [], cancellationToken);
        Found last = await FindOnceAsync(cancellationToken);
        if (last.DropFrom is { } from)
        {
            await ExecuteAsync("DELETE FROM holdfast_journal WHERE space = $1 AND sequence >= $2", [space, from], cancellationToken);
            await ExecuteAsync("UPDATE holdfast_space SET epoch = epoch + 1 WHERE space = $1", [space], cancellationToken);
            last = last with { Epoch = last.Epoch + 1 };
        }

        await transaction.CommitAsync(cancellationToken);
        return (last.Tail, last.Epoch);
    }

    /// <summary>The same by reading alone: nothing is waited for or dropped.</summary>
    public async Task<JournalTail> LookAsync(CancellationToken cancellationToken) =>
        (await FindOnceAsync(cancellationToken)).Tail with { TornRecordsDropped = 0, UnacknowledgedDropped = 0, UnacknowledgedFrom = 0 };

    private async Task<Found> FindOnceAsync(CancellationToken cancellationToken)
    {
        // The epoch is read before the rows. The other way round, rows dropped in between would be taken for the tail
        // under the new epoch; this way the first append is refused and the caller opens again.
        (long epoch, long floor) = await ReadSpaceAsync(cancellationToken);
        (List<(long Sequence, byte[] Frame)> rows, floor) = await ReadLastRowsAsync(floor, cancellationToken);
        long expected = rows.Count < Window ? floor + 1 : rows[0].Sequence;
        ChainVerifier chain = new(expected);
        long? dropFrom = null;
        int torn = 0;
        int past = 0;
        for (int i = 0; i < rows.Count; i++)
        {
            (long sequence, byte[] frame) = rows[i];
            if (Frame.IsTorn(frame))
            {
                if (i != rows.Count - 1)
                {
                    throw TailCheck.TornInside(sequence);
                }

                torn = 1;
                dropFrom = sequence;
                break;
            }

            // Damage is judged by the frame's own hash first; only a whole frame can be a never-acknowledged one.
            _ = new ChainVerifier(sequence).Next(frame);
            if (sequence != chain.LastSequence + 1 || !Follows(chain, frame, i))
            {
                if (!IsLeftByAWriter(chain.LastSequence, rows[i..]))
                {
                    throw new JournalCorruptException(
                        chain.LastSequence + 1,
                        $"Frame {chain.LastSequence + 1} is missing or replaced: what stands from {sequence} to {rows[^1].Sequence} is more than a writer leaves behind.");
                }

                dropFrom = sequence;
                past = rows.Count - i;
                break;
            }

            _ = chain.Next(frame);
        }

        long last = chain.LastSequence;
        if (last == floor && floor > 0)
        {
            // Trimming keeps an acknowledged frame for the chain to go on from.
            throw new JournalCorruptException(floor + 1, $"Frame {floor + 1} is missing: the frames before it were trimmed, and it was kept.");
        }

        ReadOnlyMemory<byte> hash = last == 0 ? TailCheck.NoHash : chain.LastHash.ToArray();
        return new Found(new JournalTail(last, hash, floor + 1, torn) { UnacknowledgedFrom = past > 0 ? dropFrom!.Value : 0, UnacknowledgedDropped = past }, epoch, dropFrom);
    }

    /// <summary>Whether frames past the end at <paramref name="last"/> are ones that no writer acknowledged: see the remarks.</summary>
    private static bool IsLeftByAWriter(long last, List<(long Sequence, byte[] Frame)> past)
    {
        long first = past[0].Sequence;
        return first == last + 2
            ? past.Count == 1
            : first == last + 1 && (past.Count == 1 || (past.Count == 2 && past[1].Sequence == first + 1 && IsWholeAndAnothers(past[1], past[0].Frame)));
    }

    private static bool IsWholeAndAnothers((long Sequence, byte[] Frame) row, byte[] before)
    {
        FrameView frame = new ChainVerifier(row.Sequence).Next(row.Frame);
        return !frame.PreviousHash.Span.SequenceEqual(Frame.Read(before).Hash.Span);
    }

    private static bool Follows(ChainVerifier chain, byte[] frame, int index) =>
        index == 0 || Frame.Read(frame).PreviousHash.Span.SequenceEqual(chain.LastHash);

    private async Task<(long Epoch, long Floor)> ReadSpaceAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = Command("SELECT epoch, floor FROM holdfast_space WHERE space = $1", [space]);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? (reader.GetInt64(0), reader.GetInt64(1))
            : throw new JournalException(JournalFault.NotWritten, $"Space {space} has lost its row in holdfast_space.");
    }

    /// <summary>The last rows and the floor beneath them, of one instant: a trim in between would look like lost rows.</summary>
    private async Task<(List<(long Sequence, byte[] Frame)> Rows, long Floor)> ReadLastRowsAsync(long floorWhenEmpty, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = Command(
            $"SELECT sequence, frame, (SELECT floor FROM holdfast_space WHERE space = $1) FROM holdfast_journal WHERE space = $1 ORDER BY sequence DESC LIMIT {Window}", [space]);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
        long floor = floorWhenEmpty;
        var rows = new List<(long, byte[])>(Window);
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add((reader.GetInt64(0), reader.GetFieldValue<byte[]>(1)));
            floor = reader.GetInt64(2);
        }

        rows.Reverse();
        return (rows, floor);
    }

    private async Task ExecuteAsync(string sql, object[] parameters, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = Command(sql, parameters);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (object value in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        }

        return command;
    }

    private sealed record Found(JournalTail Tail, long Epoch, long? DropFrom);
}

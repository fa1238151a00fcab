using System.Runtime.CompilerServices;
using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <content>Reading and trimming.</content>
public sealed partial class PostgresJournal
{
    // A query holds back the server's clean-up while it runs, so reads go in chunks.
    private const int ChunkRows = 64;

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long next = Math.Max(fromSequence, await ReadFloorAsync(cancellationToken) + 1);
        while (true)
        {
            List<(long Sequence, byte[] Frame)> rows = await ReadChunkAsync(next, cancellationToken);

            // Rows come from one snapshot. N + 1 without N is an append in flight, or what a crash left of two, and the log ends
            // before it. With N + 2 as well, or without N - 1 too, it isn't, because N + 2 is begun only after N returned:
            // then N is lost, and whoever verifies must come to see it.
            if (rows.Count == 0 || (rows.Count == 1 && rows[0].Sequence == next + 1))
            {
                yield break;
            }

            foreach ((long sequence, byte[] frame) in rows)
            {
                if (sequence == next + 1 && sequence == rows[^1].Sequence)
                {
                    break; // the next chunk tells whether more stands behind it
                }

                cancellationToken.ThrowIfCancellationRequested();
                yield return frame;
                next = sequence + 1;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
            if (await PostgresSnapshots.NewestSequenceAsync(connection, _space, cancellationToken) is not { } newest || newest < throughSequence)
            {
                throw TailCheck.NoSnapshotFor(throughSequence);
            }

            // 1 Raise the floor: from here on the freed sequences can't be written again. Of the newest rows, two may be
            //   unacknowledged, so a third is kept: the acknowledged one that the chain goes on from.
            // 2 Delete.
            // 3 Wait out the inserts that began before the floor rose and so didn't see it. One of them could only be a
            //   stale writer waiting on a row deleted here; then the server breaks the tie and one of the two is refused.
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var trim = new NpgsqlCommand(
                """
                WITH raised AS (
                    UPDATE holdfast_space SET floor = greatest(floor, least($2,
                        (SELECT coalesce(max(sequence), 0) FROM holdfast_journal WHERE space = $1) - $3))
                    WHERE space = $1 RETURNING floor)
                DELETE FROM holdfast_journal j USING raised WHERE j.space = $1 AND j.sequence <= raised.floor
                """,
                connection,
                transaction);
            trim.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _space });
            trim.Parameters.Add(new NpgsqlParameter<long> { TypedValue = throughSequence });
            trim.Parameters.Add(new NpgsqlParameter<long> { TypedValue = MaxInFlight + 1 });
            await trim.ExecuteNonQueryAsync(cancellationToken);
            await using var wait = new NpgsqlCommand(PostgresSchema.LockOutAppends, connection, transaction);
            await wait.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"Trimming {_space} failed", e);
        }
    }

    private async Task<long> ReadFloorAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlCommand command = _source.CreateCommand("SELECT floor FROM holdfast_space WHERE space = $1");
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _space });
            return await command.ExecuteScalarAsync(cancellationToken) is long floor ? floor : 0;
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"Reading {_space} failed", e);
        }
    }

    private async Task<List<(long Sequence, byte[] Frame)>> ReadChunkAsync(long fromSequence, CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlCommand command = _source.CreateCommand(
                $"SELECT sequence, frame FROM holdfast_journal WHERE space = $1 AND sequence >= $2 ORDER BY sequence LIMIT {ChunkRows}");
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _space });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = fromSequence });
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
            var rows = new List<(long, byte[])>(ChunkRows);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add((reader.GetInt64(0), reader.GetFieldValue<byte[]>(1)));
            }

            return rows;
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"Reading {_space} from {fromSequence} failed", e);
        }
    }
}

using System.Buffers.Binary;
using System.Data;
using System.Security.Cryptography;
using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>
/// Snapshots as rows: parts 0… hold the content, part -1 its SHA-256 and length. Written in one transaction, so a snapshot
/// is there whole or not at all.
/// </summary>
internal sealed class PostgresSnapshots(NpgsqlDataSource source, string space)
{
    private const int PartBytes = 1 << 20;
    private const int SealPart = -1;
    private const int SealBytes = SHA256.HashSizeInBytes + sizeof(long);
    private const int Keep = 2;

    // Behind a space's name: no space can be called so.
    private const string Aside = "@aside";

    public async ValueTask WriteAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        try
        {
            await using NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken);
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
            await ExecuteAsync(connection, "DELETE FROM holdfast_snapshot WHERE space = $1 AND sequence = $2", sequence, cancellationToken);
            int part = 0;
            await using (var parts = new PartStream(PartBytes, (bytes, token) => PutPartAsync(connection, sequence, part++, bytes, token)))
            await using (var hashing = new HashingStream(parts))
            {
                await write(hashing, cancellationToken);
                await parts.FinishAsync(cancellationToken);
                byte[] seal = new byte[SealBytes];
                long length = hashing.Length;
                hashing.Finish().CopyTo(seal, 0);
                BinaryPrimitives.WriteInt64LittleEndian(seal.AsSpan(SHA256.HashSizeInBytes), length);
                await PutPartAsync(connection, sequence, SealPart, seal, cancellationToken);
            }

            await ExecuteAsync(
                connection,
                $"""
                DELETE FROM holdfast_snapshot WHERE space = $1 AND sequence < $2 AND sequence NOT IN
                    (SELECT sequence FROM holdfast_snapshot WHERE space = $1 AND sequence <= $2 AND part = {SealPart} ORDER BY sequence DESC LIMIT {Keep})
                """,
                sequence,
                cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"The snapshot of {sequence} couldn't be written", e);
        }
    }

    public static async Task<long?> NewestSequenceAsync(NpgsqlConnection connection, string space, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT max(sequence) FROM holdfast_snapshot WHERE space = $1 AND part = {SealPart}", connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = space });
        return await command.ExecuteScalarAsync(cancellationToken) as long?;
    }

    /// <summary>Gives its rows to <c>space@aside</c>.</summary>
    public async ValueTask PutAsideAsync(long sequence, CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken);
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
            await ExecuteAsync(connection, $"DELETE FROM holdfast_snapshot WHERE space = $1 || '{Aside}' AND sequence = $2", sequence, cancellationToken);
            await ExecuteAsync(connection, $"UPDATE holdfast_snapshot SET space = space || '{Aside}' WHERE space = $1 AND sequence = $2", sequence, cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"The snapshot of {sequence} couldn't be put aside", e);
        }
    }

    public async ValueTask<JournalSnapshot?> OpenAsync(CancellationToken cancellationToken)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await source.OpenConnectionAsync(cancellationToken);

            // All parts are read as of one instant, even if the same snapshot is being replaced. Closing the connection ends it.
            await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
            if (await NewestSequenceAsync(connection, space, cancellationToken) is not { } sequence)
            {
                await connection.DisposeAsync();
                return null;
            }

            byte[] seal = await GetPartAsync(connection, sequence, SealPart, cancellationToken) ?? [];
            if (seal.Length != SealBytes)
            {
                throw new JournalCorruptException(sequence, $"The snapshot of {sequence} has no whole seal.");
            }

            long length = BinaryPrimitives.ReadInt64LittleEndian(seal.AsSpan(SHA256.HashSizeInBytes));
            NpgsqlConnection owned = connection;
            var content = new PartReadStream((part, token) => GetPartAsync(owned, sequence, part, token), owned);
            return new JournalSnapshot(sequence, new VerifyingStream(content, length, seal.AsMemory(0, SHA256.HashSizeInBytes), sequence));
        }
        catch (Exception e)
        {
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }

            if (PostgresFailure.IsStorage(e))
            {
                throw PostgresFailure.Other("The snapshot couldn't be opened", e);
            }

            throw;
        }
    }

    private async Task<byte[]?> GetPartAsync(NpgsqlConnection connection, long sequence, int part, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT bytes FROM holdfast_snapshot WHERE space = $1 AND sequence = $2 AND part = $3", connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = space });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = sequence });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = part });
        return await command.ExecuteScalarAsync(cancellationToken) as byte[];
    }

    private async Task PutPartAsync(NpgsqlConnection connection, long sequence, int part, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("INSERT INTO holdfast_snapshot(space, sequence, part, bytes) VALUES ($1, $2, $3, $4)", connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = space });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = sequence });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = part });
        command.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = bytes });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string sql, long sequence, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = space });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = sequence });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}

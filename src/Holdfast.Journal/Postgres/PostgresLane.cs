using Npgsql;
using NpgsqlTypes;

namespace Holdfast.Journal.Postgres;

/// <summary>One connection with one prepared insert: what carries one append at a time.</summary>
internal sealed class PostgresLane : IAsyncDisposable
{
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlCommand _insert;
    private readonly NpgsqlParameter<long> _sequence = new() { NpgsqlDbType = NpgsqlDbType.Bigint };
    private readonly NpgsqlParameter<ReadOnlyMemory<byte>> _frame = new() { NpgsqlDbType = NpgsqlDbType.Bytea };
    private readonly NpgsqlParameter<long> _epoch = new() { NpgsqlDbType = NpgsqlDbType.Bigint };

    private PostgresLane(NpgsqlConnection connection, string space)
    {
        _connection = connection;
        _insert = new NpgsqlCommand(PostgresSchema.Insert, connection);
        _insert.Parameters.Add(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Text, TypedValue = space });
        _insert.Parameters.Add(_sequence);
        _insert.Parameters.Add(_frame);
        _insert.Parameters.Add(_epoch);
    }

    public static async Task<PostgresLane> OpenAsync(NpgsqlDataSource source, string space, CancellationToken cancellationToken)
    {
        NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken);
        var lane = new PostgresLane(connection, space);
        try
        {
            // Said explicitly: a server or role that defaults to "off" would acknowledge what a power cut takes back.
            await using (var durable = new NpgsqlCommand("SET synchronous_commit = on", connection))
            {
                await durable.ExecuteNonQueryAsync(cancellationToken);
            }

            await lane._insert.PrepareAsync(cancellationToken);
            return lane;
        }
        catch
        {
            await lane.DisposeAsync();
            throw;
        }
    }

    /// <summary>True when the row was inserted, false when the fence refused it.</summary>
    public async ValueTask<bool> InsertAsync(long sequence, ReadOnlyMemory<byte> frame, long epoch, CancellationToken cancellationToken)
    {
        _sequence.TypedValue = sequence;
        _frame.TypedValue = frame;
        _epoch.TypedValue = epoch;
        try
        {
            return await _insert.ExecuteNonQueryAsync(cancellationToken) == 1;
        }
        finally
        {
            // The caller's buffer isn't kept past the call.
            _frame.TypedValue = default;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _insert.DisposeAsync();
        await _connection.DisposeAsync();
    }
}

using System.Data;
using System.Data.Common;
using Holdfast.Kernel;
using Npgsql;

namespace Holdfast.Engine.Projection.Postgres;

/// <summary>
/// Views in the journal's PostgreSQL database. The position's row is locked first in every transaction, so of two
/// projectors of one space the later one finds that the position has moved and writes nothing.
/// </summary>
internal sealed class PostgresViewStore : IViewStore
{
    private const int QueryTimeoutSeconds = 10;

    private readonly string _space;
    private readonly NpgsqlDataSource _source;

    public PostgresViewStore(string space, string connectionString)
    {
        _space = space;
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { CommandTimeout = QueryTimeoutSeconds, MaxPoolSize = 8 };
        _source = NpgsqlDataSource.Create(builder);
    }

    public bool HasSpaceColumn => true;

    public async Task<ViewPosition?> OpenAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var create = new NpgsqlCommand(PostgresViewSchema.Create, connection, transaction))
        {
            await create.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var command = new NpgsqlCommand("SELECT sequence, hash FROM holdfast_view_position WHERE space = $1", connection, transaction);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = _space });
        ViewPosition? position = null;
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            if (await reader.ReadAsync(cancellationToken))
            {
                byte[] hash = await reader.IsDBNullAsync(1, cancellationToken) ? [] : reader.GetFieldValue<byte[]>(1);
                position = new ViewPosition(reader.GetInt64(0), hash);
            }
        }

        await transaction.CommitAsync(cancellationToken);
        return position;
    }

    public Task BeginAsync(SpaceMachine? machine, ViewPosition position, CancellationToken cancellationToken) =>
        InTransactionAsync(
            async writer =>
            {
                await writer.ClearAsync();
                if (machine is not null)
                {
                    await writer.PutResourcesAsync([.. ViewSeed.Resources(machine)]);
                    foreach (ViewHold[] part in ViewSeed.Holds(machine, position.Sequence).Chunk(50_000))
                    {
                        await writer.InsertHoldsAsync(part);
                    }
                }

                await writer.MovePositionAsync(position);
            },
            cancellationToken);

    public Task ApplyAsync(ViewChunk chunk, ViewPosition after, CancellationToken cancellationToken)
    {
        chunk.ForgetRows();
        return InTransactionAsync(
            async writer =>
            {
                long? position = await writer.LockPositionAsync();
                if (position != chunk.From)
                {
                    throw new ViewPositionException(chunk.From, position);
                }

                await writer.LoadAsync(chunk);
                chunk.Apply();
                await writer.InsertHoldsAsync(chunk.NewHolds);
                await writer.UpdateHoldsAsync(chunk.ChangedHolds);
                await writer.InsertMovementsAsync(chunk.Movements);
                await writer.PutResourcesAsync([.. chunk.TouchedResources]);
                await writer.MovePositionAsync(after);
            },
            cancellationToken);
    }

    public async Task<T> ReadAsync<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);

        // Dapper's plain calls block their thread, so they get one that may be blocked.
        return await Task.Run(() => read(connection, transaction), cancellationToken);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task InTransactionAsync(Func<PostgresViewWriter, Task> work, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);

        // Rows and position are lost or kept together; the journal's own commits are another matter, and stay synchronous.
        await using (var relaxed = new NpgsqlCommand("SET LOCAL synchronous_commit = off", connection, transaction))
        {
            await relaxed.ExecuteNonQueryAsync(cancellationToken);
        }

        await work(new PostgresViewWriter(connection, transaction, _space, cancellationToken));
        await transaction.CommitAsync(cancellationToken);
    }
}

using System.Data.Common;
using Holdfast.TestKit;
using Npgsql;

namespace Holdfast.Participant.Tests;

public sealed class PostgresBarrierTests(PostgresServer server) : BarrierConformance, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private string _connection = "";

    public async ValueTask InitializeAsync() => _connection = await server.CreateDatabaseAsync() + ";Pooling=false";

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override DbConnection Connect() => new NpgsqlConnection(_connection);

    [Fact]
    public async Task A_swallowed_database_error_is_no_success()
    {
        await PrepareAsync();
        await using DbConnection connection = Connect();
        await Should.ThrowAsync<PostgresException>(() => Barrier.RunAsync(connection, Call(BranchOp.Try), async (transaction, _) =>
        {
            await ExecuteAsync(transaction.Connection!, Statement(BranchOp.Try), transaction);
            await Should.ThrowAsync<PostgresException>(() => ExecuteAsync(transaction.Connection!, "insert into points values (1, 0, 0, 0)", transaction));
            return BranchResult.Done;
        }));
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((90, 10, 0));
    }

    [Fact]
    public async Task Who_may_not_make_tables_uses_those_that_are_there()
    {
        await PrepareAsync();
        string role = "app" + Guid.NewGuid().ToString("N");
        await ExecuteAsync($"create role {role} login; grant select, insert, update, delete on all tables in schema public to {role}; revoke create on schema public from public");
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(_connection) { Username = role }.ConnectionString);
        var barrier = new BranchBarrier();
        foreach (BranchOp op in new[] { BranchOp.Try, BranchOp.Confirm })
        {
            (await barrier.RunAsync(connection, Call(op, begun: Now, watermark: Now), (_, _) => Task.FromResult(BranchResult.Done))).ShouldBe(BranchResult.Done);
        }

        (await NumberAsync("select begun from holdfast_barrier_cleaned")).ShouldBe(Now - 3_600_000);
    }
}

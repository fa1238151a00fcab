using System.Data;
using System.Data.Common;
using MySqlConnector;

namespace Holdfast.Participant.Tests;

public sealed class MariaDbBarrierTests(MariaDbServer server) : BarrierConformance, IClassFixture<MariaDbServer>, IAsyncLifetime
{
    private string _connection = "";

    public async ValueTask InitializeAsync() => _connection = await server.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override DbConnection Connect() => new MySqlConnection(_connection);

    [Fact]
    public async Task A_swallowed_deadlock_is_no_success()
    {
        await PrepareAsync();
        await ExecuteAsync("insert into points values (2, 0, 0, 0)");
        await using DbConnection connection = Connect(), rival = Connect();
        await rival.OpenAsync();
        await using DbTransaction other = await rival.BeginTransactionAsync();

        // The database rolls back the one that has written less.
        await ExecuteAsync(rival, "insert into points select seq + 10, 0, 0, 0 from seq_1_to_100", other);
        await ExecuteAsync(rival, "update points set spent = 7 where id = 2", other);
        await Should.ThrowAsync<InvalidOperationException>(() => Barrier.RunAsync(connection, Call(BranchOp.Try), async (transaction, _) =>
        {
            await ExecuteAsync(connection, Statement(BranchOp.Try), transaction);
            Task<int> second = ExecuteAsync(connection, "update points set spent = 8 where id = 2", transaction);
            await ExecuteAsync(rival, "update points set spent = 7 where id = 1", other);
            (await Should.ThrowAsync<MySqlException>(second)).ErrorCode.ShouldBe(MySqlErrorCode.LockDeadlock);
            await other.RollbackAsync();
            await ExecuteAsync(connection, "update points set spent = 8 where id = 2", transaction);
            return BranchResult.Done;
        }));
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        (await MarkersAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task A_cancel_in_a_transaction_of_ones_own_sees_the_try_that_was_committed_after_its_snapshot()
    {
        await PrepareAsync();
        await using DbConnection connection = Connect();
        await connection.OpenAsync();
        await using DbTransaction transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await using (DbCommand command = connection.CreateCommand())
        {
            command.Transaction = transaction;
            command.CommandText = "select available from points";
            await command.ExecuteScalarAsync();
        }

        await RunAsync(Call(BranchOp.Try));
        (await Barrier.EnterAsync(transaction, Call(BranchOp.Cancel))).ShouldBe(BarrierVerdict.Run);
    }

    [Fact]
    public async Task Tables_of_before_are_used_and_can_be_altered()
    {
        const string text = "character set utf8mb4 collate utf8mb4_bin not null";
        await ExecuteAsync($"""
            create table holdfast_barrier (
              space varchar(64) {text}, transaction_id varchar(128) {text}, branch varchar(64) {text}, op varchar(8) {text}, origin varchar(8) {text},
              begun bigint not null, created_at bigint not null,
              primary key (space, transaction_id, branch, op), index holdfast_barrier_begun (space, begun)) engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin;
            create table holdfast_barrier_cleaned (space varchar(64) {text}, begun bigint not null, primary key (space)) engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin
            """);
        await PrepareAsync();
        await RunAsync(Call(BranchOp.Try, "möre", Now, Now));
        await ExecuteAsync("alter table holdfast_barrier modify space varbinary(256) not null, modify transaction_id varbinary(512) not null, modify branch varbinary(256) not null");
        await ExecuteAsync("alter table holdfast_barrier_cleaned modify space varbinary(256) not null");
        (await RunAsync(Call(BranchOp.Try, "möre", Now, Now))).Skipped.ShouldBeTrue();
        (await RunAsync(Call(BranchOp.Try, "möre ", Now, Now))).Skipped.ShouldBeFalse();
        (await RunAsync(Call(BranchOp.Confirm, "möre", Now, Now))).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((80, 10, 10));
    }
}

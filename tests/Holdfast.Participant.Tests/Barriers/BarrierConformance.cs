using System.Data.Common;
using Microsoft.Extensions.Time.Testing;

namespace Holdfast.Participant.Tests;

/// <summary>What every database's barrier must do, with real concurrency: points with available, frozen and spent units.</summary>
public abstract class BarrierConformance
{
    private const long Opening = 100;

    private protected FakeTimeProvider Time { get; } = new(DateTimeOffset.UnixEpoch.AddYears(56));

    private protected BranchBarrier Barrier => field ??= new BranchBarrier(time: Time);

    /// <summary>A new connection to this test's own database.</summary>
    private protected abstract DbConnection Connect();

    private protected long Now => Time.GetUtcNow().ToUnixTimeMilliseconds();

    private protected static BranchCall Call(BranchOp op, string transaction = "t", long begun = 0, long watermark = 0) =>
        new(transaction, "points", op) { ExpectsTry = true, BegunMs = begun, WatermarkMs = watermark };

    /// <summary>Freezes, spends or releases ten points: checks the balance after the duplicate check, as it must be.</summary>
    private protected virtual async Task<BranchResult> RunAsync(BranchCall call, Func<Task>? meanwhile = null, bool fail = false)
    {
        await using DbConnection connection = Connect();
        return await Barrier.RunAsync(connection, call, async (transaction, cancellationToken) =>
        {
            int changed = await ExecuteAsync(transaction.Connection!, Statement(call.Op), transaction);
            if (meanwhile is not null)
            {
                await meanwhile();
            }

            return fail ? throw new InvalidOperationException("the business broke") : changed == 1 ? BranchResult.Done : BranchResult.Refused("not enough points");
        });
    }

    private protected static string Statement(BranchOp op) => op switch
    {
        BranchOp.Try => "update points set available = available - 10, frozen = frozen + 10 where id = 1 and available >= 10",
        BranchOp.Confirm => "update points set frozen = frozen - 10, spent = spent + 10 where id = 1",
        _ => "update points set frozen = frozen - 10, available = available + 10 where id = 1",
    };

    private protected async Task PrepareAsync()
    {
        await using DbConnection connection = Connect();
        await connection.OpenAsync();
        await Barrier.PrepareAsync(connection);
        await ExecuteAsync(connection, "create table points (id bigint primary key, available bigint not null, frozen bigint not null, spent bigint not null)");
        await ExecuteAsync(connection, $"insert into points values (1, {Opening}, 0, 0)");
    }

    private protected async Task<(long Available, long Frozen, long Spent)> BalanceAsync()
    {
        await using DbConnection connection = Connect();
        await connection.OpenAsync();
        await using DbCommand command = connection.CreateCommand();
        command.CommandText = "select available, frozen, spent from points";
        await using DbDataReader reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        (long, long, long) balance = (reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2));
        return balance;
    }

    private protected static async Task<int> ExecuteAsync(DbConnection connection, string text, DbTransaction? transaction = null)
    {
        await using DbCommand command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = text;
        return await command.ExecuteNonQueryAsync();
    }

    private protected Task<long> MarkersAsync() => NumberAsync("select count(*) from holdfast_barrier");

    private protected async Task<long> NumberAsync(string text)
    {
        await using DbConnection connection = Connect();
        await connection.OpenAsync();
        await using DbCommand command = connection.CreateCommand();
        command.CommandText = text;
        return Convert.ToInt64(await command.ExecuteScalarAsync(), null);
    }

    private protected async Task ExecuteAsync(string text)
    {
        await using DbConnection connection = Connect();
        await connection.OpenAsync();
        await ExecuteAsync(connection, text);
    }

    [Fact]
    public async Task Each_operation_repeated_is_carried_out_once()
    {
        await PrepareAsync();
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done with { Skipped = true });
        (await BalanceAsync()).ShouldBe((90, 10, 0));
        (await RunAsync(Call(BranchOp.Confirm))).ShouldBe(BranchResult.Done);
        (await RunAsync(Call(BranchOp.Confirm))).Skipped.ShouldBeTrue();
        (await BalanceAsync()).ShouldBe((90, 0, 10));
        (await RunAsync(Call(BranchOp.Cancel))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
        await RunAsync(Call(BranchOp.Try, "u"));
        (await RunAsync(Call(BranchOp.Cancel, "u"))).ShouldBe(BranchResult.Done);
        (await RunAsync(Call(BranchOp.Cancel, "u"))).ShouldBe(BranchResult.Done with { Skipped = true });
        (await RunAsync(Call(BranchOp.Confirm, "u"))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task E65_TryAfterCancel_IsRefused_AndTheBalanceUnchanged()
    {
        await PrepareAsync();
        (await RunAsync(Call(BranchOp.Cancel))).ShouldBe(BranchResult.Done with { Skipped = true });
        (await RunAsync(Call(BranchOp.Cancel))).ShouldBe(BranchResult.Done with { Skipped = true });

        (await RunAsync(Call(BranchOp.Try))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await RunAsync(Call(BranchOp.Confirm))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((100, 0, 0));
    }

    [Fact]
    public async Task E66_CancelWhileTryIsStillRunning_OneOutcome_BalanceRight()
    {
        await PrepareAsync();
        var cancelling = new TaskCompletionSource<Task<BranchResult>>(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<BranchResult> trying = RunAsync(Call(BranchOp.Try), async () =>
        {
            cancelling.SetResult(Task.Run(() => RunAsync(Call(BranchOp.Cancel))));
            await Task.Delay(200);
        });

        (await trying).ShouldBe(BranchResult.Done);
        (await await cancelling.Task).ShouldBe(BranchResult.Done, "it waited for the try, and undid it");
        (await BalanceAsync()).ShouldBe((100, 0, 0));
    }

    [Fact]
    public async Task E66_CancelAndTryAtOnce_ManyTimes_TheBalanceIsAlwaysRightAfterTheCancel()
    {
        await PrepareAsync();
        for (int i = 0; i < 30; i++)
        {
            string id = "t" + i;
            BranchResult[] results = await Task.WhenAll(
                Task.Run(() => RunAsync(Call(BranchOp.Try, id))), Task.Run(() => RunAsync(Call(BranchOp.Cancel, id))));
            results[1].Outcome.ShouldBe(BranchOutcome.Done);
            (await BalanceAsync()).ShouldBe((100, 0, 0), id + " try: " + results[0]);
        }
    }

    [Fact]
    public async Task E67_TryRepeatedAfterTheStockFell_StillSucceeds()
    {
        await PrepareAsync();
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        await using (DbConnection connection = Connect())
        {
            await connection.OpenAsync();
            await ExecuteAsync(connection, "update points set available = 0");
        }

        (await RunAsync(Call(BranchOp.Try))).Outcome.ShouldBe(BranchOutcome.Done);
        (await RunAsync(Call(BranchOp.Try, "another"))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((0, 10, 0));
    }

    [Fact]
    public async Task E79_ManyRetriesOfOneCallAtOnce_OneRuns()
    {
        await PrepareAsync();
        foreach (BranchOp op in new[] { BranchOp.Try, BranchOp.Confirm })
        {
            BranchResult[] results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => RunAsync(Call(op)))));
            results.ShouldAllBe(r => r.Outcome == BranchOutcome.Done);
            results.Count(r => !r.Skipped).ShouldBe(1);
        }

        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task A_business_that_refuses_or_breaks_leaves_nothing_and_may_come_again()
    {
        await PrepareAsync();
        await Should.ThrowAsync<InvalidOperationException>(() => RunAsync(Call(BranchOp.Try), fail: true));
        (await MarkersAsync()).ShouldBe(0);
        (await BalanceAsync()).ShouldBe((100, 0, 0));
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        await Should.ThrowAsync<InvalidOperationException>(() => RunAsync(Call(BranchOp.Confirm), fail: true));
        (await RunAsync(Call(BranchOp.Confirm))).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task Markers_go_by_the_watermark_and_a_call_that_is_later_still_is_refused()
    {
        await PrepareAsync();
        const long hour = 3_600_000;
        long begun = Now;
        await RunAsync(Call(BranchOp.Try, "old", begun, begun));
        await RunAsync(Call(BranchOp.Cancel, "old", begun, begun));
        await RunAsync(Call(BranchOp.Try, "unsaid"));
        (await MarkersAsync()).ShouldBe(3);

        Time.Advance(TimeSpan.FromHours(2));
        await RunAsync(Call(BranchOp.Try, "young", begun + (2 * hour), begun + (2 * hour)));
        (await MarkersAsync()).ShouldBe(2, "unsaid and young stay");

        (await RunAsync(Call(BranchOp.Try, "old", begun, begun))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await RunAsync(Call(BranchOp.Try, "lost", begun, begun))).Outcome.ShouldBe(BranchOutcome.Refused);
        (await RunAsync(Call(BranchOp.Cancel, "old", begun, begun))).Outcome.ShouldBe(BranchOutcome.Done);
        (await BalanceAsync()).ShouldBe((80, 20, 0));
    }

    [Fact]
    public async Task A_watermark_later_than_now_shuts_out_nothing_that_has_yet_to_begin()
    {
        await PrepareAsync();
        await RunAsync(Call(BranchOp.Try, "told", Now, 9_000_000_000_000_000_000));
        (await RunAsync(Call(BranchOp.Try, "next", Now, Now))).ShouldBe(BranchResult.Done);
        (await RunAsync(Call(BranchOp.Confirm, "next", Now, Now))).ShouldBe(BranchResult.Done);

        // A mark that was raised so before it was known better.
        await ExecuteAsync("update holdfast_barrier_cleaned set begun = 8999999999996400000");
        (await RunAsync(Call(BranchOp.Try, "after", Now, Now))).ShouldBe(BranchResult.Done);
        Time.Advance(TimeSpan.FromMinutes(1));
        await RunAsync(Call(BranchOp.Confirm, "after", Now, Now));
        (await NumberAsync("select begun from holdfast_barrier_cleaned")).ShouldBe(Now - 3_600_000);
        (await BalanceAsync()).ShouldBe((70, 10, 20));
    }

    [Fact]
    public async Task A_marker_stays_while_its_transaction_may_be_open_whatever_begin_was_told()
    {
        await PrepareAsync();
        await RunAsync(Call(BranchOp.Try, begun: 1));
        await RunAsync(Call(BranchOp.Try, "other", Now, Now));
        (await RunAsync(Call(BranchOp.Cancel, begun: Now))).ShouldBe(BranchResult.Done, "the try's marker is there, so there is something to undo");
        (await BalanceAsync()).ShouldBe((90, 10, 0));
    }

    [Fact]
    public async Task A_clean_up_that_took_the_most_goes_on_with_the_next_call()
    {
        await PrepareAsync();
        var barrier = new BranchBarrier(new BarrierOptions { CleanAtMost = 2 }, Time);
        long begun = Now;
        for (int i = 0; i < 5; i++)
        {
            await MarkAsync("old" + i, begun);
        }

        Time.Advance(TimeSpan.FromHours(2));
        for (int i = 0; i < 3; i++)
        {
            await MarkAsync("young" + i, Now);
        }

        (await NumberAsync("select count(*) from holdfast_barrier where transaction_id like 'old%'")).ShouldBe(0);

        async Task MarkAsync(string id, long at)
        {
            await using DbConnection connection = Connect();
            await barrier.RunAsync(connection, Call(BranchOp.Try, id, at, at), (_, _) => Task.FromResult(BranchResult.Done));
        }
    }

    [Fact]
    public async Task Confirm_and_cancel_at_once_end_as_one_of_them()
    {
        await PrepareAsync();
        foreach ((BranchOp first, BranchOp second) in new[] { (BranchOp.Confirm, BranchOp.Cancel), (BranchOp.Cancel, BranchOp.Confirm) })
        {
            string id = "first-" + first;
            await RunAsync(Call(BranchOp.Try, id));
            Task<BranchResult>? other = null;
            (await RunAsync(Call(first, id), async () =>
            {
                other = Task.Run(() => RunAsync(Call(second, id)));
                await Task.Delay(200);
            })).ShouldBe(BranchResult.Done);
            (await other!).Outcome.ShouldBe(BranchOutcome.Refused, id);
        }

        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task Ids_that_differ_by_a_blank_at_the_end_are_different_transactions()
    {
        await PrepareAsync();
        await RunAsync(Call(BranchOp.Try, "order"));
        (await RunAsync(Call(BranchOp.Try, "order "))).Skipped.ShouldBeFalse();
        (await RunAsync(Call(BranchOp.Confirm, "order "))).Skipped.ShouldBeFalse();
        (await BalanceAsync()).ShouldBe((80, 10, 10));
    }

    [Fact]
    public async Task Ids_that_differ_in_case_only_are_different_transactions_and_so_are_spaces()
    {
        await PrepareAsync();
        await RunAsync(Call(BranchOp.Try, "order-a"));
        (await RunAsync(Call(BranchOp.Try, "order-A"))).Skipped.ShouldBeFalse();
        (await RunAsync(Call(BranchOp.Try, "order-A") with { Space = "shop-2" })).Skipped.ShouldBeFalse();
        (await RunAsync(Call(BranchOp.Try, new string('ü', 64)))).Skipped.ShouldBeFalse();
        (await BalanceAsync()).ShouldBe((60, 40, 0));
    }

    [Fact]
    public async Task Tables_are_made_by_many_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            await using DbConnection connection = Connect();
            await connection.OpenAsync();
            await new BranchBarrier(time: TimeProvider.System).PrepareAsync(connection);
        })));
        (await MarkersAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task E73_CheckBack_TellsWhetherTheLocalWorkWasDone()
    {
        await PrepareAsync();
        (await LocalAsync("m1")).ShouldBe(BranchResult.Done);
        (await LocalAsync("m1")).Skipped.ShouldBeTrue();
        (await CheckAsync("m1")).Outcome.ShouldBe(BranchOutcome.Done);
        (await CheckAsync("m1")).Outcome.ShouldBe(BranchOutcome.Done);
        (await BalanceAsync()).ShouldBe((90, 10, 0));
    }

    [Fact]
    public async Task E74_CheckBackBeforeTheLocalCommit_RefusesTheLateLocalCommit()
    {
        await PrepareAsync();
        (await CheckAsync("m1")).Outcome.ShouldBe(BranchOutcome.Refused);
        (await LocalAsync("m1")).Outcome.ShouldBe(BranchOutcome.Refused);
        (await CheckAsync("m1")).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((100, 0, 0));
    }

    [Fact]
    public async Task E74_CheckBackDuringTheLocalWork_WaitsForIt()
    {
        await PrepareAsync();
        Task<BranchResult>? checking = null;
        await using DbConnection connection = Connect();
        await Barrier.LocalAsync(connection, "m1", async (transaction, _) =>
        {
            await ExecuteAsync(transaction.Connection!, Statement(BranchOp.Try), transaction);
            checking = Task.Run(() => CheckAsync("m1"));
            await Task.Delay(200);
            return BranchResult.Done;
        });
        (await checking!).Outcome.ShouldBe(BranchOutcome.Done);
    }

    [Fact]
    public async Task Markers_of_messages_go_after_thirty_days()
    {
        await PrepareAsync();
        await LocalAsync("m1");
        await ExecuteAsync("insert into holdfast_barrier (space, transaction_id, branch, op, origin, begun, created_at) select space, 'older', branch, op, origin, 0, created_at from holdfast_barrier");
        Time.Advance(TimeSpan.FromDays(29));
        await LocalAsync("m2");
        (await LocalAsync("m1")).Skipped.ShouldBeTrue();
        (await CheckAsync("older")).Outcome.ShouldBe(BranchOutcome.Done);
        (await MarkersAsync()).ShouldBe(3);

        Time.Advance(TimeSpan.FromDays(2));
        await LocalAsync("m3");
        (await MarkersAsync()).ShouldBe(2);
        (await LocalAsync("m2")).Skipped.ShouldBeTrue();
        (await BalanceAsync()).ShouldBe((70, 30, 0));
    }

    private async Task<BranchResult> LocalAsync(string message)
    {
        await using DbConnection connection = Connect();
        return await Barrier.LocalAsync(connection, message, async (transaction, _) =>
            await ExecuteAsync(transaction.Connection!, Statement(BranchOp.Try), transaction) == 1 ? BranchResult.Done : BranchResult.Refused("no"));
    }

    private async Task<BranchResult> CheckAsync(string message)
    {
        await using DbConnection connection = Connect();
        return await Barrier.CheckAsync(connection, new BranchCall(message, BranchCall.CheckBranch, BranchOp.Check));
    }
}

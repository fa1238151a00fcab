using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.Testing;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>What a space does when its storage fails, with its real threads.</summary>
public sealed class SpaceFaultTests
{
    [Theory]
    [InlineData(0, 1, 1, 1, 1)]
    [InlineData(2, 1, 1, 1, 1)]
    [InlineData(1, 1, 0, 1, 1)]
    [InlineData(1, 1, 1, -1, 1)]
    [InlineData(1, 1, 1, 1, 0)]
    public async Task Rules_that_no_space_can_run_under_are_refused_before_anything_is_opened(long ttl, long life, long retention, long adjustments, int expiries)
    {
        await using var journal = new MemoryJournalStore();
        var rules = new HoldOptions { DefaultTtlMs = ttl, MaxLifeMs = life, RetentionMs = retention, AdjustmentRetentionMs = adjustments, MaxExpiriesPerBatch = expiries };
        Should.Throw<ArgumentException>(() => RunningSpace.Create(journal.Get("default"), new SpaceOptions { Holds = rules }));
    }

    [Fact]
    public async Task E12_ClientTimedOutOnATry_AskingByIdTellsTheTruth()
    {
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), rule: null);
        Task settling = SettleEverything(journal, out CancellationTokenSource settle);
        await using RunningSpace space = await RunningSpace.StartAsync(journal);
        await space.StockAsync("sku-1", 10);
        await settle.CancelAsync();
        await settling;

        using var patience = new CancellationTokenSource();
        ValueTask<Outcome<HoldView>> tried = space.Calls.TryHoldAsync(new HoldRequest("h", new HoldLine("sku-1", 2)), patience.Token);
        await RunningSpace.UntilAsync(() => journal.Pending == 1); // given up before it is being written, it would not be there
        await patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await tried);

        settling = SettleEverything(journal, out settle);
        Outcome<HoldView> asked = await space.Calls.GetHoldAsync("h");
        asked.Value!.State.ShouldBe(HoldState.Held);
        await settle.CancelAsync();
        await settling;
        settling = SettleEverything(journal, out settle);
        await space.DisposeAsync();
        await settle.CancelAsync();
        await settling;
    }

    [Theory]
    [InlineData(AppendFate.UnknownWritten)]
    [InlineData(AppendFate.UnknownLost)]
    [InlineData(AppendFate.NotWritten)]
    public async Task E13_E59_AppendFailed_AskersAreTold_AndTheRepeatIsRight(AppendFate fate)
    {
        long failAt = 0;
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), s => s == Volatile.Read(ref failAt) ? Once(ref failAt, fate) : AppendFate.Written);
        await using RunningSpace space = await RunningSpace.StartAsync(journal);
        await space.StockAsync("sku-1", 10);
        Volatile.Write(ref failAt, space.Space.Durable.Sequence + 1);

        Outcome<HoldView> first = await space.TryAsync("h", quantity: 4);
        first.Code.ShouldBe(Code.Unavailable);
        Outcome<HoldView> again = await RunningSpace.UntilKnownAsync(() => space.TryAsync("h", quantity: 4));

        again.Value!.State.ShouldBe(HoldState.Held);
        again.Repeat.ShouldBe(fate == AppendFate.UnknownWritten, "a hold that the journal kept answers as a repeat");
        ResourceView stock = await space.ReadAsync();
        (stock.Available, stock.Held).ShouldBe((6, 4));
    }

    [Fact]
    public async Task E58_StorageFull_WritesAreRefused_ReadsAnswered_AndItRecoversByItself()
    {
        bool full = false;
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), _ => Volatile.Read(ref full) ? AppendFate.Full : AppendFate.Written);
        await using RunningSpace space = await RunningSpace.StartAsync(journal);
        await space.StockAsync("sku-1", 10);
        (await space.TryAsync("before")).IsOk.ShouldBeTrue();

        Volatile.Write(ref full, true);
        (await space.TryAsync("during")).Code.ShouldBe(Code.Unavailable);
        (await space.TryAsync("during-2")).Code.ShouldBe(Code.Unavailable);
        Outcome<HoldView> read = await RunningSpace.UntilKnownAsync(() => space.Calls.GetHoldAsync("before"));
        read.Value!.State.ShouldBe(HoldState.Held);
        space.Space.Status.ShouldBe(SpaceStatus.ReadOnly);
        (await space.ReadAsync()).Held.ShouldBe(1);

        Volatile.Write(ref full, false);
        Outcome<HoldView> after = await RunningSpace.UntilKnownAsync(() => space.TryAsync("during"));
        after.IsOk.ShouldBeTrue();
        (await space.ReadAsync()).Held.ShouldBe(2);
        space.Space.Status.ShouldBe(SpaceStatus.Running);
    }

    [Fact]
    public async Task Every_unavailable_answer_is_counted()
    {
        bool full = false;
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), _ => Volatile.Read(ref full) ? AppendFate.Full : AppendFate.Written);
        await using RunningSpace space = await RunningSpace.StartAsync(journal, new SpaceOptions { RetryStorageEvery = TimeSpan.FromHours(1) });
        await space.StockAsync("sku-1", 10);
        SpaceMetrics metrics = space.Space.Metrics;
        metrics.Answers(Code.Unavailable).ShouldBe(0);

        Volatile.Write(ref full, true);
        (await space.TryAsync("not-written")).Code.ShouldBe(Code.Unavailable);
        metrics.Answers(Code.Unavailable).ShouldBe(1);

        (await space.TryAsync("read-only")).Code.ShouldBe(Code.Unavailable);
        metrics.Answers(Code.Unavailable).ShouldBe(2);
        long ok = metrics.Answers(Code.Ok);
        (await space.ReadAsync()).Available.ShouldBe(10);
        metrics.Answers(Code.Ok).ShouldBe(ok + 1);

        await space.Space.DisposeAsync();
        (await space.TryAsync("stopped")).Code.ShouldBe(Code.Unavailable);
        metrics.Answers(Code.Unavailable).ShouldBe(3);
    }

    [Fact]
    public async Task What_is_answered_while_storage_is_not_reachable_is_counted()
    {
        var journal = new UnreachableJournal(new MemoryJournalStore().Get("default"));
        await using RunningSpace space = RunningSpace.Create(journal);
        Task started = space.Space.StartAsync();

        (await space.TryAsync("h")).Code.ShouldBe(Code.Unavailable);
        space.Space.Metrics.Answers(Code.Unavailable).ShouldBe(1);

        journal.There = true;
        await started;
    }

    [Fact]
    public async Task Why_a_space_did_not_start_names_the_space()
    {
        await using RunningSpace space = RunningSpace.Create(new DamagedJournal(new MemoryJournalStore().Get("default")));

        (await Should.ThrowAsync<HoldfastException>(space.Space.StartAsync)).Message.ShouldBe("Space default: " + DamagedJournal.Damage);
    }

    [Theory]
    [InlineData(AppendFate.UnknownLost)]
    [InlineData(AppendFate.UnknownWritten)]
    public async Task E58_E59_ProbeOfAFullStorageLost_TheJournalIsReadAgain_AndItRecoversByItself(AppendFate fate)
    {
        int state = 0;
        var journal = new ClosingJournal(new FaultyJournal(
            new MemoryJournalStore().Get("default"),
            _ => Volatile.Read(ref state) switch
            {
                0 => AppendFate.Written,
                1 => AppendFate.Full,
                _ => Interlocked.Exchange(ref state, 0) == 2 ? fate : AppendFate.Written,
            }));
        await using RunningSpace space = await RunningSpace.StartAsync(journal);
        await space.StockAsync("sku-1", 10);
        (await space.TryAsync("before")).IsOk.ShouldBeTrue();
        Volatile.Write(ref state, 1);
        (await space.TryAsync("during")).Code.ShouldBe(Code.Unavailable);
        await RunningSpace.UntilAsync(() => space.Space.Status == SpaceStatus.ReadOnly);

        Volatile.Write(ref state, 2);
        await RunningSpace.UntilAsync(() => space.Space.Status is SpaceStatus.Running or SpaceStatus.Stopped);

        space.Space.Status.ShouldBe(SpaceStatus.Running, space.Space.Trouble);
        (await RunningSpace.UntilKnownAsync(() => space.TryAsync("after"))).IsOk.ShouldBeTrue();
        (await space.ReadAsync()).Held.ShouldBe(2);
    }

    [Fact]
    public async Task E58_StorageThatCanNotBeOpenedForWriting_IsRead_AndRecoversByItself()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "unopenable.db");
        await using (RunningSpace first = await RunningSpace.StartAsync(new SqliteJournalStore(path).Get("default")))
        {
            await first.StockAsync("sku-1", 10);
            (await first.TryAsync("before")).IsOk.ShouldBeTrue();
        }

        // A folder in its place: the file of shared memory can't be made, as on a disk without a free block.
        Directory.CreateDirectory(path + "-shm");
        await using RunningSpace space = RunningSpace.Create(new SqliteJournalStore(path).Get("default"));
        Task started = space.Space.StartAsync();
        (await RunningSpace.UntilKnownAsync(() => space.Calls.GetHoldAsync("before"))).Value!.State.ShouldBe(HoldState.Held);
        space.Space.Status.ShouldBe(SpaceStatus.ReadOnly);
        (await space.TryAsync("during")).Code.ShouldBe(Code.Unavailable);
        started.IsCompleted.ShouldBeFalse("it isn't ready");

        Directory.Delete(path + "-shm");
        await started;
        (await space.TryAsync("during")).IsOk.ShouldBeTrue();
        (await space.ReadAsync()).Held.ShouldBe(2);
    }

    [Fact]
    public async Task E58_RealFileFull_NoAcknowledgedHoldIsLost()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "full.db");
        int acknowledged = 0;
        await using (var store = new SqliteJournalStore(path))
        {
            bool full = false;
            var journal = new FaultyJournal(store.Get("default"), _ => Volatile.Read(ref full) ? AppendFate.Full : AppendFate.Written);
            await using RunningSpace space = await RunningSpace.StartAsync(journal);
            await space.StockAsync("sku-1", 1000);
            for (int i = 0; i < 100; i++)
            {
                Volatile.Write(ref full, i % 10 == 9);
                acknowledged += (await space.TryAsync($"h{i}")).IsOk ? 1 : 0;
                Volatile.Write(ref full, false);
                await RunningSpace.UntilKnownAsync(() => space.TryAsync($"again{i}"));
                acknowledged++;
            }
        }

        await using var reopened = new SqliteJournalStore(path);
        await using RunningSpace after = await RunningSpace.StartAsync(reopened.Get("default"));
        (await after.ReadAsync()).Held.ShouldBeGreaterThanOrEqualTo(acknowledged);
        acknowledged.ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task E60_SecondServerOnTheSameJournal_CannotForkHistory_AndTheLoserStops()
    {
        var store = new MemoryJournalStore();
        await using RunningSpace first = await RunningSpace.StartAsync(store.Get("default"));
        await first.StockAsync("sku-1", 10);
        await using RunningSpace second = await RunningSpace.StartAsync(store.Get("default"));

        (await second.TryAsync("by-second", quantity: 6)).IsOk.ShouldBeTrue();
        Outcome<HoldView> loser = await first.TryAsync("by-first", quantity: 6);

        loser.Code.ShouldBe(Code.Unavailable);
        await first.Space.Ended.WaitAsync(TimeSpan.FromSeconds(10));
        first.Space.Status.ShouldBe(SpaceStatus.Stopped);
        first.Space.Trouble.ShouldNotBeNull().ShouldContain("another server");
        (await first.TryAsync("later")).Code.ShouldBe(Code.Unavailable);
        (await second.ReadAsync()).Held.ShouldBe(6);
        (await second.TryAsync("by-second-again", quantity: 4)).IsOk.ShouldBeTrue();
    }

    [Fact]
    public async Task AnswerIsHeldBack_UntilItsOwnBatchIsDurable()
    {
        // With a buffer shared between batches, batch N+1's answers could leave with batch N's.
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), rule: null);
        Task settling = SettleEverything(journal, out CancellationTokenSource settle);
        RunningSpace space = await RunningSpace.StartAsync(journal);
        await space.StockAsync("sku-1", 10);
        await settle.CancelAsync();
        await settling;

        Task<Outcome<HoldView>> first = space.TryAsync("h1").AsTask();
        await RunningSpace.UntilAsync(() => journal.Pending == 1);
        Task<Outcome<HoldView>> second = space.TryAsync("h2").AsTask();
        await Task.Delay(100);
        first.IsCompleted.ShouldBeFalse();

        journal.Settle(AppendFate.Written);
        (await first).IsOk.ShouldBeTrue();
        await RunningSpace.UntilAsync(() => journal.Pending == 1);
        await Task.Delay(100);
        second.IsCompleted.ShouldBeFalse("its batch is not durable yet");
        Task<Outcome<HoldView>> read = space.Calls.GetHoldAsync("h2").AsTask();
        await Task.Delay(100);
        read.IsCompleted.ShouldBeFalse("it tells of a hold that is not durable yet");

        journal.Settle(AppendFate.UnknownLost);
        (await second).Code.ShouldBe(Code.Unavailable);
        (await read).Code.ShouldBeOneOf(Code.Unavailable, Code.NotFound);
        settling = SettleEverything(journal, out settle);
        await space.DisposeAsync();
        await settle.CancelAsync();
        await settling;
    }

    [Fact]
    public async Task SoldOut_RefusesWithoutAnyAppend()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("sku-1", 1);
        (await space.TryAsync("h0")).IsOk.ShouldBeTrue();
        long batches = space.Space.Metrics.Batches;

        for (int i = 1; i <= 1000; i++)
        {
            (await space.TryAsync($"h{i}")).Code.ShouldBe(Code.Insufficient);
        }

        space.Space.Metrics.Batches.ShouldBe(batches);
    }

    private static AppendFate Once(ref long failAt, AppendFate fate)
    {
        Volatile.Write(ref failAt, 0);
        return fate;
    }

    private static Task SettleEverything(FaultyJournal journal, out CancellationTokenSource stop)
    {
        var source = new CancellationTokenSource();
        stop = source;
        return Task.Run(async () =>
        {
            while (!source.IsCancellationRequested)
            {
                if (journal.Pending > 0)
                {
                    journal.Settle(AppendFate.Written);
                }
                else
                {
                    await Task.Delay(1);
                }
            }
        });
    }

    private sealed class UnreachableJournal(IJournal inner) : DelegatingJournal(inner)
    {
        public volatile bool There;

        public override ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) =>
            There ? Inner.OpenAsync(cancellationToken) : throw new JournalException(JournalFault.NotWritten, "no route to the database");
    }

    private sealed class DamagedJournal(IJournal inner) : DelegatingJournal(inner)
    {
        public const string Damage = "Frame 2 doesn't match its SHA-256.";

        public override ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => throw new JournalCorruptException(2, Damage);
    }
}

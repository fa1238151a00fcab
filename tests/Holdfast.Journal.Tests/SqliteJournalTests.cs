using Holdfast.Journal.Sqlite;
using Holdfast.TestKit;
using SQLitePCL;

namespace Holdfast.Journal.Tests;

public sealed class SqliteJournalTests : JournalConformance
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TempFolder _folder = new();

    private string DatabasePath => _folder.File("holdfast.db");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task E58_full_disk_refuses_appends_keeps_reads_and_recovers_by_itself()
    {
        await using var journal = (SqliteJournal)Store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        await Frames.AppendAsync(journal, tail, 3, payloadBytes: 20_000);
        tail = await journal.OpenAsync(CancellationToken.None);
        long pages = journal.Pragma("page_count");
        journal.Pragma($"max_page_count={pages + 2}");
        byte[] next = Frames.Make(4, tail.Hash.Span, payloadBytes: 100_000);

        for (int attempt = 0; attempt < 2; attempt++)
        {
            JournalException full = await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(4, next, CancellationToken.None));
            full.Fault.ShouldBe(JournalFault.Unwritable);
        }

        (await Frames.ReadAllAsync(journal)).Count.ShouldBe(3);
        journal.Pragma("max_page_count=1000000");
        await journal.AppendAsync(4, next, CancellationToken.None);
        (await VerifyAsync(journal)).ShouldBe(4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task E58_what_a_full_disk_keeps_from_opening_can_be_read_and_opens_by_itself_later(bool killed)
    {
        string folder = Directory.CreateTempSubdirectory("holdfast-unopenable-").FullName;
        string path = Path.Combine(folder, "odd %3f?#name.db");
        List<byte[]> written;
        await using (IJournal first = new SqliteJournalStore(DatabasePath).Get("default"))
        {
            written = await Frames.AppendAsync(first, await first.OpenAsync(CancellationToken.None), 5);
            if (killed)
            {
                File.Copy(DatabasePath, path);
                File.Copy(DatabasePath + "-wal", path + "-wal");
            }
        }

        if (!killed)
        {
            File.Copy(DatabasePath, path);
        }

        // A folder in its place: the file of shared memory can't be made, as on a disk without a free block.
        Directory.CreateDirectory(path + "-shm");
        await using IJournal journal = new SqliteJournalStore(path).Get("default");
        (await Should.ThrowAsync<JournalException>(async () => await journal.OpenAsync(CancellationToken.None))).Fault.ShouldBe(JournalFault.Unwritable);

        (await journal.FindTailAsync(CancellationToken.None)).Sequence.ShouldBe(5);
        (await Frames.ReadAllAsync(journal)).ShouldBe(written);

        Directory.Delete(path + "-shm");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        await Frames.AppendAsync(journal, tail, 1);
        (await VerifyAsync(journal)).ShouldBe(6);
        await journal.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Reading_leaves_the_files_of_a_server_that_was_killed_as_they_are()
    {
        string folder = Directory.CreateTempSubdirectory("holdfast-killed-").FullName;
        string path = Path.Combine(folder, "holdfast.db");
        await using (IJournal first = Store.Get("default"))
        {
            await Frames.AppendAsync(first, await first.OpenAsync(CancellationToken.None), 5);
            File.Copy(DatabasePath, path);
            File.Copy(DatabasePath + "-wal", path + "-wal");
        }

        byte[] database = await File.ReadAllBytesAsync(path);
        byte[] log = await File.ReadAllBytesAsync(path + "-wal");
        await using (IJournal journal = new SqliteJournalStore(path).Get("default"))
        {
            (await Frames.ReadAllAsync(journal)).Count.ShouldBe(5);
        }

        (await File.ReadAllBytesAsync(path)).ShouldBe(database);
        (await File.ReadAllBytesAsync(path + "-wal")).ShouldBe(log);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task E58_write_lock_held_elsewhere_is_not_written_and_the_same_append_may_be_repeated()
    {
        await using var store = new SqliteJournalStore(DatabasePath, new SqliteJournalOptions { BusyTimeoutMs = 50 });
        await using IJournal journal = store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        byte[] frame = Frames.Make(1, tail.Hash.Span);
        using (SqliteDatabase other = SqliteDatabase.Open(DatabasePath, create: false))
        {
            other.Execute("BEGIN IMMEDIATE");
            JournalException busy = await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(1, frame, CancellationToken.None));
            busy.Fault.ShouldBe(JournalFault.NotWritten);
            other.Execute("ROLLBACK");
        }

        await journal.AppendAsync(1, frame, CancellationToken.None);
        (await VerifyAsync(journal)).ShouldBe(1);
    }

    [Theory]
    [InlineData(raw.SQLITE_FULL, JournalFault.Unwritable)]
    [InlineData(raw.SQLITE_BUSY, JournalFault.NotWritten)]
    [InlineData(raw.SQLITE_CONSTRAINT, JournalFault.Conflict)]
    [InlineData(raw.SQLITE_IOERR, JournalFault.Unknown)]
    [InlineData(raw.SQLITE_IOERR | (4 << 8), JournalFault.Unknown)]
    [InlineData(raw.SQLITE_NOMEM, JournalFault.Unknown)]
    public void Result_code_tells_no_more_than_is_known(int code, JournalFault fault) => new SqliteFailure(code, "").Fault.ShouldBe(fault);

    [Fact]
    public async Task File_of_a_newer_schema_is_refused_with_its_version()
    {
        await using IJournal journal = Store.Get("default");
        await journal.OpenAsync(CancellationToken.None);
        using (SqliteDatabase other = SqliteDatabase.Open(DatabasePath, create: false))
        {
            other.Execute("UPDATE schema SET version = 77");
        }

        (await Should.ThrowAsync<NotSupportedException>(async () => await journal.OpenAsync(CancellationToken.None))).Message.ShouldContain("77");
    }

    [Fact]
    public async Task File_that_is_no_database_is_refused_as_damaged()
    {
        await File.WriteAllTextAsync(DatabasePath, new string('x', 5000));
        await using IJournal journal = Store.Get("default");

        await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Log_stays_bounded_under_a_constant_writer_and_a_reader_beside_it()
    {
        var options = new SqliteJournalOptions { CheckpointEveryBytes = 1 << 20, WalResetBytes = 4 << 20, WalBytesMax = 12 << 20 };
        await using var store = new SqliteJournalStore(DatabasePath, options);
        await using var journal = (SqliteJournal)store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        using var stop = new CancellationTokenSource();
        Task<int> reading = Task.Run(() => ReadUntilAsync(journal, stop.Token));
        long walMax = 0;
        long written = 0;
        for (int round = 0; round < 60; round++)
        {
            List<byte[]> chain = await Frames.AppendAsync(journal, tail, 20, payloadBytes: 60_000);
            tail = tail with { Sequence = tail.Sequence + chain.Count, Hash = Frame.Read(chain[^1]).Hash };
            written += chain.Sum(f => (long)f.Length);
            walMax = Math.Max(walMax, new FileInfo(DatabasePath + "-wal").Length);
        }

        await stop.CancelAsync();
        (await reading).ShouldBeGreaterThan(0);
        journal.CheckpointError.ShouldBeNull();
        written.ShouldBeGreaterThan(5 * options.WalBytesMax, "else the bound isn't tried");
        walMax.ShouldBeLessThan(options.WalBytesMax + (1 << 20));
        (await VerifyAsync(journal)).ShouldBe(tail.Sequence);
    }

    [Fact]
    public async Task Log_grows_past_the_bound_when_a_foreign_read_transaction_pins_it()
    {
        // The planted fault for the test above: with the log pinned its size does exceed the bound, so that test can fail.
        var options = new SqliteJournalOptions { CheckpointEveryBytes = 1 << 20, WalResetBytes = 2 << 20, WalBytesMax = 3 << 20 };
        await using var store = new SqliteJournalStore(DatabasePath, options);
        await using IJournal journal = store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(CancellationToken.None), 1);
        using SqliteDatabase pin = SqliteDatabase.Open(DatabasePath, create: false);
        pin.Execute("BEGIN");
        pin.QueryLong("SELECT count(*) FROM journal").ShouldBe(1);

        await Frames.AppendAsync(journal, await journal.OpenAsync(CancellationToken.None), 100, payloadBytes: 60_000);

        new FileInfo(DatabasePath + "-wal").Length.ShouldBeGreaterThan(options.WalBytesMax + (1 << 20));
    }

    [Fact]
    public async Task Log_is_begun_anew_by_the_writer_long_before_the_hard_bound()
    {
        var options = new SqliteJournalOptions { CheckpointEveryBytes = 1 << 20, WalResetBytes = 4 << 20, WalBytesMax = 1L << 40 };
        await using var store = new SqliteJournalStore(DatabasePath, options);
        await using IJournal journal = store.Get("default");

        await Frames.AppendAsync(journal, await journal.OpenAsync(CancellationToken.None), 1500, payloadBytes: 60_000);

        // 90 MB were written. SQLite never shortens the log, so its length is the largest it ever had.
        new FileInfo(DatabasePath + "-wal").Length.ShouldBeLessThan(45 << 20);
    }

    [Fact]
    public async Task Journal_is_made_safely_by_many_at_once()
    {
        for (int i = 0; i < 30; i++)
        {
            string space = $"s{i}";
            await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
            {
                await using IJournal journal = Store.Get(space);
                (await journal.OpenAsync(CancellationToken.None)).Sequence.ShouldBe(0);
            })));
        }
    }

    [Fact]
    public async Task Checkpoint_error_is_reported_and_harms_no_append()
    {
        var options = new SqliteJournalOptions { CheckpointEveryBytes = 1 << 16, WalResetBytes = 1 << 20 };
        await using var store = new SqliteJournalStore(DatabasePath, options);
        await using var journal = (SqliteJournal)store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);

        // The background pass opens the file by its name: with the name gone it fails, while the writer's handle works on.
        File.Move(DatabasePath, DatabasePath + ".away");
        List<byte[]> chain = await Frames.AppendAsync(journal, tail, 5, payloadBytes: 60_000);
        for (int i = 0; i < 200 && journal.CheckpointError is null; i++)
        {
            await Task.Delay(25);
        }

        journal.CheckpointError.ShouldNotBeNull();
        File.Move(DatabasePath + ".away", DatabasePath);
        await Frames.AppendAsync(journal, tail with { Sequence = 5, Hash = Frame.Read(chain[^1]).Hash }, 5, payloadBytes: 60_000);
        (await VerifyAsync(journal)).ShouldBe(10);
    }

    [Fact]
    public async Task Closing_right_after_heavy_appends_ends_the_checkpoint_thread()
    {
        var options = new SqliteJournalOptions { CheckpointEveryBytes = 1 << 16, WalResetBytes = 1 << 20 };
        await using var store = new SqliteJournalStore(DatabasePath, options);
        for (int i = 0; i < 10; i++)
        {
            IJournal journal = store.Get("default");
            await Frames.AppendAsync(journal, await journal.OpenAsync(CancellationToken.None), 5, payloadBytes: 60_000);
            await journal.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        }
    }

    [Fact]
    public async Task Appending_allocates_nothing()
    {
        await using IJournal journal = Store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        List<byte[]> chain = Frames.Chain(1, 60, tail.Hash, payloadBytes: 2000);
        long before = 0;
        for (int i = 0; i < chain.Count; i++)
        {
            if (i == 10)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            ValueTask append = journal.AppendAsync(i + 1, chain[i], CancellationToken.None);
            while (!append.IsCompleted)
            {
                Thread.Sleep(0); // an await would go on on another thread, whose allocations aren't counted
            }

            append.IsCompletedSuccessfully.ShouldBeTrue();
#pragma warning disable xUnit1031 // it has completed
            append.GetAwaiter().GetResult();
#pragma warning restore xUnit1031
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Fact]
    public async Task An_append_completes_only_after_its_sync_and_what_waits_meanwhile_shares_the_next()
    {
        using var disk = new ManualResetEventSlim();
        int syncs = 0;
        List<byte[]> chain = Frames.Chain(1, 3, new byte[32]);
        (SqliteJournal journal, Task first) = await AppendToHeldDiskAsync(disk, chain[0], () => Interlocked.Increment(ref syncs));
        await using SqliteJournal closing = journal;
        Task second = journal.AppendAsync(2, chain[1], CancellationToken.None).AsTask();
        Task third = journal.AppendAsync(3, chain[2], CancellationToken.None).AsTask();

        // The first is in the file, and not acknowledged; the others did not hold up their caller.
        (await journal.ReadAsync(1, CancellationToken.None).CountAsync()).ShouldBe(1);
        await Task.Delay(50, CancellationToken.None);
        new[] { first, second, third }.ShouldAllBe(append => !append.IsCompleted);

        disk.Set();
        await Task.WhenAll(first, second, third).WaitAsync(Patience);
        syncs.ShouldBe(2);
        (await journal.ReadAsync(1, CancellationToken.None).CountAsync()).ShouldBe(3);
    }

    [Fact]
    public async Task One_that_cannot_be_written_takes_none_of_those_with_it_that_wait_beside_it()
    {
        using var disk = new ManualResetEventSlim();
        List<byte[]> chain = Frames.Chain(1, 9, new byte[32]);
        (SqliteJournal journal, Task first) = await AppendToHeldDiskAsync(disk, chain[0]);
        await using SqliteJournal closing = journal;
        Task second = journal.AppendAsync(2, chain[1], CancellationToken.None).AsTask();
        Task outOfOrder = journal.AppendAsync(9, chain[8], CancellationToken.None).AsTask();
        disk.Set();

        await first.WaitAsync(Patience);
        await second.WaitAsync(Patience);
        (await Should.ThrowAsync<JournalException>(() => outOfOrder.WaitAsync(Patience))).Fault.ShouldBe(JournalFault.Conflict);
        (await journal.OpenAsync(CancellationToken.None)).Sequence.ShouldBe(2);
    }

    /// <summary>Closing waits for the disk: what was taken in is durable afterwards.</summary>
    [Fact]
    public async Task Closing_writes_what_waits()
    {
        using var disk = new ManualResetEventSlim();
        List<byte[]> chain = Frames.Chain(1, 2, new byte[32]);
        (SqliteJournal journal, Task first) = await AppendToHeldDiskAsync(disk, chain[0]);
        Task second = journal.AppendAsync(2, chain[1], CancellationToken.None).AsTask();
        Task closed = Task.Run(async () => await journal.DisposeAsync());
        await Task.Delay(50, CancellationToken.None);
        closed.IsCompleted.ShouldBeFalse();
        disk.Set();

        await Task.WhenAll(closed, first, second).WaitAsync(Patience);
        await using IJournal again = Store.Get("default");
        (await again.OpenAsync(CancellationToken.None)).Sequence.ShouldBe(2);
        await Should.ThrowAsync<ObjectDisposedException>(async () => await journal.AppendAsync(2, chain[1], CancellationToken.None));
    }

    [Fact]
    public async Task A_failed_sync_leaves_the_outcome_unknown_until_the_journal_is_opened_again()
    {
        await using var journal = (SqliteJournal)Store.Get("default");
        JournalTail tail = await journal.OpenAsync(CancellationToken.None);
        List<byte[]> chain = Frames.Chain(1, 3, tail.Hash);
        await journal.AppendAsync(1, chain[0], CancellationToken.None);
        journal.BeforeSync = () => throw new IOException("planted");

        JournalException failed = await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(2, chain[1], CancellationToken.None));
        failed.Fault.ShouldBe(JournalFault.Unknown);

        // A later sync that says all is well would be no proof for the one that failed; nothing more is written behind it.
        failed = await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(3, chain[2], CancellationToken.None));
        failed.Fault.ShouldBe(JournalFault.Unknown);

        journal.BeforeSync = null;
        tail = await journal.OpenAsync(CancellationToken.None);
        tail.Sequence.ShouldBe(2);
    }

    [Fact]
    public async Task A_log_that_cannot_be_synced_at_the_start_is_storage_that_is_not_there_yet()
    {
        await using var journal = (SqliteJournal)Store.Get("default");
        journal.BeforeSync = () => throw new IOException("planted");
        JournalException failed = await Should.ThrowAsync<JournalException>(async () => await journal.OpenAsync(CancellationToken.None));
        failed.Fault.ShouldBe(JournalFault.NotWritten);
        failed.Message.ShouldContain("planted");

        journal.BeforeSync = null;
        (await journal.OpenAsync(CancellationToken.None)).Sequence.ShouldBe(0);
    }

    protected override ValueTask<IJournalStore> CreateStoreAsync() =>
        ValueTask.FromResult<IJournalStore>(new SqliteJournalStore(DatabasePath));

    protected override Task OverwriteAsync(string space, long sequence, byte[] bytes)
    {
        using SqliteDatabase other = SqliteDatabase.Open(DatabasePath, create: false);
        other.Execute($"UPDATE journal SET frame = x'{Convert.ToHexString(bytes)}' WHERE sequence = {sequence}");
        return Task.CompletedTask;
    }

    protected override async Task FlipSnapshotAsync(string space, long sequence)
    {
        string file = _folder.File($"holdfast.{sequence}.snapshot");
        byte[] bytes = await File.ReadAllBytesAsync(file);
        bytes[0] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);
    }

    /// <summary>A journal whose syncs wait for <paramref name="disk"/>, and its first append, which is in the file and waits.</summary>
    private async Task<(SqliteJournal Journal, Task First)> AppendToHeldDiskAsync(ManualResetEventSlim disk, byte[] frame, Action? syncing = null)
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var journal = (SqliteJournal)Store.Get("default");
        await journal.OpenAsync(CancellationToken.None);
        journal.BeforeSync = () =>
        {
            syncing?.Invoke();
            held.TrySetResult();
            disk.Wait();
        };
        Task first = journal.AppendAsync(1, frame, CancellationToken.None).AsTask();
        await held.Task.WaitAsync(Patience);
        return (journal, first);
    }

    private static async Task<int> ReadUntilAsync(SqliteJournal journal, CancellationToken stop)
    {
        int read = 0;
        long next = 1;
        while (!stop.IsCancellationRequested)
        {
            await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(next, CancellationToken.None))
            {
                next = Frame.Read(frame).Sequence + 1;
                read++;
            }

            await Task.Delay(5, CancellationToken.None);
        }

        return read;
    }
}

using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Postgres;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Holdfast.Engine.Tests.Snapshots;

/// <summary>Snapshots that aren't of the journal beside which they lie, and such as can't be read: they never become the state unnoticed.</summary>
public sealed class ForeignSnapshotTests(PostgresServer server) : IClassFixture<PostgresServer>, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CollectedLog _log = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Database => _folder.File("holdfast.db");

    public void Dispose()
    {
        _log.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Newer_snapshots_beside_an_older_or_a_new_journal_never_come_back(bool putBack)
    {
        Func<IJournalStore> store = () => new SqliteJournalStore(Database);
        await ServeAsync(store, serving => LiveOnAsync(serving, "kept", 20));
        byte[] backup = await File.ReadAllBytesAsync(Database, Token);
        long foreign = await LiveAndSnapshotAsync(store, "lost", 30);
        File.Delete(Database);
        if (putBack)
        {
            await File.WriteAllBytesAsync(Database, backup, Token);
        }

        await ShouldNotComeBackAsync(store, foreign);
        File.Exists(_folder.File($"holdfast.{foreign}.snapshot-aside")).ShouldBeTrue();
    }

    [Fact]
    public async Task On_PostgreSQL_neither()
    {
        string connection = await server.CreateDatabaseAsync();
        Func<IJournalStore> store = () => new PostgresJournalStore(connection);
        long kept = 0;
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, "kept", 20);
            kept = serving.Space.Durable.Sequence;
        });
        long foreign = await LiveAndSnapshotAsync(store, "lost", 30);
        await ExecuteAsync(connection, $"DELETE FROM holdfast_journal WHERE sequence > {kept}");

        await ShouldNotComeBackAsync(store, foreign);
    }

    [Fact]
    public async Task A_snapshot_of_another_history_is_known_by_its_frame_and_put_aside()
    {
        long foreign = await LiveAndSnapshotAsync(() => new SqliteJournalStore(_folder.File("elsewhere.db")), "other", 10);
        Func<IJournalStore> store = () => new SqliteJournalStore(Database);
        ulong digest = 0;
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, "mine", 40);
            serving.Space.Durable.Sequence.ShouldBeGreaterThan(foreign, "else it is only newer");
            digest = serving.Space.Durable.Digest;
        });
        File.Move(_folder.File($"elsewhere.{foreign}.snapshot"), _folder.File($"holdfast.{foreign}.snapshot"));

        VerificationReport report = await VerifyAsync(store);
        (report.FirstBadSequence, report.Digest).ShouldBe((foreign, digest));
        report.Problem!.ShouldContain("isn't of this journal");
        await ServeAsync(store, serving => Task.Run(() => serving.Space.Durable.Digest.ShouldBe(digest), Token));
        _log.At(LogLevel.Warning).ShouldContain(w => w.Contains($"snapshot of {foreign}") && w.Contains("SHA-256"));
        (await VerifyAsync(store)).Problem.ShouldBeNull();
    }

    [Fact]
    public async Task Where_frames_were_trimmed_it_stops_the_space_and_is_left_where_it_is()
    {
        long foreign = await LiveAndSnapshotAsync(() => new SqliteJournalStore(_folder.File("elsewhere.db")), "other", 200);
        Func<IJournalStore> store = () => new SqliteJournalStore(Database);
        var trimming = new SpaceOptions { Holds = History.Options, TrimAfterSnapshot = true };
        ulong digest = 0;
        await ServeAsync(
            store,
            async serving =>
            {
                for (int i = 0; i < 2; i++)
                {
                    await LiveOnAsync(serving, $"round{i}", 20);
                    (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
                }

                digest = serving.Space.Durable.Digest;
            },
            trimming);
        string file = _folder.File($"holdfast.{foreign}.snapshot");
        File.Move(_folder.File($"elsewhere.{foreign}.snapshot"), file);

        HoldfastException refusal = await Should.ThrowAsync<HoldfastException>(() => ServeAsync(store, _ => Task.CompletedTask, trimming));
        refusal.Message.ShouldContain($"snapshot of {foreign}");
        refusal.Message.ShouldContain("isn't of this journal");
        VerificationReport report = await VerifyAsync(store);
        report.IsGood.ShouldBeFalse();
        report.Frames.ShouldBeGreaterThan(20, "the frames are walked all the same");

        File.Delete(file);
        await ServeAsync(store, serving => Task.Run(() => serving.Space.Durable.Digest.ShouldBe(digest), Token), trimming);
    }

    [Fact]
    public async Task One_without_a_hash_from_an_earlier_version_is_used_while_nothing_contradicts_it()
    {
        var memory = new MemoryJournalStore();
        Func<IJournalStore> store = () => memory;
        History history = await (await History.BeginAsync(31, memory.Get("default"))).LiveAsync(100);
        await WriteAsEarlierVersionAsync(memory.Get("default"), history.Sequence, history.Machine);

        await ServeAsync(store, async serving =>
        {
            serving.Space.Durable.Events.ShouldBeLessThan(history.Events / 2);
            await LiveOnAsync(serving, "more", 5);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        });
        (await VerifyAsync(store)).Problem.ShouldBeNull();
    }

    [Fact]
    public async Task After_a_difference_a_restart_goes_by_the_frames_as_the_log_says()
    {
        var memory = new MemoryJournalStore();
        Func<IJournalStore> store = () => memory;
        History other = await (await History.BeginAsync(2, new MemoryJournalStore().Get("default"))).LiveAsync(10);
        ulong digest = 0;
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, "mine", 30);
            await WriteAsEarlierVersionAsync(serving.Space.Journal, serving.Space.Durable.Sequence - 5, other.Machine);

            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Different);

            digest = serving.Space.Durable.Digest;
            _log.At(LogLevel.Critical).ShouldHaveSingleItem().ShouldContain("a restart replays all frames");
        });

        await ServeAsync(store, async serving =>
        {
            serving.Space.Durable.Digest.ShouldBe(digest);
            await LiveOnAsync(serving, "more", 5);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    public async Task One_too_short_for_its_own_hash_holds_up_neither_the_next_nor_a_verification(int bytes)
    {
        Func<IJournalStore> store = () => new SqliteJournalStore(Database);
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, "before", 10);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
            await LiveOnAsync(serving, "after", 10);
            await File.WriteAllBytesAsync(_folder.File($"holdfast.{serving.Snapshots.LastSequence}.snapshot"), new byte[bytes], Token);
            VerificationReport report = await VerifyAsync(store);
            report.FirstBadSequence.ShouldBe(serving.Snapshots.LastSequence);
            report.LastSequence.ShouldBe(serving.Space.Durable.Sequence, "the frames are walked all the same");

            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        });
        (await VerifyAsync(store)).Problem.ShouldBeNull();
        _log.At(LogLevel.Error).ShouldHaveSingleItem().ShouldContain("damaged");
    }

    /// <summary>Serves on until the journal has passed the foreign snapshot, and again; nothing acknowledged may be missing.</summary>
    private async Task ShouldNotComeBackAsync(Func<IJournalStore> store, long foreign)
    {
        ulong digest = 0;
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, "new", 80);
            serving.Space.Durable.Sequence.ShouldBeGreaterThan(foreign, "else it is only newer");
            digest = serving.Space.Durable.Digest;
        });
        await ServeAsync(store, async serving =>
        {
            (await serving.Holdfast.GetHoldAsync("new-0")).Value!.State.ShouldBe(HoldState.Held);
            (await serving.Holdfast.GetHoldAsync("lost-0")).Code.ShouldBe(Code.NotFound);
            serving.Space.Durable.Digest.ShouldBe(digest);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        });
        _log.At(LogLevel.Warning).ShouldContain(w => w.Contains($"snapshot of {foreign}") && w.Contains("isn't of this journal"));
        (await VerifyAsync(store)).Problem.ShouldBeNull();
    }

    private async Task<long> LiveAndSnapshotAsync(Func<IJournalStore> store, string name, int holds)
    {
        long sequence = 0;
        await ServeAsync(store, async serving =>
        {
            await LiveOnAsync(serving, name, holds);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
            sequence = serving.Snapshots.LastSequence;
        });
        return sequence;
    }

    private async Task ServeAsync(Func<IJournalStore> store, Func<Serving, Task> live, SpaceOptions? options = null)
    {
        await using Serving serving = await Serving.StartAsync(store(), _ => null, options, log: _log);
        await live(serving);
    }

    private static async Task LiveOnAsync(Serving serving, string name, int holds)
    {
        await serving.StockAsync(name, holds);
        for (int i = 0; i < holds; i++)
        {
            await serving.HoldAsync($"{name}-{i}", name, 1);
        }
    }

    private static async Task<VerificationReport> VerifyAsync(Func<IJournalStore> store)
    {
        await using IJournalStore opened = store();
        await using IJournal journal = opened.Get("default");
        return await SpaceVerifier.VerifyAsync(journal, Token);
    }

    private static ValueTask WriteAsEarlierVersionAsync(IJournal journal, long sequence, SpaceMachine machine) => journal.WriteSnapshotAsync(
        sequence,
        (stream, _) =>
        {
            machine.WriteSnapshot(stream);
            return Task.CompletedTask;
        },
        Token);

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Token);
    }
}

using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Sqlite;
using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Snapshots;

public sealed class SnapshotterTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static SpaceOptions Trimming => new() { Holds = History.Options, TrimAfterSnapshot = true };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_snapshot_and_the_tail_behind_it_replay_to_what_all_frames_do()
    {
        var store = new MemoryJournalStore();
        await (await History.BeginAsync(31, store.Get("default"))).LiveAsync(100);
        await using Serving serving = await ServeAsync(store);
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        await LiveOnAsync(serving, "after", 40);

        VerificationReport report = await SpaceVerifier.VerifyAsync(store.Get("default"), Token);

        report.Problem.ShouldBeNull();
        report.SnapshotSequence.ShouldBe(serving.Snapshots.LastSequence);
        report.LastSequence.ShouldBeGreaterThan(serving.Snapshots.LastSequence + 10);
        report.Digest.ShouldBe(serving.Space.Durable.Digest);
    }

    [Fact]
    public async Task A_space_restarts_from_its_snapshot_and_reads_only_the_tail()
    {
        var store = new MemoryJournalStore();
        ulong digest;
        await using (Serving serving = await ServeAsync(store))
        {
            await LiveOnAsync(serving, "before", 200);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.NothingNew);
            await LiveOnAsync(serving, "after", 5);
            digest = serving.Space.Durable.Digest;
        }

        await using Serving again = await ServeAsync(store);

        again.Space.Durable.Digest.ShouldBe(digest);
        again.Space.Durable.Events.ShouldBeLessThan(20);
        (await again.Holdfast.GetHoldAsync("before-7")).Value!.State.ShouldBe(HoldState.Held);
        (await again.Holdfast.GetHoldAsync("after-4")).Value!.State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public async Task It_is_taken_by_itself_after_so_many_events()
    {
        var options = new SpaceOptions { Holds = History.Options, SnapshotEveryEvents = 50 };
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => null, options, new HastyTime());
        await LiveOnAsync(serving, "few", 20);
        await Task.Delay(100, Token);
        serving.Snapshots.Taken.ShouldBe(0);

        await LiveOnAsync(serving, "many", 60);

        await EventuallyAsync(() => serving.Snapshots.Taken == 1);
    }

    [Fact]
    public async Task A_trimmed_journal_restarts_and_keeps_what_views_and_the_snapshot_before_need()
    {
        string path = _folder.File("holdfast.db");
        long first;
        await using (Serving serving = await ServeFileAsync(path, Trimming))
        {
            var taken = new List<long>();
            for (int i = 0; i < 3; i++)
            {
                await LiveOnAsync(serving, $"round{i}", 30);
                await serving.CaughtUpAsync();
                (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
                taken.Add(serving.Snapshots.LastSequence);

                // The frame of the snapshot before the newest stays: the chain hangs on it.
                (await JournalStart.FirstSequenceAsync(serving.Space.Journal, Token)).ShouldBe(i == 0 ? 1 : taken[i - 1]);
            }

            first = taken[1];
        }

        await using Serving again = await ServeFileAsync(path, Trimming);
        (await again.Holdfast.GetHoldAsync("round0-3")).Value!.State.ShouldBe(HoldState.Held);
        (await again.Holdfast.GetHoldAsync("round2-29")).Value!.State.ShouldBe(HoldState.Held);
        await again.CaughtUpAsync();
        (await again.Views.ListHoldsAsync(new HoldQuery { Limit = 1_000 }, Token)).Items.Count.ShouldBe(90);
        VerificationReport report = await SpaceVerifier.VerifyAsync(again.Space.Journal, Token);
        (report.Problem, report.FirstSequence).ShouldBe((null, first));
    }

    [Fact]
    public async Task Frames_that_the_views_have_not_passed_are_not_trimmed()
    {
        bool broken = true;
        var views = new FailingViewStore(SqliteViewStore.InMemory(TimeProvider.System), _ => broken);
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => views, Trimming, new HastyTime());
        for (int i = 0; i < 3; i++)
        {
            await LiveOnAsync(serving, $"round{i}", 20);
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        }

        (await JournalStart.FirstSequenceAsync(serving.Space.Journal, Token)).ShouldBe(1);

        broken = false;
        await EventuallyAsync(() => serving.Views.Progress is { LagSequences: 0, Trouble: null });
        await LiveOnAsync(serving, "last", 5);
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        (await JournalStart.FirstSequenceAsync(serving.Space.Journal, Token)).ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Views_dropped_after_trimming_begin_at_the_snapshot()
    {
        string path = _folder.File("holdfast.db");
        await using (Serving serving = await ServeFileAsync(path, Trimming))
        {
            for (int i = 0; i < 3; i++)
            {
                await LiveOnAsync(serving, $"round{i}", 20);
                await serving.CaughtUpAsync();
                await serving.Snapshots.TakeAsync(Token);
            }

            await LiveOnAsync(serving, "tail", 7);
        }

        File.Delete(_folder.File("holdfast.views.db"));
        await using Serving again = await ServeFileAsync(path, Trimming);
        await again.CaughtUpAsync();

        ViewPage<ListedHold> holds = await again.Views.ListHoldsAsync(new HoldQuery { Limit = 1_000 }, Token);
        holds.Items.Count.ShouldBe(67);
        holds.Items.Select(h => h.Hold.Id).Distinct(StringComparer.Ordinal).Count().ShouldBe(67);
        holds.Items[^1].Hold.Id.ShouldBe("tail-6");
        (await again.Views.ListResourcesAsync("tail", cancellationToken: Token)).Items.ShouldHaveSingleItem()
            .ShouldBe((await again.Holdfast.GetResourceAsync("tail")).Value);
    }

    [Fact]
    public async Task A_replay_that_differs_from_the_live_machine_is_told_and_never_stored()
    {
        var journals = new LyingJournalStore();
        await using Serving serving = await ServeAsync(journals);
        await LiveOnAsync(serving, "x", 30);
        SnapshotDifference? told = null;
        serving.Snapshots.Differed += difference => told = difference;

        journals.Lies = true;
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Different);

        serving.Snapshots.Differences.ShouldBe(1);
        told!.LiveDigest.ShouldBe(serving.Space.Durable.Digest);
        told.ReplayedDigest.ShouldNotBe(told.LiveDigest);
        (await serving.Space.Journal.OpenSnapshotAsync(Token)).ShouldBeNull();

        // The same bytes without the lie: so it was the lie.
        journals.Lies = false;
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
    }

    [Fact]
    public async Task A_damaged_snapshot_is_passed_over_while_all_frames_are_there()
    {
        string path = _folder.File("holdfast.db");
        ulong digest = await ServeAndStopAsync(path, new SpaceOptions { Holds = History.Options }, snapshots: 1);
        DamageNewestSnapshot();

        VerificationReport report = await SpaceVerifier.VerifyAsync(new SqliteJournalStore(path).Get("default"), Token);
        await using Serving again = await ServeFileAsync(path, new SpaceOptions { Holds = History.Options });

        report.Problem!.ShouldContain("snapshot");
        report.Digest.ShouldBe(digest);
        again.Space.Durable.Digest.ShouldBe(digest);
        await LiveOnAsync(again, "more", 3);
        (await again.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        (await SpaceVerifier.VerifyAsync(again.Space.Journal, Token)).Problem.ShouldBeNull();
    }

    [Fact]
    public async Task A_damaged_snapshot_of_a_trimmed_journal_stops_the_space_and_the_one_before_serves_when_it_is_removed()
    {
        string path = _folder.File("holdfast.db");
        ulong digest = await ServeAndStopAsync(path, Trimming, snapshots: 3);
        string damaged = DamageNewestSnapshot();

        HoldfastException refusal = await Should.ThrowAsync<HoldfastException>(() => ServeFileAsync(path, Trimming));
        refusal.Message.ShouldContain("damaged");
        refusal.Message.ShouldContain("remove it");

        File.Delete(damaged);
        await using Serving again = await ServeFileAsync(path, Trimming);
        again.Space.Durable.Digest.ShouldBe(digest);
    }

    private static async Task LiveOnAsync(Serving serving, string name, int holds)
    {
        await serving.StockAsync(name, holds * 2);
        for (int i = 0; i < holds; i++)
        {
            await serving.HoldAsync($"{name}-{i}", name, 1, $"owner-{i % 3}");
        }
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Serving.Patience);
        while (!condition())
        {
            await Task.Delay(20, patience.Token);
        }
    }

    private static Task<Serving> ServeAsync(IJournalStore store, SpaceOptions? options = null) => Serving.StartAsync(store, _ => null, options);

    private Task<Serving> ServeFileAsync(string path, SpaceOptions options) =>
        Serving.StartAsync(new SqliteJournalStore(path), _ => SqliteViewStore.InFile(_folder.File("holdfast.views.db"), TimeProvider.System), options);

    private async Task<ulong> ServeAndStopAsync(string path, SpaceOptions options, int snapshots)
    {
        await using Serving serving = await ServeFileAsync(path, options);
        for (int i = 0; i < snapshots; i++)
        {
            await LiveOnAsync(serving, $"round{i}", 30);
            await serving.CaughtUpAsync();
            (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        }

        return serving.Space.Durable.Digest;
    }

    private string DamageNewestSnapshot()
    {
        string file = Directory.GetFiles(_folder.Path, "*.snapshot").OrderBy(f => long.Parse(f.Split('.')[^2], System.Globalization.CultureInfo.InvariantCulture)).Last();
        byte[] bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 0x40;
        File.WriteAllBytes(file, bytes);
        return file;
    }
}

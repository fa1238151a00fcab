using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Sqlite;
using Holdfast.Engine.Tests.Spaces;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Projection;

public sealed class ProjectorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_caller_reads_its_own_write_after_catching_up()
    {
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => SqliteViewStore.InMemory(TimeProvider.System));
        await serving.StockAsync("sku", 10);
        for (int i = 0; i < 20; i++)
        {
            await serving.HoldAsync($"h{i}", "sku", 1, "anna");
            await serving.CaughtUpAsync();
            ViewPage<ListedHold> page = await serving.Views.ListHoldsAsync(new HoldQuery { NewestFirst = true, Limit = 1 }, TestContext.Current.CancellationToken);
            page.Items[0].Hold.Id.ShouldBe($"h{i}");
            await serving.Holdfast.CancelAsync($"h{i}");
        }

        serving.Views.Progress.Failures.ShouldBe(0);
    }

    [Fact]
    public async Task Lists_of_views_that_could_not_be_set_up_say_so()
    {
        await using Serving serving = await Serving.StartAsync(
            new MemoryJournalStore(), _ => new FailingViewStore(SqliteViewStore.InMemory(TimeProvider.System), _ => true));

        ViewsUnavailableException e = await Should.ThrowAsync<ViewsUnavailableException>(
            () => serving.Views.ListHoldsAsync(new HoldQuery(), TestContext.Current.CancellationToken));
        e.Message.ShouldContain("not set up yet: ask again in a moment");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Views_of_another_journal_are_not_shown_nor_a_part_of_the_ones_that_replace_them(int failsFrom)
    {
        string path = _folder.File("views.db");
        await using (Serving other = await Serving.StartAsync(new MemoryJournalStore(), _ => SqliteViewStore.InFile(path, TimeProvider.System)))
        {
            await other.StockAsync("sku", 10);
            await other.HoldAsync("other's", "sku", 1);
            await other.CaughtUpAsync();
        }

        // Opened after step 2, emptied after step 4.
        bool fails = true;
        var failing = new FailingViewStore(SqliteViewStore.InFile(path, TimeProvider.System), step => Volatile.Read(ref fails) && step >= failsFrom);
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => failing);
        await serving.StockAsync("sku", 10);
        await serving.HoldAsync("mine", "sku", 1);
        for (int i = 0; i < 3; i++)
        {
            await Should.ThrowAsync<ViewsUnavailableException>(() => serving.Views.ListHoldsAsync(new HoldQuery(), TestContext.Current.CancellationToken));
        }

        failing.Failed.ShouldBeGreaterThan(0);
        Volatile.Write(ref fails, false);
        await serving.CaughtUpAsync();
        ViewPage<ListedHold> page = await serving.Views.ListHoldsAsync(new HoldQuery(), TestContext.Current.CancellationToken);
        page.Items.ShouldHaveSingleItem().Hold.Id.ShouldBe("mine");
    }

    [Fact]
    public async Task Views_are_set_up_by_a_clock_that_stands_still_too()
    {
        var time = new FrozenTime();
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => SqliteViewStore.InMemory(time), time: time);

        (await serving.Views.ListHoldsAsync(new HoldQuery(), TestContext.Current.CancellationToken)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Waiting_for_what_does_not_come_ends_with_false()
    {
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => SqliteViewStore.InMemory(TimeProvider.System));

        (await serving.Views.WaitForAsync(1_000_000, TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    public async Task Killed_between_any_two_steps_every_event_counts_once(int everyNth)
    {
        var store = new MemoryJournalStore();
        History history = await (await History.BeginAsync(21, store.Get("default"))).LiveAsync(400, 60);
        string path = _folder.File("views.db");
        var failing = new FailingViewStore(SqliteViewStore.InFile(path, TimeProvider.System), step => step % everyNth == 0 && step < 60);

        // All deadlines are past by the real clock: the first batch of the space expires what is left.
        await using (Serving serving = await Serving.StartAsync(store, _ => failing, time: new HastyTime()))
        {
            // Hasty time hurries this wait as well.
            (await serving.Views.CatchUpAsync(Serving.Patience * 200, TestContext.Current.CancellationToken)).ShouldBeTrue(serving.Views.Progress.Trouble);
            failing.Failed.ShouldBeGreaterThan(0);
            serving.Views.Progress.Failures.ShouldBe(failing.Failed);
        }

        await using IViewStore views = SqliteViewStore.InFile(path, TimeProvider.System);
        await views.OpenAsync(TestContext.Current.CancellationToken);
        await using IViewStore rebuilt = SqliteViewStore.InMemory(TimeProvider.System);
        await ViewTable.ProjectAsync(rebuilt, store.Get("default"), () => 7);
        (await ViewTable.DumpAsync(views, "default")).ShouldBe(await ViewTable.DumpAsync(rebuilt, "default"));
        history.Events.ShouldBeGreaterThan(5_000);
    }

    [Fact]
    public async Task The_views_of_another_journal_are_built_anew()
    {
        var first = new MemoryJournalStore();
        await (await History.BeginAsync(1, first.Get("default"))).LiveAsync(30);
        var second = new MemoryJournalStore();
        await (await History.BeginAsync(2, second.Get("default"))).LiveAsync(60);
        string path = _folder.File("views.db");
        await using (Serving before = await Serving.StartAsync(first, _ => SqliteViewStore.InFile(path, TimeProvider.System)))
        {
            await before.CaughtUpAsync();
        }

        // As after putting back a backup and going on: the position exists, but its frame is another one.
        await using Serving serving = await Serving.StartAsync(second, _ => SqliteViewStore.InFile(path, TimeProvider.System));
        await serving.CaughtUpAsync();
        await using IViewStore rebuilt = SqliteViewStore.InMemory(TimeProvider.System);
        await ViewTable.ProjectAsync(rebuilt, second.Get("default"), () => 7);
        await using IViewStore views = SqliteViewStore.InFile(path, TimeProvider.System);
        await views.OpenAsync(TestContext.Current.CancellationToken);
        (await ViewTable.DumpAsync(views, "default")).ShouldBe(await ViewTable.DumpAsync(rebuilt, "default"));
    }

    [Fact]
    public async Task A_view_database_that_fails_costs_the_loop_nothing_and_is_caught_up_with()
    {
        bool broken = true;
        var failing = new FailingViewStore(SqliteViewStore.InMemory(TimeProvider.System), _ => broken);
        await using Serving serving = await Serving.StartAsync(new MemoryJournalStore(), _ => failing);
        await serving.StockAsync("sku", 10);
        await serving.HoldAsync("h", "sku", 2);
        (await serving.Views.CatchUpAsync(TimeSpan.FromMilliseconds(500), TestContext.Current.CancellationToken)).ShouldBeFalse();
        serving.Views.Progress.Trouble.ShouldNotBeNull();
        serving.Views.Progress.LagSequences.ShouldBeGreaterThan(0);

        broken = false;
        await serving.CaughtUpAsync();

        serving.Views.Progress.Trouble.ShouldBeNull();
        serving.Views.Progress.LagSequences.ShouldBe(0);
        (await serving.Views.ListHoldsAsync(new HoldQuery(), TestContext.Current.CancellationToken)).Items.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Sqlite_keeps_each_spaces_views_in_a_file_beside_its_journal()
    {
        HoldfastOptions options = new HoldfastOptions().UseSqlite(_folder.File("holdfast.db"));
        await using (Serving serving = await Serving.StartAsync(options.JournalStore(), space => options.ViewStore(space, TimeProvider.System)))
        {
            (Space shop, _) = await serving.Host.CreateAsync("shop-2", TestContext.Current.CancellationToken);
            await serving.StockAsync("sku", 5);
            await serving.CaughtUpAsync();
            (await serving.Host.Views!.For(shop)!.CatchUpAsync(Serving.Patience, TestContext.Current.CancellationToken)).ShouldBeTrue();
            (await serving.Host.Views!.For(shop)!.ListResourcesAsync(cancellationToken: TestContext.Current.CancellationToken)).Items.ShouldBeEmpty();
            (await serving.Views.ListResourcesAsync(cancellationToken: TestContext.Current.CancellationToken)).Items.ShouldHaveSingleItem().Available.ShouldBe(5);
        }

        File.Exists(_folder.File("holdfast.views.db")).ShouldBeTrue();
        File.Exists(_folder.File("holdfast@shop-2.views.db")).ShouldBeTrue();

        // The views' files are no journals.
        await using var store = new SqliteJournalStore(_folder.File("holdfast.db"));
        (await store.ListSpacesAsync(TestContext.Current.CancellationToken)).ShouldBe(["default", "shop-2"]);
    }
}

using Dapper;
using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>What every view store does, whatever its database.</summary>
public abstract class ViewStoreConformance
{
    private const string Name = "default";

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected abstract IViewStore Open(string space = Name);

    /// <summary>A statement that makes every insert of a movement fail, and the one that ends it.</summary>
    private protected abstract (string Begin, string End) Sabotage { get; }

    private protected abstract Task ExecuteAsync(string sql);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Views_tell_what_the_machine_knows_after_a_random_history(int seed)
    {
        (IJournal journal, History history) = await LivedAsync(seed, 120);
        var random = new Random(seed);
        await using IViewStore store = Open();

        await ViewTable.ProjectAsync(store, journal, () => random.Next(1, 9));

        history.Events.ShouldBeGreaterThan(600);
        await ViewTable.ShouldTellOfAsync(store, Name, history.Machine);
    }

    [Fact]
    public async Task Rows_are_the_same_however_the_frames_were_cut_into_chunks()
    {
        (IJournal journal, _) = await LivedAsync(7, 100);
        await using IViewStore one = Open("one");
        await using IViewStore other = Open("other");

        await ViewTable.ProjectAsync(one, journal, () => 1);
        await ViewTable.ProjectAsync(other, journal, () => int.MaxValue);

        (await ViewTable.DumpAsync(one, "one")).ShouldBe(await ViewTable.DumpAsync(other, "other"));
    }

    [Fact]
    public async Task A_rebuild_gives_the_same_rows()
    {
        (IJournal journal, _) = await LivedAsync(8, 80);
        await using IViewStore store = Open();
        await ViewTable.ProjectAsync(store, journal, () => 5);
        string before = await ViewTable.DumpAsync(store, Name);

        await store.BeginAsync(null, ViewPosition.Start, Token);
        (await ViewTable.DumpAsync(store, Name)).ShouldNotContain("h1");
        await ViewTable.ProjectAsync(store, journal, () => 11);

        (await ViewTable.DumpAsync(store, Name)).ShouldBe(before);
    }

    [Fact]
    public async Task A_transaction_that_fails_half_way_leaves_neither_rows_nor_position()
    {
        (IJournal journal, History history) = await LivedAsync(9, 20);
        await using IViewStore store = Open();
        await ViewTable.ProjectAsync(store, journal, () => 4);
        string before = await ViewTable.DumpAsync(store, Name);
        await history.LiveAsync(20);

        await ExecuteAsync(Sabotage.Begin);
        await Should.ThrowAsync<System.Data.Common.DbException>(() => ViewTable.ProjectAsync(store, journal, () => int.MaxValue));
        (await ViewTable.DumpAsync(store, Name)).ShouldBe(before);

        await ExecuteAsync(Sabotage.End);
        await ViewTable.ProjectAsync(store, journal, () => int.MaxValue);
        await ViewTable.ShouldTellOfAsync(store, Name, history.Machine);
    }

    [Fact]
    public async Task The_same_chunk_twice_is_refused_and_counts_once()
    {
        (IJournal journal, History history) = await LivedAsync(10, 10);
        await using IViewStore store = Open();
        await ViewTable.ProjectAsync(store, journal, () => int.MaxValue);
        string before = await ViewTable.DumpAsync(store, Name);
        using var again = new ViewChunk();
        again.Begin(0);
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(1, Token))
        {
            again.Add(Frame.Read(bytes));
        }

        again.FindNeeded();
        await Should.ThrowAsync<ViewPositionException>(() => store.ApplyAsync(again, new ViewPosition(history.Sequence, default), Token));

        (await ViewTable.DumpAsync(store, Name)).ShouldBe(before);
    }

    [Fact]
    public async Task Views_begun_from_a_machine_tell_what_it_knows_and_go_on_as_the_others()
    {
        (IJournal journal, History history) = await LivedAsync(11, 60);
        await using IViewStore whole = Open("whole");
        await using IViewStore begun = Open("begun");
        await begun.OpenAsync(Token);
        await begun.BeginAsync(history.Machine, new ViewPosition(history.Sequence, default), Token);
        string begunRows = await ViewTable.DumpAsync(begun, "begun");

        await history.LiveAsync(60);
        await ViewTable.ProjectAsync(begun, journal, () => 3);
        await ViewTable.ProjectAsync(whole, journal, () => 3);

        begunRows.ShouldContain("h1");
        string wholeRows = await ViewTable.DumpAsync(whole, "whole"), rows = await ViewTable.DumpAsync(begun, "begun");
        Section(rows, "resources").ShouldBe(Section(wholeRows, "resources"));
        LiveHolds(rows).ShouldNotBeEmpty();
        LiveHolds(rows).ShouldBe(LiveHolds(wholeRows));
        Section(rows, "live").Count(c => c == '\n').ShouldBe(Section(wholeRows, "live").Count(c => c == '\n'));
        Section(wholeRows, "movements").Length.ShouldBeGreaterThan(Section(rows, "movements").Length);
    }

    [Fact]
    public async Task Spaces_do_not_see_each_other()
    {
        (IJournal journal, History history) = await LivedAsync(12, 30);
        await using IViewStore one = Open("one");
        await using IViewStore other = Open("other");
        await ViewTable.ProjectAsync(one, journal, () => 5);
        await other.OpenAsync(Token);
        await other.BeginAsync(null, ViewPosition.Start, Token);

        await ViewTable.ShouldTellOfAsync(one, "one", history.Machine);
        (await ViewTable.DumpAsync(other, "other")).Split('\n').Count(l => l.Contains('|', StringComparison.Ordinal)).ShouldBe(0);
    }

    [Fact]
    public async Task The_position_and_its_hash_survive_reopening()
    {
        (IJournal journal, History history) = await LivedAsync(13, 10);
        await using IViewStore store = Open();
        (await store.OpenAsync(Token)).ShouldBeNull();
        await ViewTable.ProjectAsync(store, journal, () => 4);

        ViewPosition? position = await store.OpenAsync(Token);

        position!.Sequence.ShouldBe(history.Sequence);
        position.Hash.ToArray().ShouldBe((await journal.OpenAsync(Token)).Hash.ToArray());
    }

    [Fact]
    public async Task Views_of_another_format_are_built_anew()
    {
        (IJournal journal, History history) = await LivedAsync(14, 10);
        await using IViewStore store = Open();
        await ViewTable.ProjectAsync(store, journal, () => 3);
        await ExecuteAsync("UPDATE holdfast_view_position SET format = 99; ALTER TABLE holdfast_view_holds ADD COLUMN later TEXT NOT NULL DEFAULT ''");

        (await store.OpenAsync(Token)).ShouldBeNull();

        await ViewTable.ProjectAsync(store, journal, () => 3);
        await ViewTable.ShouldTellOfAsync(store, Name, history.Machine);
    }

    private static async Task<(IJournal Journal, History History)> LivedAsync(int seed, int batches)
    {
        IJournal journal = new MemoryJournalStore().Get(Name);
        return (journal, await (await History.BeginAsync(seed, journal)).LiveAsync(batches));
    }

    private static string Section(string dump, string table) => dump.Split("-- ").Single(s => s.StartsWith(table, StringComparison.Ordinal));

    /// <summary>Live holds without their numbers and sequences, which tell where the views began.</summary>
    private static List<string> LiveHolds(string dump) =>
        [.. Section(dump, "holds").Split('\n').Select(l => l.Split('|')).Where(c => c.Length > 3 && c[3] == "1").Select(c => string.Join('|', c[1..^1])).Order(StringComparer.Ordinal)];
}

using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>The lists, over each database.</summary>
public abstract class SpaceViewsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected abstract HoldfastOptions Options { get; }

    [Fact]
    public async Task A_list_that_comes_right_after_the_first_start_is_an_empty_one()
    {
        await using Serving serving = await ServeAsync();

        (await serving.Views.ListHoldsAsync(new HoldQuery(), Token)).Items.ShouldBeEmpty();
        (await serving.Views.ListResourcesAsync(cancellationToken: Token)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Holds_are_paged_in_the_order_of_their_making_both_ways()
    {
        await using Serving serving = await ServeAsync();
        await serving.StockAsync("sku", 100);
        for (int i = 0; i < 25; i++)
        {
            await serving.HoldAsync($"h{i:00}", "sku", 1);
        }

        await serving.CaughtUpAsync();
        string[] made = [.. Enumerable.Range(0, 25).Select(i => $"h{i:00}")];

        (await AllHoldsAsync(serving, new HoldQuery { Limit = 7 })).ShouldBe(made);
        (await AllHoldsAsync(serving, new HoldQuery { Limit = 7, NewestFirst = true })).ShouldBe(made.Reverse());
        (await AllHoldsAsync(serving, new HoldQuery { Limit = 25 })).ShouldBe(made);
    }

    [Fact]
    public async Task Holds_are_chosen_by_owner_state_and_resource_together()
    {
        await using Serving serving = await ServeAsync();
        await serving.StockAsync("a", 100);
        await serving.StockAsync("b", 100);
        await serving.HoldAsync("1", "a", 1, "anna");
        await serving.HoldAsync("2", "b", 1, "anna");
        await serving.HoldAsync("3", "a", 1, "bert");
        await serving.HoldAsync("4", "a", 1, "anna");
        await serving.HoldAsync("5", "a", 1);
        await serving.Holdfast.ConfirmAsync("4");
        await serving.Holdfast.CancelAsync("5");
        await serving.Holdfast.CancelAsync("6");
        await serving.CaughtUpAsync();

        (await AllHoldsAsync(serving, new HoldQuery { Owner = "anna" })).ShouldBe(["1", "2", "4"]);
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "a" })).ShouldBe(["1", "3", "4", "5"]);
        (await AllHoldsAsync(serving, new HoldQuery { State = HoldState.Held })).ShouldBe(["1", "2", "3"]);
        (await AllHoldsAsync(serving, new HoldQuery { State = HoldState.Cancelled })).ShouldBe(["5", "6"]);
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "a", State = HoldState.Held })).ShouldBe(["1", "3"]);
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "a", State = HoldState.Held, NewestFirst = true })).ShouldBe(["3", "1"]);
        (await AllHoldsAsync(serving, new HoldQuery { Owner = "anna", Resource = "a", State = HoldState.Confirmed })).ShouldBe(["4"]);
        await serving.Holdfast.TryHoldAsync(new HoldRequest("7", new HoldLine("a", 2), new HoldLine("b", 2)) { Ttl = TimeSpan.FromHours(1) });
        await serving.CaughtUpAsync(); // its rows are there before they change
        await serving.Holdfast.ConfirmAsync("7", [new HoldLine("a", 2)], keepRemainder: true);
        await serving.CaughtUpAsync();
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "a", State = HoldState.Held })).ShouldBe(["1", "3", "7"], "its line on a holds nothing any more, and it is held");
        await serving.Holdfast.CancelAsync("7");
        await serving.CaughtUpAsync();
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "a", State = HoldState.Held })).ShouldBe(["1", "3"]);
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "b", State = HoldState.Held })).ShouldBe(["2"]);
        (await AllHoldsAsync(serving, new HoldQuery { Owner = "nobody" })).ShouldBeEmpty();
        (await AllHoldsAsync(serving, new HoldQuery { Resource = "unknown" })).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_listed_hold_is_the_one_that_the_space_tells_of()
    {
        await using Serving serving = await ServeAsync();
        await serving.StockAsync("a", 100);
        await serving.StockAsync("b", 100);
        await serving.Holdfast.TryHoldAsync(new HoldRequest("x", new HoldLine("b", 3), new HoldLine("a", 2)) { Owner = "anna" });
        await serving.Holdfast.ConfirmAsync("x", [new HoldLine("b", 1)], keepRemainder: true);
        await serving.Holdfast.ReturnAsync("x", "r", [new HoldLine("b", 1)], "broken");
        await serving.CaughtUpAsync();

        ListedHold listed = (await serving.Views.ListHoldsAsync(new HoldQuery(), Token)).Items.ShouldHaveSingleItem();
        HoldView told = (await serving.Holdfast.GetHoldAsync("x")).Value!;

        (listed.Hold with { Lines = [] }).ShouldBe(told with { Lines = [] });
        listed.Hold.Lines.ShouldBe(told.Lines);
        listed.FinishedAtMs.ShouldBeNull();
    }

    [Fact]
    public async Task Movements_tell_each_change_with_its_reason_in_order()
    {
        await using Serving serving = await ServeAsync();
        await serving.StockAsync("sku", 10);
        await serving.HoldAsync("h", "sku", 4);
        await serving.Holdfast.ConfirmAsync("h", [new HoldLine("sku", 3)]);
        await serving.Holdfast.ReturnAsync("h", "r1", [new HoldLine("sku", 1)], "too small");
        await serving.CaughtUpAsync();
        var all = new List<Movement>();
        for (string? after = null; ;)
        {
            ViewPage<Movement> page = await serving.Views.ListMovementsAsync("sku", after, 1, Token);
            all.AddRange(page.Items);
            if ((after = page.Next) is null)
            {
                break;
            }
        }

        all.Select(m => (m.Kind, m.Hold, m.Available, m.Held, m.Consumed, m.Reason, m.Reference)).ShouldBe([
            (EventType.SupplyAdjusted, null, 10, 0, 0, "delivery", "delivery-sku"),
            (EventType.Held, "h", -4, 4, 0, null, null),
            (EventType.Confirmed, "h", 1, -4, 3, null, null),
            (EventType.Returned, "h", 1, 0, -1, "too small", "r1"),
        ]);
        (await serving.Views.ListMovementsAsync("unknown", cancellationToken: Token)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task Resources_are_paged_by_id_and_chosen_by_prefix()
    {
        await using Serving serving = await ServeAsync();
        foreach (string id in new[] { "b", "a1", "a", "A", "a2", "é", "a1x" })
        {
            await serving.Holdfast.PutResourceAsync(id, new ResourcePolicy { LimitPerOwner = 2, Owner = "anna", SafetyStock = 1 });
        }

        await serving.CaughtUpAsync();

        (await AllResourcesAsync(serving, null)).ShouldBe(["A", "a", "a1", "a1x", "a2", "b", "é"]);
        (await AllResourcesAsync(serving, "a1")).ShouldBe(["a1", "a1x"]);
        (await serving.Views.ListResourcesAsync("b", cancellationToken: Token)).Items.ShouldHaveSingleItem()
            .ShouldBe((await serving.Holdfast.GetResourceAsync("b")).Value);
    }

    [Fact]
    public async Task E42_a_forced_deficit_names_the_newest_live_holds_that_cover_it()
    {
        await using Serving serving = await ServeAsync();
        await serving.StockAsync("sku", 10);
        await serving.HoldAsync("oldest", "sku", 3);
        await serving.HoldAsync("middle", "sku", 2);
        await serving.HoldAsync("bought", "sku", 3);
        await serving.HoldAsync("newest", "sku", 2);
        await serving.Holdfast.ConfirmAsync("bought");
        (await serving.Holdfast.AdjustAsync("sku", new SupplyAdjustment("fire", "burnt") { Delta = -3 })).Code.ShouldBe(Code.Insufficient);
        ResourceView left = (await serving.Holdfast.AdjustAsync("sku", new SupplyAdjustment("fire", "burnt") { Delta = -3, Force = true })).Value!;
        await serving.CaughtUpAsync();

        HoldsAtRisk risk = await serving.Views.HoldsAtRiskAsync("sku", -left.Available, Token);

        left.Available.ShouldBe(-3);
        risk.Holds.Select(h => h.Hold.Id).ShouldBe(["newest", "middle"]);
        (risk.Covered, risk.Complete).ShouldBe((4, true));
        HoldsAtRisk all = await serving.Views.HoldsAtRiskAsync("sku", 1_000, Token);
        all.Holds.Select(h => h.Hold.Id).ShouldBe(["newest", "middle", "oldest"]);
        (all.Covered, all.Complete).ShouldBe((7, true));
        (await serving.Views.HoldsAtRiskAsync("sku", 0, Token)).Holds.ShouldBeEmpty();
    }

    [Fact]
    public async Task Limits_and_cursors_that_are_none_are_refused_in_words()
    {
        await using Serving serving = await ServeAsync();

        await Should.ThrowAsync<ViewQueryException>(() => serving.Views.ListHoldsAsync(new HoldQuery { Limit = 0 }, Token));
        await Should.ThrowAsync<ViewQueryException>(() => serving.Views.ListHoldsAsync(new HoldQuery { Limit = 1_001 }, Token));
        await Should.ThrowAsync<ViewQueryException>(() => serving.Views.ListHoldsAsync(new HoldQuery { After = "-1" }, Token));
        await Should.ThrowAsync<ViewQueryException>(() => serving.Views.ListMovementsAsync("sku", "12", cancellationToken: Token));
        await Should.ThrowAsync<ViewQueryException>(() => serving.Views.ListResourcesAsync(limit: -5, cancellationToken: Token));
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => serving.Views.ListHoldsAsync(new HoldQuery(), cancelled.Token));
    }

    private static async Task<List<string>> AllHoldsAsync(Serving serving, HoldQuery query)
    {
        var ids = new List<string>();
        while (true)
        {
            ViewPage<ListedHold> page = await serving.Views.ListHoldsAsync(query, Token);
            ids.AddRange(page.Items.Select(h => h.Hold.Id));
            if (page.Next is null)
            {
                return ids;
            }

            page.Items.Count.ShouldBe(query.Limit ?? SpaceViews.DefaultLimit);
            query = query with { After = page.Next };
        }
    }

    private static async Task<List<string>> AllResourcesAsync(Serving serving, string? prefix)
    {
        var ids = new List<string>();
        string? after = null;
        do
        {
            ViewPage<ResourceView> page = await serving.Views.ListResourcesAsync(prefix, after, 2, Token);
            ids.AddRange(page.Items.Select(r => r.Id));
            after = page.Next;
        }
        while (after is not null);
        return ids;
    }

    private Task<Serving> ServeAsync()
    {
        HoldfastOptions options = Options;
        return Serving.StartAsync(options.JournalStore(), space => options.ViewStore(space, TimeProvider.System));
    }
}

public sealed class SqliteSpaceViewsTests : SpaceViewsTests, IDisposable
{
    private readonly TempFolder _folder = new();

    private protected override HoldfastOptions Options => new HoldfastOptions().UseSqlite(_folder.File("holdfast.db"));

    public void Dispose() => _folder.Dispose();
}

public sealed class MemorySpaceViewsTests : SpaceViewsTests
{
    private protected override HoldfastOptions Options => new HoldfastOptions().UseMemory();
}

public sealed class PostgresSpaceViewsTests(PostgresServer server) : SpaceViewsTests, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private string _connectionString = "";

    private protected override HoldfastOptions Options => new HoldfastOptions().UsePostgres(_connectionString);

    public async ValueTask InitializeAsync() => _connectionString = await server.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

using Holdfast.Client;

namespace Holdfast.Server.Tests;

/// <summary>The typed client's lists against a real server.</summary>
public sealed class ClientListTests : IAsyncLifetime
{
    private RunningServer _server = null!;
    private IHoldfastClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RunningServer.StartAsync();
        _client = HoldfastClient.Connect(new HoldfastClientOptions { HttpAddress = _server.Http.BaseAddress });
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Holds_are_listed_by_owner_state_and_resource_over_several_pages()
    {
        await StockAsync("a&b", 1_000);
        await StockAsync("c", 1_000);
        const int Count = 250;
        for (int i = 0; i < Count; i++)
        {
            (await _client.TryHoldAsync(HoldRequest.Of(i % 2 == 0 ? "a&b" : "c", 1, i % 5 == 0 ? "ann lee" : "bob", $"{i:000}"))).EnsureSucceeded();
        }

        (await _client.ConfirmAsync("000")).EnsureSucceeded();

        (await IdsAsync()).ShouldBe(Enumerable.Range(0, Count).Select(i => $"{i:000}"));
        (await IdsAsync(owner: "ann lee")).Count.ShouldBe(Count / 5);
        (await IdsAsync(resource: "a&b")).Count.ShouldBe(Count / 2);
        (await IdsAsync("ann lee", HoldState.Held, "a&b")).Count.ShouldBe((Count / 10) - 1);
        ListedHold confirmed = (await _client.Lists.HoldsAsync(state: HoldState.Confirmed).ToListAsync()).ShouldHaveSingleItem();
        (confirmed.Hold.Id, confirmed.Hold.Owner, confirmed.Hold.State).ShouldBe(("000", "ann lee", HoldState.Confirmed));
        confirmed.Hold.Lines.ShouldBe([new HoldLine("a&b", 1)]);
        confirmed.FinishedAt!.Value.ShouldBeGreaterThanOrEqualTo(confirmed.CreatedAt);
        confirmed.Sequence.ShouldBeGreaterThan(0);

        async Task<List<string>> IdsAsync(string? owner = null, HoldState? state = null, string? resource = null) =>
            await _client.Lists.HoldsAsync(owner, state, resource).Select(h => h.Hold.Id).ToListAsync();
    }

    [Fact]
    public async Task Resources_are_listed_by_prefix_with_their_policies()
    {
        await StockAsync("a/1", 1);
        await StockAsync("a/2", 2);
        await StockAsync("b/1", 3);
        await _client.PutResourceAsync("a/2", new ResourcePolicy { LimitPerOwner = 7 });

        (await _client.Lists.ResourcesAsync().Select(r => r.Id).ToListAsync()).ShouldBe(["a/1", "a/2", "b/1"]);
        List<Resource> found = await _client.Lists.ResourcesAsync("a/").ToListAsync();
        found.Select(r => (r.Id, r.Available, r.Policy!.LimitPerOwner)).ShouldBe([("a/1", 1L, null), ("a/2", 2L, 7L)]);
        found[1].ShouldBe(await _client.GetResourceAsync("a/2"));
    }

    [Fact]
    public async Task Movements_add_up_to_what_the_resource_has()
    {
        await StockAsync("a/1", 10);
        (await _client.TryHoldAsync(HoldRequest.Of("a/1", 3, id: "h"))).EnsureSucceeded();
        (await _client.ConfirmAsync("h")).EnsureSucceeded();
        (await _client.ReturnAsync("h", new ReturnRequest([new HoldLine("a/1", 1)], "broken") { Id = "r-1" })).EnsureSucceeded();

        List<Movement> movements = await _client.Lists.MovementsAsync("a/1").ToListAsync();

        movements.Select(m => m.Kind).ShouldBe(["supply_adjusted", "held", "confirmed", "returned"]);
        Resource resource = (await _client.GetResourceAsync("a/1"))!;
        (movements.Sum(m => m.Available), movements.Sum(m => m.Held), movements.Sum(m => m.Consumed))
            .ShouldBe((resource.Available, resource.Held, resource.Consumed));
        (movements[0].Hold, movements[0].Reason, movements[0].Reference).ShouldBe((null, "delivery", "initial"));
        (movements[3].Hold, movements[3].Reason, movements[3].Reference).ShouldBe(("h", "broken", "r-1"));
        movements[3].Time.ShouldBeGreaterThanOrEqualTo(movements[0].Time);
        (await _client.Lists.MovementsAsync("nothing").ToListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_space_that_is_not_there_has_no_empty_lists()
    {
        await using IHoldfastClient client = HoldfastClient.Connect(new HoldfastClientOptions { HttpAddress = _server.Http.BaseAddress, Space = "nowhere" });

        (await Should.ThrowAsync<HoldfastProtocolException>(async () => await client.Lists.HoldsAsync().ToListAsync())).Message.ShouldContain("nowhere");
    }

    [Fact]
    public async Task A_RESP_client_without_HTTP_says_what_is_missing()
    {
        await using var resp = new RespHoldfastClient(new HoldfastClientOptions { RespAddress = "127.0.0.1:1" });
        Should.Throw<NotSupportedException>(() => resp.Lists).Message.ShouldContain("HttpAddress");
    }

    private async Task StockAsync(string resource, long units)
    {
        (await _client.PutResourceAsync(resource, new ResourcePolicy())).EnsureSucceeded();
        (await _client.AdjustAsync(resource, Adjustment.By(units, "delivery", "initial"))).EnsureSucceeded();
    }
}

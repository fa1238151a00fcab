using Holdfast.Client;

namespace Holdfast.Server.Tests.Resp;

/// <summary>The typed client against a real server, over both ways: right and wrong addresses, spaces and keys, and refusals alike.</summary>
public sealed class ClientAddressTests : IAsyncLifetime
{
    private RespServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RespServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_two_ports_swapped_are_told_at_once()
    {
        string resp = _server.Endpoint.ToString();
        string http = _server.Running.Endpoint.ToString();
        await using IHoldfastClient overResp = HoldfastClient.Connect(new HoldfastClientOptions { RespAddress = http });
        await using IHoldfastClient overHttp = HoldfastClient.Connect(new HoldfastClientOptions { HttpAddress = new Uri("http://" + resp) });

        (await Should.ThrowAsync<HoldfastProtocolException>(overResp.CancelAsync("h").AsTask())).Message.ShouldContain("RespAddress");
        (await Should.ThrowAsync<HoldfastProtocolException>(overHttp.CancelAsync("h").AsTask())).Message.ShouldContain("HttpAddress");
        (await Should.ThrowAsync<HoldfastProtocolException>(overHttp.GetHoldAsync("h").AsTask())).Message.ShouldContain("HttpAddress");
        (await Should.ThrowAsync<HoldfastProtocolException>(overHttp.PutResourceAsync("r", new()).AsTask())).Message.ShouldContain("HttpAddress");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_space_that_is_not_there_is_told(bool resp)
    {
        await using IHoldfastClient client = Client(resp, o => o.Space = "nowhere");

        (await Should.ThrowAsync<HoldfastProtocolException>(client.GetHoldAsync("h").AsTask())).Message.ShouldContain("nowhere");
        (await Should.ThrowAsync<HoldfastProtocolException>(client.GetResourceAsync("sku-1").AsTask())).Message.ShouldContain("nowhere");
        (await Should.ThrowAsync<HoldfastProtocolException>(client.ConfirmAsync("h").AsTask())).Message.ShouldContain("nowhere");
        (await Should.ThrowAsync<HoldfastProtocolException>(client.CancelAsync("h").AsTask())).Message.ShouldContain("nowhere");
    }

    [Fact]
    public async Task A_path_that_is_not_there_is_told()
    {
        await using IHoldfastClient client = Client(resp: false, o => o.HttpAddress = new Uri(o.HttpAddress!, "/elsewhere"));

        (await Should.ThrowAsync<HoldfastProtocolException>(client.GetHoldAsync("h").AsTask())).Message.ShouldContain("/elsewhere");
        (await Should.ThrowAsync<HoldfastProtocolException>(client.ConfirmAsync("h").AsTask())).Message.ShouldContain("/elsewhere");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_key_that_an_open_server_does_not_need_is_no_mistake(bool resp)
    {
        await using IHoldfastClient client = Client(resp, o => o.ApiKey = "not needed here at all");

        (await client.GetResourceAsync("sku-1"))!.Id.ShouldBe("sku-1");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refusal_names_the_hold_that_stands_in_the_way(bool resp)
    {
        await using IHoldfastClient client = Client(resp);
        await client.PutResourceAsync("sku one", new ResourcePolicy { LimitPerOwner = 2 });
        (await client.AdjustAsync("sku one", Adjustment.By(10))).EnsureSucceeded();
        (await client.TryHoldAsync(HoldRequest.Of("sku one", 2, "ann", "her first hold"))).EnsureSucceeded();

        Refusal refusal = (await client.TryHoldAsync(HoldRequest.Of("sku one", 1, "ann", "h2"))).Refusal!;

        (refusal.Code, refusal.Resource, refusal.Asked, refusal.Available, refusal.BlockingHold)
            .ShouldBe((RefusalCode.LimitExceeded, "sku one", 1, 0, "her first hold"));
    }

    [Fact]
    public async Task An_adjustment_repeated_the_other_way_is_the_same_one()
    {
        await using IHoldfastClient resp = Client(resp: true);
        await using IHoldfastClient http = Client(resp: false);

        long? available = (await resp.AdjustAsync("sku-1", Adjustment.By(5, id: "a-1"))).EnsureSucceeded().Available;
        (await http.AdjustAsync("sku-1", Adjustment.By(5, id: "a-1"))).EnsureSucceeded().Available.ShouldBe(available);
    }

    private IHoldfastClient Client(bool resp, Action<HoldfastClientOptions>? change = null)
    {
        var options = new HoldfastClientOptions { HttpAddress = _server.Running.Http.BaseAddress, RespAddress = resp ? _server.Endpoint.ToString() : null };
        change?.Invoke(options);
        return HoldfastClient.Connect(options);
    }
}

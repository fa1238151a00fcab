using System.Text.RegularExpressions;

namespace Holdfast.Client.Tests;

/// <summary>What is refused before it is sent is refused alike, whichever way it would have gone.</summary>
public sealed class RequestRuleTests : IAsyncDisposable
{
    private const string ResourceText = """{"id":"sku-1","available":5,"held":2,"consumed":1,"version":9}""";
    private readonly ScriptedRespServer _server = new((_, _) => ":105\r\n");
    private readonly ScriptedHttp _wire = new(ScriptedHttp.Json(200, ResourceText));
    private readonly IHoldfastClient[] _clients;

    public RequestRuleTests() => _clients = [_server.Client(), _wire.Client()];

    private static CancellationToken Test => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }

        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(@"a\uD800")]
    [InlineData(@"\uDC00b")]
    public async Task Id_that_is_none_is_a_mistake_of_the_caller(string? text)
    {
        var id = Unescaped(text);
        foreach (var client in _clients)
        {
            await Throws(() => client.ConfirmAsync(id!, cancellationToken: Test));
            await Throws(() => client.CancelAsync(id!, Test));
            await Throws(() => client.ExtendAsync(id!, TimeSpan.FromSeconds(1), Test));
            await Throws(() => client.GetHoldAsync(id!, Test));
            await Throws(() => client.GetResourceAsync(id!, Test));
            await Throws(() => client.AdjustAsync(id!, Adjustment.By(1, "why", "a-1"), Test));
            if (id is not null)
            {
                await Throws(() => client.TryHoldAsync(HoldRequest.Of("sku-1", 1, id: id), Test));
                await Throws(() => client.TryHoldAsync(HoldRequest.Of("sku-1", 1, owner: id), Test));
                await Throws(() => client.AdjustAsync("sku-1", Adjustment.By(1, "why", id), Test));
            }
        }

        NothingWasSent();

        static async Task Throws<T>(Func<ValueTask<T>> call) => await Should.ThrowAsync<ArgumentException>(async () => await call());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(@"a\uD800")]
    public async Task Line_without_a_resource_is_refused_as_the_server_would(string? text)
    {
        HoldLine[] lines = [new HoldLine("sku-1", 1), new HoldLine(Unescaped(text)!, 1)];
        foreach (var client in _clients)
        {
            (await client.TryHoldAsync(new HoldRequest(lines), Test)).Refusal!.Code.ShouldBe(RefusalCode.Invalid);
            (await client.TryHoldAsync(new HoldRequest([null!]), Test)).Refusal!.Code.ShouldBe(RefusalCode.Invalid);
            (await client.ConfirmAsync("h", new ConfirmRequest { Lines = lines }, Test)).Refusal!.Code.ShouldBe(RefusalCode.Invalid);
        }

        NothingWasSent();
    }

    [Fact]
    public async Task Reason_that_was_left_out_is_sent_as_not_said()
    {
        foreach (var client in _clients)
        {
            (await client.AdjustAsync("sku-1", Adjustment.By(5, id: "a-1"), Test)).Succeeded.ShouldBeTrue();
        }

        _server.Received.Single().Command.ShouldBe(["STOCK.ADJUST", "sku-1", "a-1", "5", "not said"]);
        _wire.Sent.Single().Body.ShouldBe("""{"id":"a-1","delta":5,"reason":"not said"}""");
    }

    [Fact]
    public async Task Reason_of_no_words_is_refused()
    {
        foreach (var client in _clients)
        {
            var refused = await client.AdjustAsync("sku-1", Adjustment.By(5, "", "a-1"), Test);
            (refused.Id, refused.Refusal!.Code).ShouldBe(("a-1", RefusalCode.Invalid));
        }

        (await _clients[1].ReturnAsync("h", new ReturnRequest([new HoldLine("sku-1", 1)], ""), Test)).Refusal!.Code.ShouldBe(RefusalCode.Invalid);
        NothingWasSent();
    }

    [Fact]
    public async Task Longest_time_to_live_there_is_stays_above_zero()
    {
        foreach (var client in _clients)
        {
            await Should.ThrowAsync<HoldfastProtocolException>(async () => await client.ExtendAsync("h", TimeSpan.MaxValue, Test));
        }

        _server.Received.Single().Command.ShouldBe(["HOLD.EXTEND", "h", "922337203686"]);
        _wire.Sent.Single().Body.ShouldBe("""{"ttlSeconds":922337203686}""");
    }

    [Fact]
    public async Task Whole_surrogate_pair_is_as_good_as_any_letter()
    {
        foreach (var client in _clients)
        {
            (await client.AdjustAsync("\U0001F600", Adjustment.By(5, id: "a\U0001F600\U0001F600b"), Test)).Succeeded.ShouldBeTrue();
        }
    }

    // Attributes are kept as UTF-8, which has no half of a surrogate pair.
    private static string? Unescaped(string? text) => text is null ? null : Regex.Unescape(text);

    private void NothingWasSent()
    {
        _server.Received.ShouldBeEmpty();
        _wire.Sent.ShouldBeEmpty();
    }
}

using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Server.Tests.Checkouts;

/// <summary>Callbacks as they came: to look at, and to read again.</summary>
public sealed class KeptCallbackTests : IAsyncLifetime
{
    private CheckoutServer _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await CheckoutServer.StartAsync();

    public ValueTask DisposeAsync() => _shop.DisposeAsync();

    [Fact]
    public async Task A_callback_is_given_out_as_it_came()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c", eventId: "e1");
        await _shop.TellAsync("payment.succeeded", "c", eventId: "e1");
        await _shop.TellAsync("payment.noticed", "nobody", eventId: "e2");

        JsonArray items = (await _shop.SendAsync("/v1/callbacks", null)).Json["items"]!.AsArray();

        items.Select(i => (string)i!["eventId"]!).ShouldBe(["e1", "e2"], "the duplicate was swallowed");
        ((string)JsonNode.Parse((string)items[0]!["body"]!)!["data"]!["checkout"]!).ShouldBe("c");
        ((string)items[0]!["understoodAs"]!).ShouldBe("paid");
        ((string)items[0]!["checkout"]!).ShouldBe("c");
        ((string)items[1]!["understoodAs"]!).ShouldBe("other");
        ((string)items[1]!["type"]!).ShouldBe("payment.noticed");
        (await _shop.SendAsync("/v1/callbacks?channel=simulator", null)).Json["items"]!.AsArray().ShouldBeEmpty();
    }

    [Fact]
    public async Task Pages_go_on_behind_a_sequence()
    {
        for (int i = 0; i < 5; i++)
        {
            await _shop.TellAsync("payment.noticed", "nobody", eventId: "e" + i);
        }

        var seen = new List<string>();
        string? after = "0";
        while (after is not null)
        {
            JsonObject page = (await _shop.SendAsync($"/v1/callbacks?channel=psp&limit=2&after={after}", null)).Json;
            seen.AddRange(page["items"]!.AsArray().Select(i => (string)i!["eventId"]!));
            after = (string?)page["next"];
        }

        seen.ShouldBe(["e0", "e1", "e2", "e3", "e4"]);
    }

    [Fact]
    public async Task What_could_not_be_used_when_it_came_is_used_when_it_is_read_again_and_counts_once()
    {
        await _shop.BeginAsync("c");
        (await _shop.TellAsync("refund.succeeded", "c", refund: "r-at-the-provider", eventId: "refunded")).ShouldBe(503, "it is to come again");
        await _shop.TellAsync("payment.succeeded", "c", eventId: "paid");
        (await _shop.MoneyAsync("c")).ShouldBe("paid: p1=order | ", "the refund came first, and of a payment that was not known");

        Reply first = await _shop.SendAsync("/v1/callbacks/psp/replay", "{}");
        first.Json["items"]!.AsArray().Select(i => (string)i!["became"]!).ShouldBe(["refunded", "duplicate"]);
        string money = await _shop.MoneyAsync("c");
        money.ShouldBe("paid: p1=order | provider-r-at-the-provider=succeeded:5000");

        Reply second = await _shop.SendAsync("/v1/callbacks/psp/replay", """{"eventId":"refunded"}""");
        second.Json["items"]!.AsArray().Select(i => (string)i!["became"]!).ShouldBe(["kept"]);
        (await _shop.MoneyAsync("c")).ShouldBe(money);
        (await _shop.SendAsync("/v1/callbacks", null)).Json["items"]!.AsArray().Count.ShouldBe(2, "what is read again is not kept again");
    }

    [Fact]
    public async Task What_came_before_checkouts_were_forgotten_is_not_read_again()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync(rules: new CheckoutOptions { RetentionMs = 1 });
        await shop.TellAsync("payment.succeeded", "gone", eventId: "e");
        await Task.Delay(20);

        Reply read = await shop.SendAsync("/v1/callbacks/psp/replay", "{}");

        ((string)read.Json["items"]![0]!["became"]!).ShouldBe("too_old");
    }

    [Theory]
    [InlineData("/v1/callbacks?after=x", null)]
    [InlineData("/v1/callbacks?limit=0", null)]
    [InlineData("/v1/callbacks?limit=1001", null)]
    [InlineData("/v1/callbacks/psp/replay", """{"after":-1}""")]
    [InlineData("/v1/callbacks/psp/replay", """{"since":1}""")]
    public async Task Bad_questions_are_invalid(string path, string? body)
    {
        Reply reply = await _shop.SendAsync(path, body);

        reply.Status.ShouldBe(400);
        reply.Code.ShouldBe("invalid");
    }

    [Fact]
    public async Task A_channel_that_is_not_there_is_not_found() =>
        (await _shop.SendAsync("/v1/callbacks/nobody/replay", "{}")).Status.ShouldBe(404);
}

namespace Holdfast.Server.Tests;

public sealed class ListTests
{
    [Fact]
    public async Task Lists_show_what_was_answered_before_and_walk_by_pages()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("a-1", 10);
        await server.StockAsync("a-2", 10);
        await server.StockAsync("b-1", 10);
        (await Ids(server, "/v1/resources?prefix=a-")).ShouldBe(["a-1", "a-2"]);

        for (int i = 0; i < 5; i++)
        {
            await server.TryAsync($"h{i}", i % 2 == 0 ? "a-1" : "b-1", 1, $"\"owner\":\"o{i % 2}\",");
        }

        await server.PostAsync("/v1/holds/h0/confirm");
        (await Ids(server, "/v1/holds")).ShouldBe(["h0", "h1", "h2", "h3", "h4"]);
        (await Ids(server, "/v1/holds?order=newest&limit=2")).ShouldBe(["h4", "h3"]);
        (await Ids(server, "/v1/holds?owner=o1")).ShouldBe(["h1", "h3"]);
        (await Ids(server, "/v1/holds?resource=a-1&state=held")).ShouldBe(["h2", "h4"]);
        Reply first = await server.GetAsync("/v1/holds?limit=3");
        first.Json["items"]!.AsArray().Count.ShouldBe(3);
        (await Ids(server, "/v1/holds?limit=3&after=" + first.Json["next"]!.GetValue<string>())).ShouldBe(["h3", "h4"]);
    }

    [Fact]
    public async Task Movements_tell_what_happened_and_add_up_to_the_buckets()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await server.TryAsync("h", "sku", 3);
        await server.PostAsync("/v1/holds/h/confirm");
        Reply page = await server.GetAsync("/v1/resources/sku/movements");
        page.Json["items"]!.AsArray().Select(m => m!["kind"]!.GetValue<string>()).ShouldBe(["supply_adjusted", "held", "confirmed"]);
        page.Json["items"]!.AsArray().Sum(m => m!["available"]!.GetValue<long>()).ShouldBe(7);
        page.Json["items"]!.AsArray().Sum(m => m!["consumed"]!.GetValue<long>()).ShouldBe(3);
        page.Json["items"]![0]!["reason"]!.GetValue<string>().ShouldBe("supply");
    }

    [Theory]
    [InlineData("/v1/holds?limit=0")]
    [InlineData("/v1/holds?limit=1001")]
    [InlineData("/v1/holds?limit=x")]
    [InlineData("/v1/holds?state=sold")]
    [InlineData("/v1/holds?order=best")]
    [InlineData("/v1/holds?after=x")]
    [InlineData("/v1/holds?owner=a&owner=b")]
    [InlineData("/v1/resources/sku/movements?after=1")]
    public async Task A_wrong_query_is_400(string path)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.GetAsync(path)).ShouldBeProblem(400, "invalid");
    }

    private static async Task<string[]> Ids(RunningServer server, string path)
    {
        Reply page = await server.GetAsync(path);
        page.Status.ShouldBe(200, page.Text);
        return [.. page.Json["items"]!.AsArray().Select(i => i!["id"]!.GetValue<string>())];
    }
}

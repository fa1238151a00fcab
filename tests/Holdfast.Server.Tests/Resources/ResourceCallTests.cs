namespace Holdfast.Server.Tests;

public sealed class ResourceCallTests
{
    [Fact]
    public async Task A_put_creates_replaces_the_whole_policy_and_tells_it_back()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        Reply made = await server.PutAsync(
            "/v1/resources/sku",
            """{"limitPerOwner":2,"opensAt":"2026-01-02T03:04:05.678+01:00","closesAt":"2999-01-01T00:00:00Z","overdraft":5,"holdSeconds":1.5,"safetyStock":1}""");
        made.Status.ShouldBe(201, made.Text);
        made.Location.ShouldBe("/v1/resources/sku");
        foreach (string id in new[] { "50%20off", "a%2Fb", "a/b", "100%", "ü" })
        {
            Reply odd = await server.PutAsync("/v1/resources/" + Uri.EscapeDataString(id));
            odd.Status.ShouldBe(201);
            ((string)(await server.GetAsync(odd.Location!)).Json["id"]!).ShouldBe(id);
        }

        foreach (string dots in new[] { ".", ".." })
        {
            (await server.TryAsync(dots, "sku")).ShouldBeProblem(400, "invalid");
            (await server.PostAsync("/v1/batch", $$"""{"op":"cancel","id":"{{dots}}"}""", type: "application/x-ndjson")).Text.ShouldContain("invalid");
        }

        made.Number("limitPerOwner").ShouldBe(2);
        made.Json["opensAt"]!.GetValue<string>().ShouldBe("2026-01-02T02:04:05.678Z");
        made.Json["holdSeconds"]!.GetValue<decimal>().ShouldBe(1.5m);
        made.Number("overdraft").ShouldBe(5);
        made.Number("safetyStock").ShouldBe(1);
        made.Json["disabled"]!.GetValue<bool>().ShouldBeFalse();
        Reply replaced = await server.PutAsync("/v1/resources/sku", """{"disabled":true}""");
        replaced.Status.ShouldBe(200);
        replaced.Json["limitPerOwner"].ShouldBeNull();
        replaced.Json["disabled"]!.GetValue<bool>().ShouldBeTrue();
        Reply same = await server.PutAsync("/v1/resources/sku", """{"disabled":true}""");
        same.Text.ShouldBe(replaced.Text);
        (await server.GetAsync("/v1/resources/sku")).Text.ShouldBe(replaced.Text);
        (await server.PutAsync("/v1/resources/plain")).Status.ShouldBe(201);
    }

    [Theory]
    [InlineData("{\"limitPerOwner\":0}", "limitPerOwner")]
    [InlineData("{\"limitPerOwner\":1.5}", "limitPerOwner")]
    [InlineData("{\"overdraft\":-1}", "overdraft")]
    [InlineData("{\"holdSeconds\":0}", "holdSeconds")]
    [InlineData("{\"opensAt\":\"2030-01-01T00:00:00Z\",\"closesAt\":\"2029-01-01T00:00:00Z\"}", "closesAt")]
    [InlineData("{\"disabled\":1}", "disabled")]
    [InlineData("{\"owner\":7}", "owner")]
    public async Task A_wrong_policy_is_400_and_named(string policy, string says)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PutAsync("/v1/resources/sku", policy)).ShouldBeProblem(400, "invalid").Text.ShouldContain(says);
        (await server.GetAsync("/v1/resources/sku")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task E45_an_adjustment_counts_once_by_its_id()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 0);
        const string Body = """{"id":"a1","delta":7,"reason":"delivery"}""";
        (await server.PostAsync("/v1/resources/sku/adjustments", Body)).Number("available").ShouldBe(7);
        (await server.PostAsync("/v1/resources/sku/adjustments", Body)).Number("available").ShouldBe(7);
        (await server.PostAsync("/v1/resources/sku/adjustments", Body.Replace("7", "8"))).ShouldBeProblem(409, "conflict");
    }

    [Fact]
    public async Task E43_an_absolute_set_needs_the_version_that_was_seen()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 5);
        long version = (await server.GetAsync("/v1/resources/sku")).Number("version");
        await server.TryAsync("h", "sku");
        string body = $$"""{"id":"a1","set":10,"expectedVersion":{{version}},"reason":"count"}""";
        Reply refused = (await server.PostAsync("/v1/resources/sku/adjustments", body)).ShouldBeProblem(409, "version_mismatch");
        refused.Number("available").ShouldBe(version + 1);
        Reply done = await server.PostAsync("/v1/resources/sku/adjustments", body.Replace($":{version}", $":{version + 1}"));
        done.Number("available").ShouldBe(10);
    }

    [Theory]
    [InlineData("{\"id\":\"a\",\"delta\":1}", "reason")]
    [InlineData("{\"id\":\"a\",\"reason\":\"r\"}", "delta, or set")]
    [InlineData("{\"id\":\"a\",\"delta\":1,\"set\":1,\"expectedVersion\":1,\"reason\":\"r\"}", "delta, or set")]
    [InlineData("{\"id\":\"a\",\"set\":1,\"reason\":\"r\"}", "expectedVersion")]
    [InlineData("{\"id\":\"a\",\"set\":1,\"expectedVersion\":1,\"force\":true,\"reason\":\"r\"}", "force")]
    [InlineData("{\"id\":\"a\",\"delta\":1,\"expectedVersion\":1,\"reason\":\"r\"}", "expectedVersion")]
    [InlineData("{\"id\":\"a\",\"delta\":0,\"reason\":\"r\"}", "delta")]
    [InlineData("{\"id\":\"a\",\"delta\":0.5,\"reason\":\"r\"}", "delta")]
    [InlineData("{\"delta\":1,\"reason\":\"r\"}", "id")]
    [InlineData("{\"id\":\"a\",\"set\":-1,\"expectedVersion\":2,\"reason\":\"r\"}", "set")]
    public async Task E48_a_wrong_adjustment_is_400_and_named(string body, string says)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 5);
        (await server.PostAsync("/v1/resources/sku/adjustments", body)).ShouldBeProblem(400, "invalid").Text.ShouldContain(says);
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(5);
    }

    [Fact]
    public async Task E42_below_what_is_held_is_refused_or_forced_and_then_tells_the_newest_holds_at_risk()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 5);
        await server.TryAsync("old", "sku", 2);
        await server.TryAsync("middle", "sku", 2);
        await server.TryAsync("new", "sku", 1);
        const string Lost = """{"id":"lost","delta":-3,"reason":"water"}""";
        (await server.PostAsync("/v1/resources/sku/adjustments", Lost)).ShouldBeProblem(409, "insufficient");
        Reply forced = await server.PostAsync("/v1/resources/sku/adjustments", """{"id":"lost2","delta":-3,"reason":"water","force":true}""");
        forced.Status.ShouldBe(200, forced.Text);
        forced.Number("available").ShouldBe(-3);
        forced.Number("deficit").ShouldBe(3);
        forced.Json["holdsAtRisk"]!.AsArray().Select(h => h!.GetValue<string>()).ShouldBe(["new", "middle"]);
        (await server.GetAsync("/v1/resources/sku")).Json.ContainsKey("deficit").ShouldBeFalse();
    }
}

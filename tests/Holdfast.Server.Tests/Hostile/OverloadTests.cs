namespace Holdfast.Server.Tests;

public sealed class OverloadTests
{
    [Fact]
    public async Task E57_a_full_queue_is_429_and_what_was_refused_was_certainly_not_executed()
    {
        var store = new GatedStore();
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { QueueCapacity = 8 }, store);
        await server.StockAsync("sku", 1_000);
        store.Appends.Close();
        List<Task<Reply>> asked = [];
        try
        {
            // Refusals don't wait for the journal; what was taken does.
            await FillAsync(server, asked);
            asked.Where(a => a.IsCompleted).ShouldAllBe(a => a.Result.Status == 429);
            (await server.PostAsync("/v1/batch", """{"op":"cancel","id":"x"}""", type: "application/x-ndjson")).Lines[0]["code"]!.GetValue<string>().ShouldBe("overloaded");
        }
        finally
        {
            store.Appends.Open();
        }

        Reply[] replies = await Task.WhenAll(asked);
        replies.Count(r => r.Status == 201).ShouldBeGreaterThan(0);
        for (int i = 0; i < replies.Length; i++)
        {
            Reply found = await server.GetAsync($"/v1/holds/h{i}");
            if (replies[i].Status == 201)
            {
                found.State.ShouldBe("held");
            }
            else
            {
                replies[i].ShouldBeProblem(429, "overloaded");
                found.Status.ShouldBe(404);
            }
        }

        (await server.GetAsync("/v1/resources/sku")).Number("held").ShouldBe(replies.Count(r => r.Status == 201));
    }

    [Theory]
    [InlineData("/v1/transactions", "{\"id\":\"t\",\"branches\":[{\"name\":\"b\",\"try\":{\"url\":\"http://127.0.0.1:1/\"}}]}")]
    [InlineData("/v1/checkouts", "{\"id\":\"t\",\"owner\":\"ann\",\"channel\":\"psp\",\"amount\":{\"value\":5,\"currency\":\"EUR\"},\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}")]
    public async Task E57_what_was_executed_is_not_called_overloaded_because_a_later_look_was(string path, string body)
    {
        var store = new GatedStore();
        var channels = new System.Text.Json.Nodes.JsonObject
        {
            ["psp"] = new System.Text.Json.Nodes.JsonObject { ["type"] = "standard-webhooks", ["secrets"] = new System.Text.Json.Nodes.JsonArray(Checkouts.CheckoutServer.Secret) },
        };
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { QueueCapacity = 8, Channels = channels }, store);
        await server.StockAsync("sku", 1_000);
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        request.Headers.Add("Prefer", "wait=4");
        Task<HttpResponseMessage> asked = server.Http.SendAsync(request);
        while ((await server.GetAsync(path + "/t")).Status != 200 && !asked.IsCompleted)
        {
            await Task.Delay(10);
        }

        // Full until the wait is over: what the answer's second look is told, too.
        store.Appends.Close();
        List<Task<Reply>> tries = [];
        try
        {
            await FillAsync(server, tries);
            ((int)(await asked).StatusCode).ShouldBe(201);
        }
        finally
        {
            store.Appends.Open();
        }

        await Task.WhenAll(tries);
        (await server.GetAsync(path + "/t")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task E63_a_client_gone_before_the_answer_leaves_its_hold_until_the_deadline(bool reset)
    {
        var store = new GatedStore();
        await using RunningServer server = await RunningServer.StartAsync(store: store);
        await server.StockAsync("sku", 10);
        store.Appends.Close();
        using (RawClient client = await RawClient.ConnectAsync(server.Endpoint))
        {
            await client.SendAsync(RawClient.Post("/v1/holds", """{"id":"left","ttlSeconds":2,"lines":[{"resource":"sku","quantity":4}]}"""));
            long before = server.Spaces.Default.Durable.Sequence;
            await Task.Delay(100);
            server.Spaces.Default.Durable.Sequence.ShouldBe(before);
            client.Leave(reset);
        }

        await Task.Delay(50);
        store.Appends.Open();
        Reply found = await server.GetAsync("/v1/holds/left");
        found.State.ShouldBe("held");
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(6);
        for (int i = 0; (await server.GetAsync("/v1/resources/sku")).Number("available") != 10; i++)
        {
            i.ShouldBeLessThan(200);
            await Task.Delay(50);
        }
    }

    [Fact]
    public async Task What_is_underway_when_the_server_is_told_to_stop_is_answered()
    {
        var store = new GatedStore();
        RunningServer server = await RunningServer.StartAsync(store: store);
        await server.StockAsync("sku", 10);
        store.Appends.Close();
        Task<Reply>[] asked = [.. Enumerable.Range(0, 5).Select(i => server.TryAsync($"h{i}", "sku"))];
        await Task.Delay(200);
        Task stopping = server.App.StopAsync();
        await Task.Delay(100);
        stopping.IsCompleted.ShouldBeFalse();
        store.Appends.Open();
        (await Task.WhenAll(asked)).ShouldAllBe(r => r.Status == 201);
        await stopping;
        await server.DisposeAsync();
    }

    [Fact]
    public async Task A_space_that_stops_under_a_caller_says_unavailable()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await server.Spaces.Default.DisposeAsync();
        (await server.TryAsync("h", "sku")).ShouldBeProblem(503, "unavailable");
        (await server.GetAsync("/v1/holds/h")).ShouldBeProblem(503, "unavailable");
        Reply ready = await server.GetAsync("/health/ready");
        ready.Status.ShouldBe(503);
        ready.Json["spaces"]![0]!["status"]!.GetValue<string>().ShouldBe("stopped");
    }

    /// <summary>
    /// Asks until the queue stays full: at first the loop still takes from it, into the batch behind the one whose append hangs.
    /// </summary>
    private static async Task FillAsync(RunningServer server, List<Task<Reply>> asked)
    {
        asked.AddRange(Enumerable.Range(0, 200).Select(i => server.TryAsync($"h{i}", "sku")));
        for (int refused = 0; refused < 5;)
        {
            Task<Reply> one = server.TryAsync($"h{asked.Count}", "sku");
            asked.Add(one);
            await Task.WhenAny(one, Task.Delay(200));
            refused = one.IsCompleted && (await one).Status == 429 ? refused + 1 : 0;
            await Task.Delay(20);
        }
    }
}

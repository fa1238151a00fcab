using System.Net;
using System.Text;

namespace Holdfast.Server.Tests;

public sealed class BatchTests
{
    private const string Ndjson = "application/x-ndjson";

    [Fact]
    public async Task A_repeat_is_answered_as_things_stand_at_its_place_and_not_at_the_batchs_end()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        const string Body = """
            {"op":"try","id":"h1","lines":[{"resource":"sku","quantity":2}]}
            {"op":"try","id":"h1","lines":[{"resource":"sku","quantity":2}]}
            {"op":"cancel","id":"h1"}
            {"op":"try","id":"h1","lines":[{"resource":"sku","quantity":2}]}
            """;
        Reply reply = await server.PostAsync("/v1/batch", Body, type: Ndjson);
        reply.Lines.Select(l => l["status"]!.GetValue<int>()).ShouldBe([201, 200, 200, 409]);
        reply.Lines.Select(l => (l["state"] ?? l["code"])!.GetValue<string>()).ShouldBe(["held", "held", "cancelled", "cancelled"]);
    }

    [Fact]
    public async Task More_lines_than_the_queue_takes_are_carried_out_in_parts()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { QueueCapacity = 4 });
        await server.StockAsync("sku", 100);
        string body = string.Join('\n', Enumerable.Range(0, 50).Select(i => $$"""{"op":"try","id":"h{{i}}","lines":[{"resource":"sku","quantity":1}]}"""));
        Reply reply = await server.PostAsync("/v1/batch", body, type: Ndjson);
        reply.Lines.Select(l => l["status"]!.GetValue<int>()).ShouldAllBe(status => status == 201);
        reply.Lines.Count.ShouldBe(50);
    }

    [Fact]
    public async Task E42_a_forced_adjustment_tells_its_deficit()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 5);
        Reply reply = await server.PostAsync("/v1/batch", """{"op":"adjust","resource":"sku","id":"a","delta":-8,"reason":"lost","force":true}""", type: Ndjson);
        (reply.Lines[0]["available"]!.GetValue<long>(), reply.Lines[0]["deficit"]!.GetValue<long>()).ShouldBe((-3, 3));
    }

    [Fact]
    public async Task Each_line_is_answered_in_order_as_if_it_had_come_alone()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        const string Body = """
            {"op":"try","id":"h1","owner":"ann","lines":[{"resource":"sku","quantity":2}]}
            {"op":"try","id":"h1","owner":"ann","lines":[{"resource":"sku","quantity":2}]}
            this is not JSON

            {"op":"confirm","id":"h1"}
            {"op":"cancel","id":"h1"}
            {"op":"try","id":"h2","lines":[{"resource":"sku","quantity":99}]}
            {"op":"adjust","resource":"sku","id":"a","delta":5,"reason":"delivery"}
            {"op":"dance","id":"h3"}
            {"op":"cancel","id":"h4"}
            {"op":"confirm","id":"h5"}
            {"op":"try","id":"h6","lines":[{"resource":"sku","quantity":1.5}]}
            """;
        Reply reply = await server.PostAsync("/v1/batch", Body, type: Ndjson);
        reply.Status.ShouldBe(200);
        reply.Type.ShouldBe(Ndjson);
        reply.Lines.Select(l => l["status"]!.GetValue<int>()).ShouldBe([201, 200, 400, 200, 409, 409, 200, 400, 200, 404, 400]);
        reply.Lines.Select(l => l["code"]?.GetValue<string>() ?? "-").ShouldBe(
            ["-", "-", "invalid", "-", "confirmed", "insufficient", "-", "invalid", "-", "not_found", "invalid"]);
        reply.Lines[0]["id"]!.GetValue<string>().ShouldBe("h1");
        reply.Lines[3]["state"]!.GetValue<string>().ShouldBe("confirmed");
        reply.Lines[5]["available"]!.GetValue<long>().ShouldBe(8);
        reply.Lines[6]["available"]!.GetValue<long>().ShouldBe(13);
    }

    [Fact]
    public async Task A_long_batch_keeps_its_order_over_many_sendings_and_costs_few_journal_batches()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 100_000);
        long before = server.Spaces.Default.Metrics.Batches;
        const int Count = 5_000;
        var body = new StringBuilder();
        for (int i = 0; i < Count; i++)
        {
            body.Append("{\"op\":\"try\",\"id\":\"h").Append(i).Append("\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}\r\n");
        }

        Reply reply = await server.PostAsync("/v1/batch", body.ToString(), type: Ndjson);
        reply.Lines.Select(l => l["id"]!.GetValue<string>()).ShouldBe(Enumerable.Range(0, Count).Select(i => $"h{i}"));
        reply.Lines.ShouldAllBe(l => l["status"]!.GetValue<int>() == 201);
        (server.Spaces.Default.Metrics.Batches - before).ShouldBeLessThan(Count / 20);
        (await server.GetAsync("/v1/resources/sku")).Number("held").ShouldBe(Count);
    }

    [Fact]
    public async Task Answers_come_while_the_body_is_still_being_sent()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        using RawClient client = await RawClient.ConnectAsync(server.Endpoint);
        const string Line = "{\"op\":\"try\",\"id\":\"h1\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}\n";
        await client.SendAsync($"POST /v1/batch HTTP/1.1\r\nHost: h\r\nContent-Type: {Ndjson}\r\nTransfer-Encoding: chunked\r\n\r\n{Line.Length:x}\r\n{Line}\r\n");
        for (int i = 0; (await server.GetAsync("/v1/holds/h1")).Status != 200; i++)
        {
            i.ShouldBeLessThan(200);
            await Task.Delay(20);
        }

        await client.SendAsync("0\r\n\r\n");
        await client.SendAsync("GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        string? said = await client.ReadToEndAsync(TimeSpan.FromSeconds(20));
        said.ShouldNotBeNull();
        said.ShouldContain("\"status\":201");
        said.ShouldContain("\"live\"");
    }

    [Fact]
    public async Task E64_a_line_without_end_is_refused_once_and_the_next_one_counts()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        string body = "{\"op\":\"try\",\"id\":\"" + new string('x', 300_000) + "\"}\n{\"op\":\"try\",\"id\":\"h\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}";
        Reply reply = await server.PostAsync("/v1/batch", body, type: Ndjson);
        reply.Lines.Select(l => l["status"]!.GetValue<int>()).ShouldBe([413, 201]);
    }

    [Fact]
    public async Task A_batch_of_another_type_is_415_and_an_empty_one_is_answered_by_nothing()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PostAsync("/v1/batch", "{}", type: "text/csv")).ShouldBeProblem(415, "unsupported_media_type");
        Reply empty = await server.PostAsync("/v1/batch", "\n\n", type: Ndjson);
        empty.Status.ShouldBe((int)HttpStatusCode.OK);
        empty.Text.ShouldBeEmpty();
    }
}

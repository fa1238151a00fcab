using System.Text.Json.Nodes;

namespace Holdfast.Server.Tests;

public sealed class EventStreamTests
{
    [Fact]
    public async Task A_stream_tells_the_journal_from_the_beginning_and_then_what_happens()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await server.TryAsync("h", "sku", 2, "\"owner\":\"ann\",");
        await using EventStream stream = await EventStream.OpenAsync(server, "/v1/events?after=0");
        (await stream.NextAsync())["type"]!.GetValue<string>().ShouldBe("resource_put");
        (await stream.NextAsync())["delta"]!.GetValue<long>().ShouldBe(10);
        JsonObject held = await stream.NextAsync();
        held["type"]!.GetValue<string>().ShouldBe("held");
        held["hold"]!.GetValue<string>().ShouldBe("h");
        held["owner"]!.GetValue<string>().ShouldBe("ann");
        held["lines"]!.ToJsonString().ShouldBe("""[{"resource":"sku","quantity":2}]""");

        await server.PostAsync("/v1/holds/h/confirm");
        (await stream.NextAsync())["type"]!.GetValue<string>().ShouldBe("confirmed");
        await server.StockAsync("later", 3);
        (await stream.NextAsync())["resource"]!.GetValue<string>().ShouldBe("later");
        (await stream.NextAsync())["resource"]!.GetValue<string>().ShouldBe("later");
    }

    [Fact]
    public async Task A_stream_resumes_behind_the_last_id_and_leaves_nothing_out()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 1_000);
        for (int batch = 0; batch < 20; batch++)
        {
            string body = string.Join('\n', Enumerable.Range(batch * 5, 5).Select(i => $$$"""{"op":"try","id":"h{{{i}}}","lines":[{"resource":"sku","quantity":1}]}"""));
            await server.PostAsync("/v1/batch", body, type: "application/x-ndjson");
        }

        var seen = new List<string>();
        string? last = "0";
        while (seen.Count < 100)
        {
            // Hangs up after seven events, wherever that is in a batch.
            await using EventStream stream = await EventStream.OpenAsync(server, "/v1/events", last);
            for (int i = 0; i < 7 && seen.Count < 100; i++)
            {
                JsonObject told = await stream.NextAsync();
                if (told["type"]!.GetValue<string>() == "held" && !seen.Contains(told["hold"]!.GetValue<string>()))
                {
                    seen.Add(told["hold"]!.GetValue<string>());
                }

                last = stream.LastId ?? last;
            }
        }

        seen.ShouldBe(Enumerable.Range(0, 100).Select(i => $"h{i}"));
    }

    [Fact]
    public async Task A_stream_that_is_opened_again_goes_on_where_its_reader_was_and_not_where_it_began()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await server.TryAsync("h", "sku");
        await using EventStream first = await EventStream.OpenAsync(server, "/v1/events?after=0");
        while ((await first.NextAsync())["type"]!.GetValue<string>() != "held")
        {
        }

        await server.PostAsync("/v1/holds/h/confirm");
        await using EventStream again = await EventStream.OpenAsync(server, "/v1/events?after=0", first.LastId);
        (await again.NextAsync())["type"]!.GetValue<string>().ShouldBe("confirmed");
    }

    [Fact]
    public async Task Without_a_place_a_stream_begins_now_and_wrong_places_are_400()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await using EventStream stream = await EventStream.OpenAsync(server, "/v1/events");
        await server.TryAsync("h", "sku");
        (await stream.NextAsync())["hold"]!.GetValue<string>().ShouldBe("h");
        (await server.GetAsync("/v1/events?after=-1")).ShouldBeProblem(400, "invalid");
        (await server.GetAsync("/v1/events?after=x")).ShouldBeProblem(400, "invalid");
        (await server.GetAsync("/v1/events?after=1000000")).ShouldBeProblem(409, "conflict"); // of a journal that was longer
        (await server.GetAsync("/v1/events?after=9223372036854775807")).ShouldBeProblem(409, "conflict");
    }

    private sealed class EventStream(HttpResponseMessage response, StreamReader reader) : IAsyncDisposable
    {
        public string? LastId { get; private set; }

        public static async Task<EventStream> OpenAsync(RunningServer server, string path, string? lastId = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (lastId is not null)
            {
                request.Headers.Add("Last-Event-ID", lastId);
            }

            HttpResponseMessage response = await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            (await reader.ReadLineAsync())!.ShouldStartWith(":");
            return new EventStream(response, reader);
        }

        public async Task<JsonObject> NextAsync()
        {
            using var end = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            string? id = null;
            while (true)
            {
                string line = await reader.ReadLineAsync(end.Token) ?? throw new EndOfStreamException();
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                {
                    id = line[4..];
                }
                else if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    LastId = id ?? LastId;
                    return JsonNode.Parse(line[6..])!.AsObject();
                }
            }
        }

        public ValueTask DisposeAsync()
        {
            reader.Dispose();
            response.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

using System.Text.RegularExpressions;

namespace Holdfast.Server.Tests;

public sealed partial class HealthTests
{
    [Fact]
    public async Task During_replay_the_server_is_alive_not_ready_and_answers_unavailable()
    {
        var store = new GatedStore();
        store.Opening.Close();
        await using RunningServer server = await RunningServer.StartAsync(store: store, ready: false);
        (await server.GetAsync("/health/live")).Status.ShouldBe(200);
        for (int i = 0; i < 3; i++)
        {
            Reply notReady = await server.GetAsync("/health/ready");
            notReady.Status.ShouldBe(503);
            notReady.Json["status"]!.GetValue<string>().ShouldBe("not_ready");
            await Task.Delay(20);
        }

        (await server.TryAsync("h", "sku")).ShouldBeProblem(503, "unavailable");
        (await server.GetAsync("/v1/holds/h")).ShouldBeProblem(503, "unavailable");
        (await server.GetAsync("/v1/spaces/eu/holds/h")).ShouldBeProblem(503, "unavailable");
        (await server.PutAsync("/v1/spaces/eu")).ShouldBeProblem(503, "unavailable");
        store.Opening.Open();
        await server.BecomesReadyAsync();
        Reply ready = await server.GetAsync("/health/ready");
        ready.Json["spaces"]![0]!["status"]!.GetValue<string>().ShouldBe("running");
        await server.StockAsync("sku", 1);
        (await server.TryAsync("h", "sku")).Status.ShouldBe(201);
    }

    [Fact]
    public async Task Metrics_are_well_formed_and_count_what_happened()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.PutAsync("/v1/spaces/eu");
        await server.StockAsync("sku", 2);
        await server.TryAsync("h1", "sku");
        await server.TryAsync("h2", "sku", 5);
        await server.TryAsync("h3", "none");
        Reply reply = await server.GetAsync("/metrics");
        reply.Status.ShouldBe(200);
        reply.Type.ShouldBe("text/plain");
        var values = new Dictionary<string, double>();
        var typed = new HashSet<string>();
        foreach (string line in reply.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                typed.Add(line.Split(' ')[2]).ShouldBeTrue(line);
                continue;
            }

            if (!line.StartsWith('#'))
            {
                Match sample = Sample().Match(line);
                sample.Success.ShouldBeTrue(line);
                typed.ShouldContain(sample.Groups["name"].Value);
                values.Add(sample.Groups["name"].Value + sample.Groups["labels"].Value, double.Parse(sample.Groups["value"].Value));
            }
        }

        values["""holdfast_answers_total{space="default",code="insufficient"}"""].ShouldBe(1);
        values["""holdfast_answers_total{space="default",code="unknown_resource"}"""].ShouldBe(1);
        values["""holdfast_answers_total{space="eu",code="ok"}"""].ShouldBe(0);
        values["""holdfast_holds_live{space="default"}"""].ShouldBe(1);
        values["""holdfast_events_total{space="default"}"""].ShouldBe(3);
        values["""holdfast_space_status{space="default",status="running"}"""].ShouldBe(1);
        values["""holdfast_space_status{space="default",status="stopped"}"""].ShouldBe(0);
        reply.Text.ShouldNotContain("h1");
    }

    [GeneratedRegex("""^(?<name>[a-z_]+)(?<labels>\{[a-z]+="[a-z0-9_-]+"(,[a-z]+="[a-z0-9_-]+")*\})? (?<value>-?[0-9.]+)$""")]
    private static partial Regex Sample();
}

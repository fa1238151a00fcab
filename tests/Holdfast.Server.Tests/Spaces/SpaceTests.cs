namespace Holdfast.Server.Tests;

public sealed class SpaceTests
{
    [Fact]
    public async Task Spaces_know_nothing_of_each_other()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PutAsync("/v1/spaces/eu")).Status.ShouldBe(201);
        (await server.PutAsync("/v1/spaces/eu")).Status.ShouldBe(200);
        await server.StockAsync("sku", 5);
        await server.StockAsync("sku", 7, root: "/v1/spaces/eu");
        Reply made = await server.PostAsync("/v1/spaces/eu/holds", """{"id":"h","lines":[{"resource":"sku","quantity":3}]}""");
        made.Status.ShouldBe(201);
        made.Location.ShouldBe("/v1/spaces/eu/holds/h");
        (await server.GetAsync("/v1/spaces/eu/resources/sku")).Number("available").ShouldBe(4);
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(5);
        (await server.GetAsync("/v1/spaces/default/resources/sku")).Number("available").ShouldBe(5);
        (await server.GetAsync("/v1/holds/h")).ShouldBeProblem(404, "not_found");
        (await server.PostAsync("/v1/spaces/eu/batch", """{"op":"confirm","id":"h"}""", type: "application/x-ndjson")).Lines[0]["state"]!.GetValue<string>().ShouldBe("confirmed");
        (await server.GetAsync("/v1/spaces")).Json["spaces"]!.AsArray().Select(s => s!["name"]!.GetValue<string>()).ShouldBe(["default", "eu"]);
    }

    [Fact]
    public async Task A_space_that_does_not_exist_is_404_and_says_how_to_create_it()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        foreach (string path in new[] { "/v1/spaces/none/holds/h", "/v1/spaces/none/resources/r", "/v1/spaces/none/holds", "/v1/spaces/none/outlets" })
        {
            (await server.GetAsync(path)).ShouldBeProblem(404, "not_found").Text.ShouldContain("PUT /v1/spaces/none");
        }

        (await server.PostAsync("/v1/spaces/none/holds", "{}")).ShouldBeProblem(404, "not_found");
        (await server.PostAsync("/v1/spaces/none/batch", "{}")).ShouldBeProblem(404, "not_found");
    }

    [Theory]
    [InlineData("EU")]
    [InlineData("-eu")]
    [InlineData("e.u")]
    [InlineData("e%20u")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_space_has_a_plain_name(string name)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PutAsync("/v1/spaces/" + name)).ShouldBeProblem(400, "invalid");
    }

    [Fact]
    public async Task Spaces_and_holds_are_there_after_a_restart()
    {
        using var folder = new TestKit.TempFolder();
        ServerSettings settings = RunningServer.Settings with { Journal = JournalKind.Sqlite, Data = folder.Path };
        await using (RunningServer first = await RunningServer.StartAsync(settings))
        {
            await first.PutAsync("/v1/spaces/eu");
            await first.StockAsync("sku", 5);
            await first.TryAsync("h", "sku", 2);
        }

        await using RunningServer second = await RunningServer.StartAsync(settings);
        (await second.GetAsync("/v1/holds/h")).State.ShouldBe("held");
        (await second.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(3);
        (await second.GetAsync("/v1/spaces/eu/resources/sku")).Status.ShouldBe(404);

        // The views follow; right after a start they may not be there yet.
        for (int i = 0; (await second.GetAsync("/v1/holds")) is var page && (page.Status != 200 || page.Json["items"]!.AsArray().Count != 1); i++)
        {
            i.ShouldBeLessThan(100, page.Text);
            await Task.Delay(100);
        }
    }
}

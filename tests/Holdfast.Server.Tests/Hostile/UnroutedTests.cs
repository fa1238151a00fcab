namespace Holdfast.Server.Tests;

public sealed class UnroutedTests
{
    [Fact]
    public async Task Unknown_paths_and_wrong_methods_are_problems_too()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.GetAsync("/nothing")).ShouldBeProblem(404, "not_found");
        (await server.GetAsync("/v1/holds//confirm")).ShouldBeProblem(404, "not_found");
        (await server.SendAsync(HttpMethod.Delete, "/v1/holds/h", null)).ShouldBeProblem(405, "method_not_allowed");
        (await server.SendAsync(HttpMethod.Put, "/v1/holds", "{}")).ShouldBeProblem(405, "method_not_allowed");
        (await server.GetAsync("/v1/batch")).ShouldBeProblem(405, "method_not_allowed");
    }

    [Fact]
    public async Task A_mistake_of_ours_is_a_500_that_tells_nothing_of_its_insides()
    {
        await using RunningServer server = await RunningServer.StartAsync(store: new GatedStore { Refuses = "broken" });
        Reply reply = await server.PutAsync("/v1/spaces/broken");
        reply.ShouldBeProblem(500, "internal");
        reply.Text.ShouldNotContain(GatedStore.Secret);
        reply.Text.ShouldNotContain("Exception");
        reply.Text.ShouldNotContain(" at ");
    }

    [Fact]
    public async Task A_request_that_breaks_off_gets_its_problem_and_the_connection_is_closed()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        foreach (string path in new[] { "/v1/holds", "/v1/spaces/default/holds", "/v1/resources/sku/adjustments" })
        {
            using RawClient client = await RawClient.ConnectAsync(server.Endpoint);
            await client.SendAsync($"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nnot-a-chunk\r\n");
            string? said = await client.ReadToEndAsync(TimeSpan.FromSeconds(20));
            said.ShouldNotBeNull();
            said.ShouldStartWith("HTTP/1.1 400");
            said.ShouldContain("\"code\":\"invalid\"");
        }
    }
}

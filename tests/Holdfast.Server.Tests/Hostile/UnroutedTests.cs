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
}

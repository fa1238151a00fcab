using System.Text.Json.Nodes;

namespace Holdfast.Server.Tests;

public sealed class HoldCallTests
{
    [Fact]
    public async Task A_slash_at_the_paths_end_leads_to_the_same_place()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        Reply made = await server.PostAsync("/v1/holds/", "{\"id\":\"h2\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}");
        made.Location.ShouldBe("/v1/holds/h2");
        (await server.GetAsync(made.Location!)).Text.ShouldBe(made.Text);
    }

    [Fact]
    public async Task A_new_hold_is_201_with_its_place_and_a_repeat_is_200_with_the_same_answer()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku-1", 10);
        Reply made = await server.TryAsync("h 1/ü", "sku-1", 2, "\"owner\":\"ann\",\"ttlSeconds\":60,");
        made.Status.ShouldBe(201, made.Text);
        made.Type.ShouldBe("application/json");
        made.Location.ShouldBe("/v1/holds/h%201%2F%C3%BC");
        made.Json["id"]!.GetValue<string>().ShouldBe("h 1/ü");
        made.Json["owner"]!.GetValue<string>().ShouldBe("ann");
        made.State.ShouldBe("held");
        made.Json["expiresAt"]!.GetValue<string>().ShouldMatch(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$");
        JsonNode.DeepEquals(made.Json["lines"], JsonNode.Parse("""[{"resource":"sku-1","quantity":2,"held":2,"consumed":0,"returned":0}]""")).ShouldBeTrue(made.Text);

        Reply again = await server.TryAsync("h 1/ü", "sku-1", 2, "\"owner\":\"ann\",\"ttlSeconds\":60,");
        again.Status.ShouldBe(200);
        again.Text.ShouldBe(made.Text);
        (await server.GetAsync(made.Location!)).Text.ShouldBe(made.Text);
        (await server.GetAsync("/v1/resources/sku-1")).Number("available").ShouldBe(8);
    }

    [Fact]
    public async Task E15_lines_on_one_resource_are_summed_and_told_as_one()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("a", 5);
        await server.StockAsync("b", 5);
        const string Body = """{"lines":[{"quantity":1,"resource":"a"},{"resource":"b","quantity":1},{"resource":"a","quantity":2}],"id":"h"}""";
        Reply made = await server.PostAsync("/v1/holds", Body);
        made.Status.ShouldBe(201);
        made.Json["lines"]!.ToJsonString().ShouldBe((await server.GetAsync("/v1/holds/h")).Json["lines"]!.ToJsonString());
        made.Json["lines"]!.AsArray().Count.ShouldBe(2);
        made.Json["lines"]![0]!["quantity"]!.GetValue<long>().ShouldBe(3);
    }

    [Fact]
    public async Task The_time_to_live_may_have_a_fraction_of_a_second()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        (await server.TryAsync("h", "sku", 1, "\"ttlSeconds\":0.25,")).Status.ShouldBe(201);
        await EventuallyAsync(async () => (await server.GetAsync("/v1/holds/h")).State == "expired");
        (await server.PostAsync("/v1/holds/h/confirm")).ShouldBeProblem(409, "expired");
        (await server.PostAsync("/v1/holds/h/extend", """{"ttlSeconds":5}""")).ShouldBeProblem(409, "expired");
        (await server.PostAsync("/v1/holds/h/cancel")).State.ShouldBe("expired");
    }

    [Fact]
    public async Task Confirm_consumes_all_or_the_lines_named_and_returns_come_back_once()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        await server.TryAsync("h", "sku", 5);
        (await server.PostAsync("/v1/holds/h/confirm", """{"lines":[{"resource":"sku","quantity":6}]}""")).ShouldBeProblem(409, "exceeds_hold");
        Reply part = await server.PostAsync("/v1/holds/h/confirm", """{"lines":[{"resource":"sku","quantity":2}],"keepRemainder":true}""");
        part.Status.ShouldBe(200, part.Text);
        part.Json["lines"]![0]!["held"]!.GetValue<long>().ShouldBe(3);
        Reply done = await server.PostAsync("/v1/holds/h/confirm");
        done.State.ShouldBe("confirmed");
        done.Json["lines"]![0]!["consumed"]!.GetValue<long>().ShouldBe(5);

        const string Back = """{"id":"r1","lines":[{"resource":"sku","quantity":1}],"reason":"broken"}""";
        Reply returned = await server.PostAsync("/v1/holds/h/returns", Back);
        returned.Json["lines"]![0]!["returned"]!.GetValue<long>().ShouldBe(1);
        (await server.PostAsync("/v1/holds/h/returns", Back)).Json["lines"]![0]!["returned"]!.GetValue<long>().ShouldBe(1);
        (await server.PostAsync("/v1/holds/h/returns", Back.Replace("\"quantity\":1", "\"quantity\":2"))).ShouldBeProblem(409, "conflict");
        (await server.PostAsync("/v1/holds/h/returns", Back.Replace("r1", "r2").Replace("\"quantity\":1", "\"quantity\":9"))).ShouldBeProblem(409, "exceeds_hold");
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(6);
    }

    [Fact]
    public async Task Cancel_releases_and_E01_of_an_unknown_id_leaves_a_tombstone()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 1);
        await server.TryAsync("h", "sku");
        (await server.PostAsync("/v1/holds/h/cancel")).State.ShouldBe("cancelled");
        (await server.PostAsync("/v1/holds/h/cancel")).Status.ShouldBe(200);
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(1);

        Reply tombstone = await server.PostAsync("/v1/holds/never/cancel");
        tombstone.Status.ShouldBe(200);
        tombstone.State.ShouldBe("cancelled");
        tombstone.Json["lines"]!.AsArray().ShouldBeEmpty();
        (await server.TryAsync("never", "sku")).ShouldBeProblem(409, "cancelled");
    }

    [Fact]
    public async Task Extend_moves_the_deadline()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 1);
        Reply made = await server.TryAsync("h", "sku", 1, "\"ttlSeconds\":10,");
        Reply later = await server.PostAsync("/v1/holds/h/extend", """{"ttlSeconds":600}""");
        later.Status.ShouldBe(200);
        Instant(later).ShouldBeGreaterThan(Instant(made).AddSeconds(500));
        (await server.PostAsync("/v1/holds/x/extend", """{"ttlSeconds":1}""")).ShouldBeProblem(404, "not_found");
        (await server.PostAsync("/v1/holds/h/extend", "{}")).ShouldBeProblem(400, "invalid");
    }

    [Fact]
    public async Task Ids_with_slashes_and_percents_are_told_apart_in_paths()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 10);
        foreach (string id in new[] { "a/b", "a%2Fb", "a%b", "a b", "日本" })
        {
            (await server.TryAsync(id, "sku")).Status.ShouldBe(201);
            Reply found = await server.GetAsync("/v1/holds/" + Uri.EscapeDataString(id));
            found.Status.ShouldBe(200, id);
            found.Json["id"]!.GetValue<string>().ShouldBe(id);
            (await server.PostAsync($"/v1/spaces/default/holds/{Uri.EscapeDataString(id)}/confirm")).Json["id"]!.GetValue<string>().ShouldBe(id);
        }
    }

    [Theory]
    [InlineData("caf%E9")]
    [InlineData("%c0%ae")]
    [InlineData("%ed%a0%80")]
    public async Task A_path_whose_id_is_not_utf8_names_nothing(string id)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PostAsync($"/v1/holds/{id}/cancel")).ShouldBeProblem(400, "invalid");
        (await server.GetAsync($"/v1/holds/{id}")).ShouldBeProblem(400, "invalid");
        (await server.GetAsync($"/v1/holds/{Uri.EscapeDataString(id)}")).ShouldBeProblem(404, "not_found");
    }

    private static DateTimeOffset Instant(Reply reply) => reply.Json["expiresAt"]!.GetValue<DateTimeOffset>();

    private static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        for (int i = 0; i < 400; i++)
        {
            if (await holds())
            {
                return;
            }

            await Task.Delay(25);
        }

        throw new TimeoutException("It never came true.");
    }
}

using System.Text;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests;

public sealed class AccessTests
{
    private const string Reader = "reader-key-0123456789";
    private const string Writer = "writer-key-0123456789";
    private const string Operator = "operator-key-01234567";

    private static ServerSettings Settings => RunningServer.Settings with
    {
        ApiKeys =
        [
            new ApiKeySetting("reader", Roles.Read) { Key = Reader },
            new ApiKeySetting("writer", Roles.Write) { Key = Writer },
            new ApiKeySetting("operator", Roles.Operate) { Sha256 = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(Operator))) },
        ],
    };

    [Fact]
    public async Task With_keys_every_endpoint_refuses_strangers_and_keys_without_its_role()
    {
        await using RunningServer server = await RunningServer.StartAsync(Settings);
        int closed = 0;
        foreach (RouteEndpoint endpoint in server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>())
        {
            var method = new HttpMethod(endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]);
            string path = endpoint.RoutePattern.RawText!.Replace("{space}", "default").Replace("{id}", "x");
            if (path is "/health/live" or "/health/ready" or "/openapi/v1.json")
            {
                (await server.SendAsync(method, path, null)).Status.ShouldBe(200, path);
                continue;
            }

            if (path.EndsWith("/callbacks/{channel}", StringComparison.Ordinal) || path.StartsWith("/simulator/", StringComparison.Ordinal))
            {
                // A callback's key is its signature; the simulated provider is there only when somebody has configured it.
                endpoint.Metadata.GetMetadata<Needs>()!.Role.ShouldBe(Roles.None);
                (await server.SendAsync(method, path, null)).Status.ShouldBe(404, path);
                continue;
            }

            closed++;
            (await server.SendAsync(method, path, null)).ShouldBeProblem(401, "unauthorized");
            (await server.SendAsync(method, path, null, "wrong-key-0123456789")).ShouldBeProblem(401, "unauthorized");
            Roles role = endpoint.Metadata.GetMetadata<Needs>()!.Role;
            (await server.SendAsync(method, path, null, role == Roles.Read ? Writer : Reader)).ShouldBeProblem(403, "forbidden");
            role.ShouldBe(Expected(method, path), path);
        }

        closed.ShouldBeGreaterThan(25);
        (await server.GetAsync("/v1/nothing")).ShouldBeProblem(401, "unauthorized");
    }

    [Fact]
    public async Task Keys_do_what_their_roles_say()
    {
        await using RunningServer server = await RunningServer.StartAsync(Settings);
        (await server.PutAsync("/v1/resources/sku", "{}", Operator)).Status.ShouldBe(201);
        (await server.PostAsync("/v1/resources/sku/adjustments", """{"id":"a","delta":5,"reason":"r"}""", Operator)).Status.ShouldBe(200);
        const string Hold = """{"id":"h","lines":[{"resource":"sku","quantity":1}]}""";
        (await server.PostAsync("/v1/holds", Hold, Reader)).ShouldBeProblem(403, "forbidden");
        (await server.PostAsync("/v1/holds", Hold, Operator)).ShouldBeProblem(403, "forbidden");
        (await server.PostAsync("/v1/holds", Hold)).ShouldBeProblem(401, "unauthorized");
        (await server.PostAsync("/v1/holds", Hold, Writer)).Status.ShouldBe(201);
        (await server.GetAsync("/v1/holds/h", Reader)).Status.ShouldBe(200);
        (await server.GetAsync("/v1/holds/h", Writer)).ShouldBeProblem(403, "forbidden");
        (await server.GetAsync("/metrics", Reader)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task In_a_batch_supply_needs_the_role_for_supply()
    {
        await using RunningServer server = await RunningServer.StartAsync(Settings);
        await server.PutAsync("/v1/resources/sku", "{}", Operator);
        const string Body = """
            {"op":"adjust","resource":"sku","id":"a","delta":5,"reason":"r"}
            {"op":"cancel","id":"h"}
            """;
        Reply reply = await server.PostAsync("/v1/batch", Body, Writer, "application/x-ndjson");
        reply.Lines.Select(l => l["status"]!.GetValue<int>()).ShouldBe([403, 200]);
        (await server.GetAsync("/v1/resources/sku", Reader)).Number("available").ShouldBe(0);
    }

    [Fact]
    public async Task Web_pages_of_other_sites_can_not_write_through_their_readers_browser()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        foreach ((string origin, int status) in new[] { ("http://evil.example", 403), ("null", 403), (server.Http.BaseAddress!.GetLeftPart(UriPartial.Authority), 200) })
        {
            foreach (string path in new[] { "/v1/holds/h/cancel", "/v1/spaces/default/holds/h/cancel" })
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, path);
                request.Headers.Add("Origin", origin);
                ((int)(await server.Http.SendAsync(request)).StatusCode).ShouldBe(status, origin);
            }

            using var hot = new HttpRequestMessage(HttpMethod.Post, "/v1/holds") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            hot.Headers.Add("Origin", origin);
            ((int)(await server.Http.SendAsync(hot)).StatusCode).ShouldBe(status == 200 ? 400 : status, origin);
        }
    }

    [Theory]
    [InlineData("127.0.0.1:7070", true)]
    [InlineData("[::1]:7070", true)]
    [InlineData("localhost", true)]
    [InlineData("shop.localhost:7070", true)]
    [InlineData("holdfast:7070", true)]
    [InlineData("host.docker.internal:7070", true)]
    [InlineData("a.evil.example:7070", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    public async Task Without_keys_a_page_whose_name_was_made_to_lead_here_gets_nothing(string host, bool own)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        foreach ((HttpMethod method, string path) in new[] { (HttpMethod.Post, "/v1/holds"), (HttpMethod.Get, "/v1/resources"), (HttpMethod.Put, "/v1/resources/x") })
        {
            using var request = new HttpRequestMessage(method, path) { Content = method == HttpMethod.Get ? null : new StringContent("{", Encoding.UTF8, "application/json") };
            request.Headers.Host = host;
            request.Headers.Add("Origin", "http://" + host);
            ((int)(await server.Http.SendAsync(request)).StatusCode).ShouldBe(own ? method == HttpMethod.Get ? 200 : 400 : 403, path);
        }

        using var health = new HttpRequestMessage(HttpMethod.Get, "/health/live");
        health.Headers.Host = host;
        ((int)(await server.Http.SendAsync(health)).StatusCode).ShouldBe(200);
        await using RunningServer keyed = await RunningServer.StartAsync(Settings);
        using var withKey = new HttpRequestMessage(HttpMethod.Get, "/v1/resources");
        withKey.Headers.Host = host;
        withKey.Headers.Authorization = new("Bearer", Reader);
        ((int)(await keyed.Http.SendAsync(withKey)).StatusCode).ShouldBe(200, "who shows a key may call it what they like");
    }

    [Fact]
    public void Keys_are_found_by_what_they_are_and_nothing_else()
    {
        var keys = new ApiKeys(Settings.ApiKeys);
        keys.Required.ShouldBeTrue();
        keys.Find(Reader)!.Name.ShouldBe("reader");
        keys.Find(Encoding.UTF8.GetBytes(Operator))!.Roles.ShouldBe(Roles.Operate);
        keys.Find(Reader + " ").ShouldBeNull();
        keys.Find(Reader.AsSpan(0, Reader.Length - 1)).ShouldBeNull();
        keys.Find("").ShouldBeNull();
        keys.Find(new string('x', 100_000)).ShouldBeNull();
        new ApiKeys([]).Required.ShouldBeFalse();
        Should.Throw<SettingsException>(() => new ApiKeys([Settings.ApiKeys[0], Settings.ApiKeys[0] with { Name = "again" }])).Message.ShouldNotContain(Reader);
    }

    private static Roles Expected(HttpMethod method, string path) =>
        path.EndsWith("/callbacks", StringComparison.Ordinal) ? Roles.Operate // bodies name people
        : method == HttpMethod.Get ? Roles.Read
        : path.EndsWith("/settle", StringComparison.Ordinal) || path.EndsWith("/resolve", StringComparison.Ordinal)
            || (path.Contains("/suspense/", StringComparison.Ordinal) && path.EndsWith("/refund", StringComparison.Ordinal)) ? Roles.Approve
        : method == HttpMethod.Put || path.EndsWith("/adjustments", StringComparison.Ordinal)
            || path.EndsWith("/retry", StringComparison.Ordinal) || path.EndsWith("/force", StringComparison.Ordinal)
            || path.EndsWith("/replay", StringComparison.Ordinal) ? Roles.Operate
        : Roles.Write;
}

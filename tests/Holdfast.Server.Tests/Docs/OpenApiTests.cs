using System.Globalization;
using System.Text.Json.Nodes;
using Holdfast.Server.Tests.Checkouts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests;

public sealed class OpenApiTests
{
    [Fact]
    public async Task The_document_has_every_route_and_no_other()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        JsonObject document = (await server.GetAsync("/openapi/v1.json")).Json;
        string[] documented =
        [
            .. document["paths"]!.AsObject()
                .SelectMany(path => path.Value!.AsObject().Where(o => o.Key != "parameters").Select(o => o.Key.ToUpperInvariant() + " " + path.Key))
                .Order(StringComparer.Ordinal),
        ];
        string[] routed =
        [
            .. server.App.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                .Where(e => !e.RoutePattern.RawText!.StartsWith("/simulator", StringComparison.Ordinal)) // another firm's, as it were
                .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => m + " /" + e.RoutePattern.RawText!.TrimStart('/')))
                .Order(StringComparer.Ordinal),
        ];
        documented.ShouldBe(routed);
    }

    [Fact]
    public async Task The_document_is_whole()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        JsonObject document = (await server.GetAsync("/openapi/v1.json")).Json;
        document["openapi"]!.GetValue<string>().ShouldStartWith("3.1");
        foreach (string reference in References(document))
        {
            JsonNode? at = document;
            foreach (string part in reference.TrimStart('#', '/').Split('/'))
            {
                at = at?[part];
            }

            at.ShouldNotBeNull(reference);
        }

        string[] ids = [.. Operations(document).Select(o => o["operationId"]!.GetValue<string>())];
        ids.ShouldBeUnique();
        foreach ((string path, JsonNode? item) in document["paths"]!.AsObject())
        {
            int named = path.Count(c => c == '{');
            (item!["parameters"]?.AsArray().Count ?? 0).ShouldBe(named, path);
        }

        document["components"]!["schemas"]!["Problem"]!["properties"]!["code"]!["enum"]!.AsArray().Select(c => c!.GetValue<string>()).Order()
            .ShouldBe(Problem.All.Select(p => p.Code).Distinct().Order());
    }

    [Fact]
    public async Task What_the_server_answers_has_the_fields_that_the_document_says()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        JsonObject document = (await server.GetAsync("/openapi/v1.json")).Json;
        await server.StockAsync("sku", 5);
        Fits(document, "Hold", (await server.TryAsync("h", "sku")).Json);
        Fits(document, "Resource", (await server.GetAsync("/v1/resources/sku")).Json);
        Fits(document, "AdjustedResource", (await server.PostAsync("/v1/resources/sku/adjustments", """{"id":"x","delta":-5,"reason":"r","force":true}""")).Json);
        Fits(document, "HoldPage", (await server.GetAsync("/v1/holds")).Json);
        Fits(document, "ListedHold", (await server.GetAsync("/v1/holds")).Json["items"]![0]!.AsObject());
        Fits(document, "Movement", (await server.GetAsync("/v1/resources/sku/movements")).Json["items"]![0]!.AsObject());
        Fits(document, "Spaces", (await server.GetAsync("/v1/spaces")).Json);
        Fits(document, "Ready", (await server.GetAsync("/health/ready")).Json);
        Fits(document, "Problem", (await server.TryAsync("h2", "sku", 50)).Json);
    }

    [Fact]
    public async Task What_a_call_answers_and_where_it_points_is_in_the_document()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync();
        RunningServer server = shop.Server;
        JsonObject document = (await server.GetAsync("/openapi/v1.json")).Json;
        Declared(document, "put", "/v1/resources/{id}", 201, await server.PutAsync("/v1/resources/other", "{}"));
        Declared(document, "put", "/v1/spaces/{space}", 201, await server.PutAsync("/v1/spaces/eu"));
        Declared(document, "put", "/v1/spaces/{space}", 200, await server.PutAsync("/v1/spaces/eu"));
        Declared(document, "post", "/v1/checkouts", 201, await shop.BeginAsync("c"));
        Declared(document, "post", "/v1/holds", 201, await server.TryAsync("h", "sku"));
        Declared(document, "post", "/v1/callbacks/{channel}", 401, await server.PostAsync("/v1/callbacks/psp", "{}"));
        Declared(document, "get", "/health/live", 200, await server.GetAsync("/health/live"));
        Declared(document, "get", "/health/ready", 200, await server.GetAsync("/health/ready"));
        Declared(document, "get", "/metrics", 200, await server.GetAsync("/metrics"));
        Declared(document, "get", "/openapi/v1.json", 200, await server.GetAsync("/openapi/v1.json"));
    }

    [Fact]
    public async Task A_server_that_is_not_ready_answers_as_the_document_says()
    {
        var store = new GatedStore();
        store.Opening.Close();
        await using RunningServer server = await RunningServer.StartAsync(store: store, ready: false);
        JsonObject document = (await server.GetAsync("/openapi/v1.json")).Json;
        try
        {
            Declared(document, "get", "/health/ready", 503, await server.GetAsync("/health/ready"));
        }
        finally
        {
            store.Opening.Open();
        }
    }

    [Fact]
    public async Task The_page_to_browse_it_loads_from_this_server_alone()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        Reply page = await server.GetAsync("/docs/index.html");
        page.Status.ShouldBe(200);
        page.Type.ShouldBe("text/html");
        page.Text.ShouldNotContain("://");
        (await server.GetAsync("/docs")).Status.ShouldBe(200);
        (await server.GetAsync("/docs/index.js")).Text.ShouldContain("/openapi/v1.json");
        (await server.GetAsync("/docs/swagger-ui-bundle.js")).Status.ShouldBe(200);
        (await server.GetAsync("/docs/swagger-ui.css")).Status.ShouldBe(200);
    }

    private static void Declared(JsonObject document, string method, string path, int status, Reply reply)
    {
        reply.Status.ShouldBe(status, reply.Text);
        JsonObject said = document["paths"]![path]![method]!["responses"]![status.ToString(CultureInfo.InvariantCulture)].ShouldNotBeNull($"{method} {path} {status}").AsObject();
        if (said["$ref"] is { } reference)
        {
            said = document["components"]!["responses"]![reference.GetValue<string>().Split('/')[^1]]!.AsObject();
        }

        (said["content"]?.AsObject().ContainsKey(reply.Type!) ?? false).ShouldBe(reply.Text.Length > 0, $"{method} {path} {status} answers {reply.Type}");
        (said["headers"]?["Location"] is not null).ShouldBe(reply.Location is not null, $"{method} {path} {status} Location");
        (said["headers"]?["Retry-After"] is not null).ShouldBe(reply.RetryAfter is not null, $"{method} {path} {status} Retry-After");
    }

    private static void Fits(JsonObject document, string schema, JsonObject answer)
    {
        JsonObject described = document["components"]!["schemas"]![schema]!.AsObject();
        foreach ((string name, _) in answer)
        {
            described["properties"]!.AsObject().ContainsKey(name).ShouldBeTrue($"{schema}.{name} is not in the document");
        }

        foreach (JsonNode? required in described["required"]!.AsArray())
        {
            answer.ContainsKey(required!.GetValue<string>()).ShouldBeTrue($"{schema}.{required} is not in the answer: {answer.ToJsonString()}");
        }
    }

    private static IEnumerable<JsonObject> Operations(JsonObject document) =>
        document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject()).Where(o => o.Key != "parameters").Select(o => o.Value!.AsObject());

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject o => o.SelectMany(p => p.Key == "$ref" ? [p.Value!.GetValue<string>()] : References(p.Value)),
        JsonArray a => a.SelectMany(References),
        _ => [],
    };
}

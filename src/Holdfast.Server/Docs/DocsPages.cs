using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>
/// The OpenAPI document and the page to browse it, both out of this assembly and its packages: they load without a
/// network. The document is written by hand (the calls are plain delegates that nothing could be read off); a test holds
/// it against the routes in both directions. Open also where keys are set: it tells nothing that the source doesn't.
/// </summary>
internal static class DocsPages
{
    private const string Root = "/v1/";
    private const string SpacesRoot = "/v1/spaces";
    private static readonly Lazy<byte[]> Document = new(() => JsonSerializer.SerializeToUtf8Bytes(Build()));

    /// <summary>The page under /docs.</summary>
    public static void UsePage(IApplicationBuilder app) => app.UseSwaggerUI(ui =>
    {
        ui.RoutePrefix = "docs";
        ui.DocumentTitle = "Holdfast";
        ui.SwaggerEndpoint("/openapi/v1.json", "Holdfast v1");
    });

    /// <summary>The document.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes.MapGet("/openapi/v1.json", static (HttpContext context) =>
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = Document.Value.Length;
        return context.Response.Body.WriteAsync(Document.Value, 0, Document.Value.Length, context.RequestAborted);
    }).Needs(Roles.None);

    /// <summary>The embedded document, and each call once more under a space's path.</summary>
    internal static JsonObject Build()
    {
        using Stream stream = typeof(DocsPages).Assembly.GetManifestResourceStream("Holdfast.Server.Docs.openapi.json")!;
        JsonObject document = JsonNode.Parse(stream)!.AsObject();
        JsonObject paths = document["paths"]!.AsObject();
        foreach ((string path, JsonNode? item) in paths.ToList())
        {
            if (!path.StartsWith(Root, StringComparison.Ordinal) || path.StartsWith(SpacesRoot, StringComparison.Ordinal))
            {
                continue;
            }

            JsonObject copy = item!.DeepClone().AsObject();
            JsonArray parameters = copy["parameters"]?.AsArray() ?? [];
            parameters.Insert(0, new JsonObject { ["$ref"] = "#/components/parameters/space" });
            copy["parameters"] = parameters;
            foreach (JsonNode? operation in copy.Where(o => o.Value is JsonObject).Select(o => o.Value))
            {
                operation!["operationId"] = operation["operationId"]!.GetValue<string>() + "InSpace";
            }

            paths[SpacesRoot + "/{space}/" + path[Root.Length..]] = copy;
        }

        return document;
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;

namespace Holdfast.Engine.Payments;

/// <summary>Reads what providers send without ever throwing for its shape: an unknown version must not stop storing.</summary>
internal static class JsonFacts
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static JsonObject? ParseObject(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonNode.Parse(json, documentOptions: Strict) as JsonObject;
        }
        catch (JsonException)
        {
            return null; // not JSON, or a name given twice
        }
    }

    public static JsonObject? Object(JsonObject? json, string name) => json?[name] as JsonObject;

    public static string? Text(JsonObject? json, string name)
    {
        try
        {
            return json?[name] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;
        }
        catch (InvalidOperationException)
        {
            return null; // escapes that are not Unicode
        }
    }

    public static long? Whole(JsonObject? json, string name) => json?[name] is JsonValue value && value.TryGetValue(out long whole) ? whole : null;
}

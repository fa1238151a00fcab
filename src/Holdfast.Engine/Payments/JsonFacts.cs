using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments;

/// <summary>Reads what providers send without ever throwing for its shape: an unknown version must not stop storing.</summary>
internal static class JsonFacts
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    public static JsonObject? ParseObject(ReadOnlySpan<byte> json)
    {
        try
        {
            JsonNode? node = JsonNode.Parse(json, documentOptions: Strict);
            ReadNames(node);
            return node as JsonObject;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // not JSON, a name given twice, or one that is not Unicode
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

    /// <summary>An id as it is kept (<see cref="RetainedId.Of(string)"/>).</summary>
    public static string? Id(JsonObject? json, string name) => Text(json, name) is { } id ? RetainedId.Of(id) : null;

    /// <summary>Minor units; null: not there, or more or less than Holdfast counts.</summary>
    public static long? Amount(JsonObject? json, string name) =>
        json?[name] is JsonValue value && value.TryGetValue(out long whole) && whole is >= 0 and <= Quantity.Max ? whole : null;

    /// <summary>Whether an answer names another than was asked about.</summary>
    public static bool NamesAnother(JsonObject? json, string name, string? asked) => Text(json, name) is { } named && named != asked;

    /// <summary>A node reads its names when it is first asked for one, and throws then for what is not Unicode.</summary>
    private static void ReadNames(JsonNode? node)
    {
        if (node is JsonObject json)
        {
            foreach ((_, JsonNode? value) in json)
            {
                ReadNames(value);
            }
        }
        else if (node is JsonArray list)
        {
            foreach (JsonNode? item in list)
            {
                ReadNames(item);
            }
        }
    }
}

using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Unicode;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Server;

/// <summary>What is wrong with a body, in words.</summary>
internal sealed class BodyException(string message, Problem? kind = null) : Exception(message)
{
    public Problem Kind { get; } = kind ?? Problem.Of(Code.Invalid);
}

/// <summary>Reads bodies of calls that are not on the hot path. Strict: a member that isn't known is a mistake, not a wish.</summary>
internal static class JsonBody
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 32 };

    /// <summary>The object in a body; an empty body counts as <c>{}</c> when <paramref name="optional"/>.</summary>
    public static JsonElement Parse(ReadOnlyMemory<byte> body, bool optional)
    {
        if (body.IsEmpty && optional)
        {
            body = "{}"u8.ToArray();
        }

        if (!Utf8.IsValid(body.Span))
        {
            // The parser passes over strings without a look at their bytes.
            throw new BodyException("the body is not valid UTF-8");
        }

        try
        {
            JsonElement root = JsonDocument.Parse(body, Strict).RootElement;
            return root.ValueKind == JsonValueKind.Object ? root : throw new BodyException("send a JSON object");
        }
        catch (JsonException e)
        {
            throw new BodyException("the body is not valid JSON: " + e.Message);
        }
    }

    /// <summary>The whole body, at most so many bytes, be that more than other calls may have.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context, int bytesMax)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size && size.MaxRequestBodySize < bytesMax)
        {
            size.MaxRequestBodySize = bytesMax;
        }

        PipeReader reader = context.Request.BodyReader;
        ReadResult result = await reader.ReadAtLeastAsync(bytesMax + 1, context.RequestAborted);
        byte[]? body = result.Buffer.Length > bytesMax ? null : result.Buffer.ToArray();
        reader.AdvanceTo(result.Buffer.End);
        return body ?? throw new BodyException($"the body has more than {bytesMax} bytes", Problem.TooLarge);
    }

    /// <summary>Refuses members that are not among these.</summary>
    public static void Known(JsonElement body, params ReadOnlySpan<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty property in body.EnumerateObject())
        {
            string name = MemberName(property);
            if (!names.Contains(name))
            {
                throw new BodyException($"there is no '{name}' here; known: {string.Join(", ", names.ToArray())}");
            }

            if (!seen.Add(name))
            {
                throw new BodyException($"'{name}' is given twice");
            }
        }
    }

    /// <summary>A member's name.</summary>
    public static string MemberName(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            // An escape of half a character: \ud800.
            throw new BodyException("a member's name is not valid Unicode");
        }
    }

    /// <summary>Whether a member was given; null counts as not.</summary>
    public static bool Given(JsonElement body, string name, out JsonElement value) =>
        body.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null;

    public static string? Text(JsonElement body, string name) =>
        Given(body, name, out JsonElement value) ? String(value, name) : null;

    public static bool Flag(JsonElement body, string name) => body.TryGetProperty(name, out JsonElement value) && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False or JsonValueKind.Null => false,
        _ => throw new BodyException(name + " must be true or false"),
    };

    /// <summary>The lines of a hold or a checkout.</summary>
    public static IReadOnlyList<KeyValuePair<string, long>> Lines(JsonElement body)
    {
        var lines = new List<KeyValuePair<string, long>>();
        foreach (JsonElement line in List(body, "lines"))
        {
            if (line.ValueKind != JsonValueKind.Object)
            {
                throw new BodyException("a line must be an object with resource and quantity");
            }

            Known(line, "resource", "quantity");
            lines.Add(new(Text(line, "resource") ?? throw new BodyException("a line has no resource"), Whole(line, "quantity") ?? throw new BodyException("a line has no quantity")));
        }

        return lines;
    }

    /// <summary>A whole number; null when it is not given.</summary>
    public static long? Whole(JsonElement body, string name)
    {
        if (!Given(body, name, out JsonElement value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long whole)
            ? whole
            : throw new BodyException(name + " must be a whole number");
    }

    public static IEnumerable<JsonElement> List(JsonElement body, string name)
    {
        if (!Given(body, name, out JsonElement list))
        {
            return [];
        }

        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw new BodyException(name + " must be a list");
    }

    public static string String(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new BodyException(name + " must be a text");
        }
        catch (InvalidOperationException)
        {
            throw new BodyException(name + " is not valid Unicode");
        }
    }

    public static long Milliseconds(JsonElement body, string name)
    {
        if (!Given(body, name, out JsonElement value))
        {
            return 0;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal seconds) && seconds is > 0 and <= 1_000_000_000
            ? (long)Math.Max(1, seconds * 1000)
            : throw new BodyException(name + " must be a number of seconds above 0");
    }

    public static long Instant(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset instant) && instant.ToUnixTimeMilliseconds() > 0
            ? instant.ToUnixTimeMilliseconds()
            : throw new BodyException("issuedAt must be a time like 2026-01-02T03:04:05Z");
}

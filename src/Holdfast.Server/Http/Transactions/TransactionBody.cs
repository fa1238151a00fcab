using System.Globalization;
using System.Text;
using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>What is wrong with a body, in words.</summary>
internal sealed class BodyException(string message, Problem? kind = null) : Exception(message)
{
    public Problem Kind { get; } = kind ?? Problem.Of(Code.Invalid);
}

/// <summary>Reads the bodies of the calls on transactions. Strict: a member that isn't known is a mistake, not a wish.</summary>
internal static class TransactionBody
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 32 };

    /// <summary>The object in a body; an empty body counts as <c>{}</c> when <paramref name="optional"/>.</summary>
    public static JsonElement Parse(ReadOnlyMemory<byte> body, bool optional)
    {
        if (body.IsEmpty && optional)
        {
            body = "{}"u8.ToArray();
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

    public static BeginTransaction Begin(NameHasher hasher, JsonElement body, string? trace)
    {
        Known(body, "id", "timeoutSeconds", "issuedAt", "begin", "checkBack", "branches");
        return new BeginTransaction(
            hasher,
            Text(body, "id") ?? throw new BodyException("id is missing"),
            [.. List(body, "branches").Select(b => Branch(b))],
            Flag(body, "begin"),
            Milliseconds(body, "timeoutSeconds"),
            Text(body, "issuedAt") is { } issued ? Instant(issued) : 0,
            body.TryGetProperty("checkBack", out JsonElement check) ? Call(check, "checkBack") : null,
            trace);
    }

    public static BranchSpec Branch(JsonElement branch)
    {
        if (branch.ValueKind != JsonValueKind.Object)
        {
            throw new BodyException("a branch must be an object");
        }

        Known(branch, "name", "after", "try", "confirm", "cancel", "hold");
        string name = Text(branch, "name") ?? throw new BodyException("a branch has no name");
        return new BranchSpec(name)
        {
            After = branch.TryGetProperty("after", out _) ? [.. List(branch, "after").Select(a => String(a, "after"))] : null,
            Try = Call(branch, name, "try"),
            Confirm = Call(branch, name, "confirm"),
            Cancel = Call(branch, name, "cancel"),
            Hold = branch.TryGetProperty("hold", out JsonElement hold) && hold.ValueKind != JsonValueKind.Null ? Hold(hold) : null,
        };
    }

    /// <summary>Refuses members that are not among these.</summary>
    public static void Known(JsonElement body, params ReadOnlySpan<string> names)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty property in body.EnumerateObject())
        {
            if (!names.Contains(property.Name))
            {
                throw new BodyException($"there is no '{property.Name}' here; known: {string.Join(", ", names.ToArray())}");
            }

            if (!seen.Add(property.Name))
            {
                throw new BodyException($"'{property.Name}' is given twice");
            }
        }
    }

    public static string? Text(JsonElement body, string name) =>
        body.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? String(value, name) : null;

    public static bool Flag(JsonElement body, string name) => body.TryGetProperty(name, out JsonElement value) && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False or JsonValueKind.Null => false,
        _ => throw new BodyException(name + " must be true or false"),
    };

    private static CallSpec? Call(JsonElement branch, string name, string op) =>
        branch.TryGetProperty(op, out JsonElement call) && call.ValueKind != JsonValueKind.Null ? Call(call, $"branch '{name}', {op}") : null;

    private static CallSpec Call(JsonElement call, string where)
    {
        if (call.ValueKind != JsonValueKind.Object)
        {
            throw new BodyException(where + " must be an object with a url");
        }

        Known(call, "url", "body", "headers", "timeoutSeconds");
        byte[] body = call.TryGetProperty("body", out JsonElement given) ? Encoding.UTF8.GetBytes(given.GetRawText()) : [];
        var headers = new List<KeyValuePair<string, string>>();
        if (call.TryGetProperty("headers", out JsonElement named) && named.ValueKind != JsonValueKind.Null)
        {
            if (named.ValueKind != JsonValueKind.Object)
            {
                throw new BodyException(where + ": headers must be an object");
            }

            headers.AddRange(named.EnumerateObject().Select(h => KeyValuePair.Create(h.Name, String(h.Value, $"{where}: header '{h.Name}'"))));
        }

        string url = Text(call, "url") ?? throw new BodyException(where + ": url is missing");
        return new CallSpec(url, body, headers, (int)Math.Min(int.MaxValue, Milliseconds(call, "timeoutSeconds")));
    }

    private static HoldSpec Hold(JsonElement hold)
    {
        if (hold.ValueKind != JsonValueKind.Object)
        {
            throw new BodyException("hold must be an object with lines");
        }

        Known(hold, "owner", "ttlSeconds", "lines");
        var lines = new List<KeyValuePair<string, long>>();
        foreach (JsonElement line in List(hold, "lines"))
        {
            if (line.ValueKind != JsonValueKind.Object)
            {
                throw new BodyException("a line must be an object with resource and quantity");
            }

            Known(line, "resource", "quantity");
            if (!line.TryGetProperty("quantity", out JsonElement quantity) || quantity.ValueKind != JsonValueKind.Number || !quantity.TryGetInt64(out long units))
            {
                throw new BodyException("a line's quantity must be a whole number");
            }

            lines.Add(new(Text(line, "resource") ?? throw new BodyException("a line has no resource"), units));
        }

        return new HoldSpec(Text(hold, "owner"), Milliseconds(hold, "ttlSeconds"), lines);
    }

    private static IEnumerable<JsonElement> List(JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out JsonElement list) || list.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw new BodyException(name + " must be a list");
    }

    private static string String(JsonElement value, string name)
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

    private static long Milliseconds(JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return 0;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out decimal seconds) && seconds is > 0 and <= 1_000_000_000
            ? (long)Math.Max(1, seconds * 1000)
            : throw new BodyException(name + " must be a number of seconds above 0");
    }

    private static long Instant(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset instant) && instant.ToUnixTimeMilliseconds() > 0
            ? instant.ToUnixTimeMilliseconds()
            : throw new BodyException("issuedAt must be a time like 2026-01-02T03:04:05Z");
}

using System.Globalization;
using System.Text;
using System.Text.Json;
using Holdfast.Kernel;

using static Holdfast.Server.JsonBody;

namespace Holdfast.Server;

/// <summary>Reads the bodies of the calls on transactions. Strict: a member that isn't known is a mistake, not a wish.</summary>
internal static class TransactionBody
{
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
            Given(body, "checkBack", out JsonElement check) ? Call(check, "checkBack") : null,
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
            After = Given(branch, "after", out _) ? [.. List(branch, "after").Select(a => String(a, "after"))] : null,
            Try = Call(branch, name, "try"),
            Confirm = Call(branch, name, "confirm"),
            Cancel = Call(branch, name, "cancel"),
            Hold = Given(branch, "hold", out JsonElement hold) ? Hold(hold) : null,
        };
    }

    private static CallSpec? Call(JsonElement branch, string name, string op) =>
        Given(branch, op, out JsonElement call) ? Call(call, $"branch '{name}', {op}") : null;

    private static CallSpec Call(JsonElement call, string where)
    {
        if (call.ValueKind != JsonValueKind.Object)
        {
            throw new BodyException(where + " must be an object with a url");
        }

        Known(call, "url", "body", "headers", "timeoutSeconds");
        byte[] body = call.TryGetProperty("body", out JsonElement given) ? Encoding.UTF8.GetBytes(given.GetRawText()) : [];
        var headers = new List<KeyValuePair<string, string>>();
        if (Given(call, "headers", out JsonElement named))
        {
            if (named.ValueKind != JsonValueKind.Object)
            {
                throw new BodyException(where + ": headers must be an object");
            }

            headers.AddRange(named.EnumerateObject().Select(h => KeyValuePair.Create(MemberName(h), String(h.Value, $"{where}: header '{MemberName(h)}'"))));
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
        return new HoldSpec(Text(hold, "owner"), Milliseconds(hold, "ttlSeconds"), Lines(hold));
    }
}

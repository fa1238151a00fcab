using System.Buffers.Text;

namespace Holdfast.Client.Resp;

/// <summary>A command that can write itself. Structs, so that a call through a generic makes no garbage.</summary>
internal interface IRespCommand
{
    void Write(RespWriter writer);
}

/// <summary>
/// <c>HOLD.TRY id owner ttl@issued resource quantity ...</c>. The part from the <c>@</c> on (time of the first attempt,
/// Unix milliseconds) is Holdfast's own extension: with it the server refuses a retry that comes after it has forgotten the id.
/// </summary>
internal readonly struct TryHoldCommand(string id, HoldRequest request, long ttlSeconds, long issuedAtMs) : IRespCommand
{
    public void Write(RespWriter writer)
    {
        writer.BeginCommand(4 + (request.Lines.Count * 2));
        writer.Argument("HOLD.TRY"u8);
        writer.Argument(id);
        if (request.Owner is { } owner)
        {
            writer.Argument(owner);
        }
        else
        {
            writer.Argument("-"u8);
        }

        Span<byte> ttl = stackalloc byte[41];
        Utf8Formatter.TryFormat(ttlSeconds, ttl, out var length);
        ttl[length++] = (byte)'@';
        Utf8Formatter.TryFormat(issuedAtMs, ttl[length..], out var digits);
        writer.Argument(ttl[..(length + digits)]);
        writer.Lines(request.Lines);
    }
}

/// <summary><c>HOLD.CONFIRM id [KEEP] [resource quantity ...]</c>; everything after the id is Holdfast's own extension.</summary>
internal readonly struct ConfirmCommand(string id, ConfirmRequest? request) : IRespCommand
{
    public void Write(RespWriter writer)
    {
        var lines = request?.Lines ?? [];
        var keep = request is { KeepRemainder: true };
        writer.BeginCommand(2 + (keep ? 1 : 0) + (lines.Count * 2));
        writer.Argument("HOLD.CONFIRM"u8);
        writer.Argument(id);
        if (keep)
        {
            writer.Argument("KEEP"u8);
        }

        writer.Lines(lines);
    }
}

/// <summary><c>HOLD.EXTEND id ttl-seconds</c>, Holdfast's own extension.</summary>
internal readonly struct ExtendCommand(string id, long ttlSeconds) : IRespCommand
{
    public void Write(RespWriter writer)
    {
        writer.BeginCommand(3);
        writer.Argument("HOLD.EXTEND"u8);
        writer.Argument(id);
        writer.Argument(ttlSeconds);
    }
}

/// <summary><c>STOCK.ADJUST resource adjustment-id delta reason</c></summary>
internal readonly struct AdjustCommand(string resource, string id, long delta, string reason) : IRespCommand
{
    public void Write(RespWriter writer)
    {
        writer.BeginCommand(5);
        writer.Argument("STOCK.ADJUST"u8);
        writer.Argument(resource);
        writer.Argument(id);
        writer.Argument(delta);
        writer.Argument(reason);
    }
}

/// <summary>A command with one argument: <c>HOLD.CANCEL</c>, <c>HOLD.GET</c>, <c>STOCK.GET</c>, <c>AUTH</c>, <c>SPACE</c>.</summary>
internal readonly struct UnaryCommand(string name, string argument) : IRespCommand
{
    public void Write(RespWriter writer)
    {
        writer.BeginCommand(2);
        writer.Argument(name);
        writer.Argument(argument);
    }
}

internal static class RespCommandParts
{
    public static void Lines(this RespWriter writer, IReadOnlyList<HoldLine> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            writer.Argument(lines[i].Resource);
            writer.Argument(lines[i].Quantity);
        }
    }
}

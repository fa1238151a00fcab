using System.Buffers.Text;
using Holdfast.Kernel;

namespace Holdfast.Server.Resp;

/// <summary>Reads the commands of holds and stock into a slot's command.</summary>
internal static class RespHoldCommands
{
    /// <summary><c>HOLD.TRY id owner ttl-seconds resource quantity [resource quantity ...]</c></summary>
    public static void Try(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count < 6 || arguments.Count % 2 != 0)
        {
            slot.Error("INVALID usage: HOLD.TRY id owner ttl-seconds resource quantity [resource quantity ...]");
            return;
        }

        TryHold command = slot.Try();
        ReadOnlySpan<byte> owner = arguments[2];
        bool understood = TryReadTtl(arguments[3], out long ttlMs, out long issuedAtMs);
        command.Reset(arguments[1], owner.SequenceEqual("-"u8) ? [] : owner, ttlMs, issuedAtMs);
        if (!understood)
        {
            command.Fail("ttl-seconds must be a number (0: the default), with @ and the issue time in unix milliseconds behind it if known");
        }

        if (owner.IsEmpty)
        {
            command.Fail("the owner is empty; - says that nobody is named");
        }

        AddLines(command, arguments, 4);
    }

    /// <summary><c>HOLD.CONFIRM id [KEEP] [resource quantity ...]</c>; all after the id is an extension of ours.</summary>
    public static void Confirm(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count < 2)
        {
            slot.Error("INVALID usage: HOLD.CONFIRM id [KEEP] [resource quantity ...]");
            return;
        }

        // Lines come in pairs, so an odd number of words after the id begins with KEEP.
        bool keep = arguments.Count % 2 != 0;
        if (keep && !RespArguments.Is(arguments[2], "KEEP"u8))
        {
            slot.Error("INVALID usage: HOLD.CONFIRM id [KEEP] [resource quantity ...]");
            return;
        }

        ConfirmHold command = slot.Confirm();
        command.Reset(arguments[1], keep);
        AddLines(command, arguments, keep ? 3 : 2);
    }

    /// <summary><c>HOLD.CANCEL id</c></summary>
    public static void Cancel(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count != 2)
        {
            slot.Error("INVALID usage: HOLD.CANCEL id");
            return;
        }

        slot.Cancel().Reset(arguments[1]);
    }

    /// <summary><c>HOLD.EXTEND id ttl-seconds</c>; an extension of ours.</summary>
    public static void Extend(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count != 3 || !TryReadSeconds(arguments[2], out long ttlMs))
        {
            slot.Error("INVALID usage: HOLD.EXTEND id ttl-seconds");
            return;
        }

        slot.Extend().Reset(arguments[1], ttlMs);
    }

    /// <summary><c>HOLD.GET id</c></summary>
    public static void Get(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count != 2)
        {
            slot.Error("INVALID usage: HOLD.GET id");
            return;
        }

        slot.GetHold().Reset(arguments[1]);
    }

    /// <summary><c>STOCK.GET resource</c></summary>
    public static void GetStock(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count != 2)
        {
            slot.Error("INVALID usage: STOCK.GET resource");
            return;
        }

        slot.GetResource().Reset(arguments[1]);
    }

    /// <summary><c>STOCK.ADJUST resource adjustment-id delta [reason]</c></summary>
    public static void Adjust(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count is not (4 or 5) || !TryReadInteger(arguments[3], out long delta))
        {
            slot.Error("INVALID usage: STOCK.ADJUST resource adjustment-id delta [reason]; delta is a whole number other than 0");
            return;
        }

        slot.Adjust().ResetDelta(arguments[1], arguments[2], delta, arguments.Count == 5 ? arguments[4] : []);
    }

    private static void AddLines(LinedCommand command, RespArguments arguments, int first)
    {
        for (int i = first; i + 1 < arguments.Count; i += 2)
        {
            // What isn't a whole number becomes 0, which no line may ask for.
            command.AddLine(arguments[i], TryReadInteger(arguments[i + 1], out long quantity) ? quantity : 0);
        }
    }

    private static bool TryReadTtl(ReadOnlySpan<byte> text, out long ttlMs, out long issuedAtMs)
    {
        issuedAtMs = 0;
        int at = text.IndexOf((byte)'@');
        return at < 0
            ? TryReadSeconds(text, out ttlMs)
            : TryReadSeconds(text[..at], out ttlMs) & (TryReadInteger(text[(at + 1)..], out issuedAtMs) && issuedAtMs > 0);
    }

    private static bool TryReadSeconds(ReadOnlySpan<byte> text, out long milliseconds)
    {
        if (TryReadInteger(text, out long seconds) && Math.Abs(seconds) <= Quantity.MaxTtlMs / 1000)
        {
            milliseconds = seconds * 1000;
            return true;
        }

        milliseconds = 0;
        if (!Utf8Parser.TryParse(text, out decimal exact, out int used) || used != text.Length || exact is < 0 or > Quantity.MaxTtlMs / 1000)
        {
            return false;
        }

        milliseconds = (long)decimal.Ceiling(exact * 1000); // as over HTTP: never shorter than asked
        return true;
    }

    private static bool TryReadInteger(ReadOnlySpan<byte> text, out long value) =>
        Utf8Parser.TryParse(text, out value, out int used) && used == text.Length;
}

/// <summary>The words of one command.</summary>
internal readonly ref struct RespArguments(RespParser parser, ReadOnlySpan<byte> input)
{
    private readonly ReadOnlySpan<byte> _input = input;

    /// <summary>Words, the command's name included.</summary>
    public int Count => parser.Count;

    public ReadOnlySpan<byte> this[int index] => parser.Argument(_input, index);

    /// <summary>Whether a word is this one, in whatever case.</summary>
    public static bool Is(ReadOnlySpan<byte> word, ReadOnlySpan<byte> upper) => System.Text.Ascii.EqualsIgnoreCase(word, upper);
}

using System.Text.Unicode;

namespace Holdfast.Kernel;

/// <summary>What may be an id (hold, resource, owner, adjustment, return): 1 to 128 bytes of UTF-8 without control characters.</summary>
public static class Name
{
    /// <summary>Longest id, in bytes of UTF-8.</summary>
    public const int MaxBytes = 128;

    /// <summary>Longest free text (a reason), in bytes of UTF-8.</summary>
    public const int MaxReasonBytes = 512;

    /// <summary>Says what is wrong with a name, or null when nothing is.</summary>
    public static string? Problem(ReadOnlySpan<byte> name, string what)
    {
        if (name.IsEmpty)
        {
            return what + " is empty";
        }

        return name.Length > MaxBytes ? what + " is longer than 128 bytes" : TextProblem(name, what);
    }

    /// <summary>Says what is wrong with a free text, or null when nothing is.</summary>
    public static string? ReasonProblem(ReadOnlySpan<byte> text, string what) =>
        text.Length > MaxReasonBytes ? what + " is longer than 512 bytes" : TextProblem(text, what);

    private static int Next(ReadOnlySpan<byte> text, int after)
    {
        int further = text[(after + 1)..].IndexOf((byte)0xC2);
        return further < 0 ? -1 : after + 1 + further;
    }

    private static string? TextProblem(ReadOnlySpan<byte> text, string what)
    {
        // Control characters would let a name forge a line of a RESP reply or of a log.
        if (text.IndexOfAnyInRange((byte)0x00, (byte)0x1F) >= 0 || text.Contains((byte)0x7F))
        {
            return what + " contains a control character";
        }

        if (!Utf8.IsValid(text))
        {
            return what + " is not valid UTF-8";
        }

        // U+0080 to U+009F, which are C2 80 to C2 9F.
        for (int at = text.IndexOf((byte)0xC2); at >= 0; at = Next(text, at))
        {
            if (text[at + 1] <= 0x9F)
            {
                return what + " contains a control character";
            }
        }

        return null;
    }
}

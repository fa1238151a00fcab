namespace Holdfast.Client;

/// <summary>Checks that both transports make before sending. What the server refuses as a business matter is left to it.</summary>
internal static class Requests
{
    /// <summary>The contract's bound on lines of one hold.</summary>
    public const int LinesMax = 64;

    // The server wants one for the audit trail.
    private const string NoReason = "not said";

    /// <summary>Whole seconds, rounded up: a hold never ends before the caller expects it.</summary>
    public static long Seconds(TimeSpan ttl)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(ttl, TimeSpan.Zero, nameof(ttl));
        return (ttl.Ticks / TimeSpan.TicksPerSecond) + (ttl.Ticks % TimeSpan.TicksPerSecond == 0 ? 0 : 1);
    }

    /// <summary>The id, if it is one.</summary>
    /// <exception cref="ArgumentException">It is null, empty, or has half of a surrogate pair, which would go out as U+FFFD: as another id.</exception>
    public static string Id(string id, string parameter)
    {
        ArgumentException.ThrowIfNullOrEmpty(id, parameter);
        return IsText(id) ? id : throw new ArgumentException("An id must be valid UTF-16: it has half of a surrogate pair.", parameter);
    }

    /// <summary>Refuses an owner that is none, or that means nobody over RESP.</summary>
    public static void CheckOwner(string? owner, string parameter)
    {
        if (owner is "" or "-" || (owner is not null && !IsText(owner)))
        {
            throw new ArgumentException("An owner must be null (nobody) or a name in valid UTF-16; '-' means nobody in RESP.", parameter);
        }
    }

    /// <summary>Refuses what would otherwise become a frame of unbounded size (or, over RESP, not a command at all), and lines
    /// on nothing, with the code that the server would give.</summary>
    public static Refusal? CheckLines(IReadOnlyList<HoldLine> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        if (lines.Count is < 1 or > LinesMax)
        {
            return Invalid($"{lines.Count} lines; must be 1 to {LinesMax}");
        }

        for (var i = 0; i < lines.Count; i++)
        {
            if (string.IsNullOrEmpty(lines[i]?.Resource) || !IsText(lines[i].Resource))
            {
                return Invalid($"line {i + 1} names no resource in valid UTF-16");
            }
        }

        return null;
    }

    /// <summary>Refuses a reason of no words, as the server does.</summary>
    public static Refusal? CheckReason(string? reason) => reason is "" ? Invalid("the reason is empty: say why, or leave it null") : null;

    /// <summary>What is sent as the reason.</summary>
    public static string Reason(string? reason) => reason ?? NoReason;

    private static Refusal Invalid(string message) => new(RefusalCode.Invalid, "invalid", message);

    private static bool IsText(string text)
    {
        var rest = text.AsSpan();
        while (rest.IndexOfAnyInRange('\uD800', '\uDFFF') is >= 0 and var at)
        {
            if (at + 1 == rest.Length || !char.IsSurrogatePair(rest[at], rest[at + 1]))
            {
                return false;
            }

            rest = rest[(at + 2)..];
        }

        return true;
    }
}

namespace Holdfast.Client;

/// <summary>Checks that both transports make before sending. What the server refuses as a business matter is left to it.</summary>
internal static class Requests
{
    /// <summary>The contract's bound on lines of one hold.</summary>
    public const int LinesMax = 64;

    /// <summary>Whole seconds, rounded up: a hold never ends before the caller expects it.</summary>
    public static long Seconds(TimeSpan ttl)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(ttl, TimeSpan.Zero, nameof(ttl));
        return (ttl.Ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond;
    }

    /// <summary>Refuses what would otherwise become a frame of unbounded size (or, over RESP, not a command at all), with
    /// the code that the server would give.</summary>
    public static Refusal? CheckLines(IReadOnlyList<HoldLine> lines)
    {
        ArgumentNullException.ThrowIfNull(lines);
        return lines.Count is >= 1 and <= LinesMax
            ? null
            : new Refusal(RefusalCode.Invalid, "invalid", $"{lines.Count} lines; must be 1 to {LinesMax}");
    }
}

namespace Holdfast.Kernel;

/// <summary>Rules of a space's checkouts. They steer decisions only: changing them never changes what the journal already says.</summary>
public sealed record CheckoutOptions
{
    /// <summary>Longest time to pay that may be asked for, in milliseconds: 12 hours, half of a hold's longest life.</summary>
    public const long MaxTtlMs = 12 * 3600 * 1000L;

    /// <summary>Time to pay when none is named, in milliseconds. Default 15 minutes.</summary>
    public long DefaultTtlMs { get; init; } = 15 * 60 * 1000L;

    /// <summary>
    /// How long the hold outlives the deadline while the order is being closed at the provider, in milliseconds. A payment
    /// that comes to light after that takes its units anew, or goes back. Default 2 minutes.
    /// </summary>
    public long CloseGraceMs { get; init; } = 120_000;

    /// <summary>When the provider is first asked what became of an order, in milliseconds from its opening. Default 5 seconds; it doubles.</summary>
    public long PollFirstMs { get; init; } = 5_000;

    /// <summary>Longest interval between two questions, in milliseconds. Default 5 minutes.</summary>
    public long PollMaxMs { get; init; } = 300_000;

    /// <summary>When an order that could not be closed yet, or a refund that is underway, is asked about again, in milliseconds. Default 3 seconds; it doubles up to <see cref="PollMaxMs"/>.</summary>
    public long LaterMs { get; init; } = 3_000;

    /// <summary>Calls of one kind without a usable answer, after which an operator is asked. Default 200: more than half a day.</summary>
    public int MaxFailures { get; init; } = 200;

    /// <summary>How long a finished checkout stays known, in milliseconds. Default 7 days. A payment that comes later is kept in suspense.</summary>
    public long RetentionMs { get; init; } = 7 * 24 * 3600 * 1000L;

    /// <summary>Most checkouts that may be open at once; one more is answered <c>overloaded</c>. Default 1 million.</summary>
    public int MaxOpen { get; init; } = 1_000_000;

    /// <summary>Most deadlines that one batch settles, and most checkouts that it forgets. Default 4,096.</summary>
    public int MaxSettledPerBatch { get; init; } = 4_096;

    /// <summary>Event ids of callbacks that belong to no checkout which are remembered. Default 10,000.</summary>
    public int StraysRemembered { get; init; } = 10_000;
}

namespace Holdfast.Kernel;

/// <summary>Rules of a space's transactions. They steer decisions only: changing them never changes what the journal already says.</summary>
public sealed record TransactionOptions
{
    /// <summary>Longest phase one that may be asked for, in milliseconds: 7 days.</summary>
    public const long MaxTimeoutMs = 7 * 24 * 3600 * 1000L;

    /// <summary>Deadline of phase one when none is named, in milliseconds. Default 60 seconds.</summary>
    public long DefaultTimeoutMs { get; init; } = 60_000;

    /// <summary>How long an ended transaction stays known, in milliseconds. Default 24 hours.</summary>
    public long RetentionMs { get; init; } = 24 * 3600 * 1000L;

    /// <summary>When a participant that answered "not yet" (425) is asked again, in milliseconds. Default 1 second.</summary>
    public long LaterMs { get; init; } = 1_000;

    /// <summary>Calls of one operation without a usable answer, after which it is stuck (a try: aborted). Default 100; about an hour and a half.</summary>
    public int MaxFailures { get; init; } = 100;

    /// <summary>Most transactions that may be open at once; one more is answered <c>overloaded</c>. Default 1 million.</summary>
    public int MaxOpen { get; init; } = 1_000_000;

    /// <summary>Most deadlines that one batch settles, and most ended ids that it forgets. Default 4,096.</summary>
    public int MaxSettledPerBatch { get; init; } = 4_096;
}

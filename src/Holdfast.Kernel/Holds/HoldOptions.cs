namespace Holdfast.Kernel;

/// <summary>Rules of a space. They steer decisions only: changing them never changes what the journal already says.</summary>
public sealed record HoldOptions
{
    /// <summary>Time to live of a hold when neither the try nor the resource names one, in milliseconds. Default 15 minutes.</summary>
    public long DefaultTtlMs { get; init; } = 15 * 60 * 1000L;

    /// <summary>Longest life of a hold from its try on, extensions included, in milliseconds. Default 24 hours.</summary>
    public long MaxLifeMs { get; init; } = 24 * 3600 * 1000L;

    /// <summary>How long a finished id stays known, in milliseconds. Default 24 hours.</summary>
    public long RetentionMs { get; init; } = 24 * 3600 * 1000L;

    /// <summary>How long an adjustment's id stays known, in milliseconds. Default 7 days.</summary>
    public long AdjustmentRetentionMs { get; init; } = 7 * 24 * 3600 * 1000L;

    /// <summary>Most holds that one batch expires, and most ids that it forgets, so that a flood of deadlines leaves room for commands.</summary>
    public int MaxExpiriesPerBatch { get; init; } = 4096;
}

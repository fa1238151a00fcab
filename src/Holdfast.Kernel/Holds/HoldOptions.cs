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

    /// <summary>Why no machine can run under these rules, in words; null when it can.</summary>
    public string? Problem =>
        DefaultTtlMs <= 0 ? "DefaultTtlMs must be 1 or more."
        : DefaultTtlMs > MaxLifeMs ? "DefaultTtlMs must not be longer than MaxLifeMs."
        : RetentionMs <= 0 ? "RetentionMs must be 1 or more: an id that is forgotten at once could be held twice."
        : AdjustmentRetentionMs <= 0 ? "AdjustmentRetentionMs must be 1 or more: an id that is forgotten at once could count twice."
        : MaxExpiriesPerBatch <= 0 ? "MaxExpiriesPerBatch must be 1 or more."
        : null;
}

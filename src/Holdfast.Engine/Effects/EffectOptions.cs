namespace Holdfast.Engine.Effects;

/// <summary>How calls to participants are made.</summary>
public sealed record EffectOptions
{
    /// <summary>Most calls to one host (scheme, name and port) at once; the rest wait in that host's own queue. Default 64.</summary>
    public int MaxCallsPerHost { get; init; } = 64;

    /// <summary>Most calls to all hosts at once. Default 1,024.</summary>
    public int MaxCalls { get; init; } = 1_024;

    /// <summary>How long an answer may take when the call names no time. Default 10 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The first wait after an answer that can't be used; it doubles with each further one. Default 200 ms.</summary>
    public TimeSpan BackoffBase { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait. Default 60 seconds.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Share of calls to a host that got no answer (or 502, 503, 504) within ten seconds, from which on it is left alone for
    /// <see cref="BreakFor"/> and then probed by one call. Default 0.8.
    /// </summary>
    public double BreakAtFailureRatio { get; init; } = 0.8;

    /// <summary>How long a host that doesn't answer is left alone. Default 2 seconds.</summary>
    public TimeSpan BreakFor { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Keys that sign each call (Standard Webhooks): several while one is being replaced. None: calls carry no signature.</summary>
    public IReadOnlyList<SigningKey> SigningKeys { get; init; } = [];

    internal EffectOptions Checked()
    {
        Positive(MaxCallsPerHost, nameof(MaxCallsPerHost));
        Positive(MaxCalls, nameof(MaxCalls));
        Positive(Timeout.Ticks, nameof(Timeout));
        Positive(BackoffBase.Ticks, nameof(BackoffBase));
        if (BackoffMax < BackoffBase)
        {
            throw new HoldfastException("BackoffMax is shorter than BackoffBase.");
        }

        if (BreakAtFailureRatio is not (> 0 and <= 1))
        {
            throw new HoldfastException("BreakAtFailureRatio must be above 0 and at most 1.");
        }

        if (BreakFor < TimeSpan.FromMilliseconds(500))
        {
            throw new HoldfastException("BreakFor must be at least half a second.");
        }

        return this;
    }

    private static void Positive(long value, string name)
    {
        if (value < 1)
        {
            throw new HoldfastException($"{name} must be above 0.");
        }
    }
}

namespace Holdfast.Client.Retries;

/// <summary>Why an attempt gave no answer.</summary>
/// <param name="MayHaveExecuted">False only when it is certain that the server did nothing.</param>
/// <param name="Message">What happened, for the final exception.</param>
/// <param name="RetryAfter">When the server asked to come back.</param>
/// <param name="Cause">The exception behind it, if one.</param>
internal readonly record struct AttemptFailure(bool MayHaveExecuted, string Message, TimeSpan? RetryAfter = null, Exception? Cause = null);

/// <summary>Draws pauses: exponential, capped, full jitter. See "Exponential Backoff And Jitter", AWS architecture blog.</summary>
internal sealed class Backoff(RetryOptions options, Random random)
{
    private readonly Lock _gate = new();

    /// <summary>The pause after the given number of failures (1 or more).</summary>
    public TimeSpan Next(int failures)
    {
        // The shift is bounded before it is made: 1 << 31 and beyond would wrap around.
        var bound = options.BaseDelay.Ticks * (double)(1L << Math.Min(failures - 1, 40));
        return new TimeSpan((long)(Math.Min(bound, options.MaxDelay.Ticks) * Draw()));
    }

    private double Draw()
    {
        if (ReferenceEquals(random, Random.Shared))
        {
            return random.NextDouble();
        }

        // A seeded Random is not safe for concurrent use: it ends up returning zero for ever.
        lock (_gate)
        {
            return random.NextDouble();
        }
    }
}

/// <summary>
/// The attempts of one call. Made only once the first attempt has failed, so that the fast path pays nothing.
/// </summary>
internal sealed class RetrySession(HoldfastClientOptions options, Backoff backoff, long startedAt, string? id)
{
    private int _attempts = 1;
    private bool _mayHaveExecuted;

    /// <summary>What is left of the overall timeout.</summary>
    public TimeSpan Remaining => options.Retry.OverallTimeout - options.TimeProvider.GetElapsedTime(startedAt);

    /// <summary>Pauses before the next attempt.</summary>
    /// <exception cref="HoldfastUnavailableException">There is no next attempt.</exception>
    public async ValueTask PauseAsync(AttemptFailure failure, CancellationToken cancellationToken)
    {
        _mayHaveExecuted |= failure.MayHaveExecuted;
        if (_attempts >= options.Retry.MaxAttempts)
        {
            throw GiveUp(failure, $"{_attempts} attempts");
        }

        var pause = backoff.Next(_attempts);
        if (failure.RetryAfter is { } asked && asked > pause)
        {
            pause = asked;
        }

        // Waiting for an attempt that can't be made any more would only hide the answer from the caller for longer.
        if (pause >= Remaining)
        {
            throw GiveUp(failure, $"{_attempts} attempts; the next one would be past the overall timeout of {options.Retry.OverallTimeout.TotalSeconds:0.###} s");
        }

        await Task.Delay(pause, options.TimeProvider, cancellationToken).ConfigureAwait(false);
        _attempts++;
    }

    /// <summary>The exception for when the overall timeout ran out during an attempt.</summary>
    public HoldfastUnavailableException TimedOut(bool mayHaveExecuted)
    {
        _mayHaveExecuted |= mayHaveExecuted;
        return GiveUp(
            new AttemptFailure(mayHaveExecuted, "no answer in time"),
            $"{_attempts} attempts, the overall timeout of {options.Retry.OverallTimeout.TotalSeconds:0.###} s used up");
    }

    private HoldfastUnavailableException GiveUp(AttemptFailure failure, string after)
    {
        var advice = (_mayHaveExecuted, id) switch
        {
            (false, _) => "Nothing was executed: try again later.",
            (true, null) => "Try again later.",
            (true, _) => $"The outcome is unknown: repeat the call with the same id '{id}', or ask for that id; never use a new one.",
        };
        return new HoldfastUnavailableException(
            $"No answer after {after}: {failure.Message}. {advice}", _attempts, !_mayHaveExecuted, failure.RetryAfter, failure.Cause)
        {
            Id = id,
        };
    }
}

namespace Holdfast.Client;

/// <summary>Anything that this client throws by itself.</summary>
public abstract class HoldfastException : Exception
{
    private protected HoldfastException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

/// <summary>Thrown only on request, by the results' <c>EnsureSucceeded</c>, and by reads that were refused.</summary>
public sealed class HoldRefusedException : HoldfastException
{
    /// <summary>Wraps a refusal.</summary>
    public HoldRefusedException(Refusal refusal)
        : base($"Refused ({(refusal ?? throw new ArgumentNullException(nameof(refusal))).CodeText}): {refusal.Message}")
        => Refusal = refusal;

    /// <summary>Why.</summary>
    public Refusal Refusal { get; }
}

/// <summary>
/// All attempts are used up, or the time is. Unless <see cref="OutcomeKnown"/>, the call may have been executed: repeat
/// it with the same id, or ask for that id, to learn the truth. Never repeat it under a new id.
/// </summary>
public sealed class HoldfastUnavailableException : HoldfastException
{
    internal HoldfastUnavailableException(string message, int attempts, bool outcomeKnown, TimeSpan? retryAfter, Exception? innerException)
        : base(message, innerException)
    {
        Attempts = attempts;
        OutcomeKnown = outcomeKnown;
        RetryAfter = retryAfter;
    }

    /// <summary>The id that the call went under (hold, adjustment or return), to repeat or ask with; null for reads.</summary>
    public string? Id { get; internal init; }

    /// <summary>Attempts made.</summary>
    public int Attempts { get; }

    /// <summary>True when no attempt can have been executed (overloaded, or never connected).</summary>
    public bool OutcomeKnown { get; }

    /// <summary>When the server asked to come back, if it said so.</summary>
    public TimeSpan? RetryAfter { get; }
}

/// <summary>The API key is missing, wrong, or lacks the role for this call; or a participant denied a try, whose signature is
/// missing or wrong. Not retried.</summary>
public sealed class HoldfastDeniedException : HoldfastException
{
    internal HoldfastDeniedException(string message)
        : base(message)
    {
    }
}

/// <summary>The other side answered something outside the protocol (a wrong address, a proxy, another version), or has no such
/// space. Not retried. Whether a call was executed is not known: when the address is right again, repeat it with the same id.</summary>
public sealed class HoldfastProtocolException : HoldfastException
{
    internal HoldfastProtocolException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

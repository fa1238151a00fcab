namespace Holdfast.Kernel;

/// <summary>Create a resource or replace its policy. Idempotent: the same policy again changes nothing.</summary>
public sealed class PutResource(NameHasher hasher) : Command(hasher)
{
    /// <summary>The whole policy.</summary>
    public ResourcePolicy Policy { get; private set; } = ResourcePolicy.Default;

    /// <summary>Begins anew.</summary>
    public void Reset(ReadOnlySpan<byte> id, ResourcePolicy policy)
    {
        Begin(id, "the resource's id");
        RefuseDots(id, "the resource's id");
        Policy = policy;
        if (policy.Problem() is { } problem)
        {
            Fail(problem);
        }
    }
}

/// <summary>Change a resource's supply. Idempotent by adjustment id, for as long as the space remembers it.</summary>
public sealed class AdjustSupply(NameHasher hasher) : Command(hasher)
{
    internal Text AdjustmentId { get; private set; }

    internal Text Reason { get; private set; }

    /// <summary>Units to add (or, below zero, to take away); what <c>available</c> is to be, when <see cref="Absolute"/>.</summary>
    public long Value { get; private set; }

    /// <summary>Whether the value is a new <c>available</c> rather than a difference.</summary>
    public bool Absolute { get; private set; }

    /// <summary>For an absolute set: the version of the resource that the caller saw.</summary>
    public long ExpectedVersion { get; private set; }

    /// <summary>Take below zero available and record the deficit.</summary>
    public bool Force { get; private set; }

    /// <summary>Begins anew: supply changes by <paramref name="delta"/>.</summary>
    public void ResetDelta(ReadOnlySpan<byte> resource, ReadOnlySpan<byte> id, long delta, ReadOnlySpan<byte> reason, bool force = false)
    {
        Start(resource, id, reason);
        (Value, Absolute, ExpectedVersion, Force) = (delta, false, 0, force);
        if (delta == 0 || delta is < -Quantity.Max or > Quantity.Max)
        {
            Fail("delta must be a whole number other than 0");
        }
    }

    /// <summary>Begins anew: <c>available</c> becomes <paramref name="available"/>, if the resource still has the expected version.</summary>
    public void ResetSet(ReadOnlySpan<byte> resource, ReadOnlySpan<byte> id, long available, long expectedVersion, ReadOnlySpan<byte> reason)
    {
        Start(resource, id, reason);
        (Value, Absolute, ExpectedVersion, Force) = (available, true, expectedVersion, false);
        if (available is < 0 or > Quantity.Max)
        {
            Fail("set must be a whole number, 0 or more");
        }
    }

    private void Start(ReadOnlySpan<byte> resource, ReadOnlySpan<byte> id, ReadOnlySpan<byte> reason)
    {
        Begin(resource, "the resource's id");
        AdjustmentId = Keep(id, "the adjustment's id");
        Reason = KeepReason(reason, "the reason");
    }
}

/// <summary>Read a resource. The answer waits until what it tells is durable.</summary>
public sealed class GetResource(NameHasher hasher) : Command(hasher)
{
    /// <summary>Begins anew.</summary>
    public void Reset(ReadOnlySpan<byte> id) => Begin(id, "the resource's id");
}

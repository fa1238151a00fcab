namespace Holdfast.Kernel;

/// <summary>Make a hold: all lines or none. Idempotent by id: a repeat with the same body (owner, time to live, lines) gets the same answer.</summary>
public sealed class TryHold(NameHasher hasher) : LinedCommand(hasher)
{
    /// <summary>Whether the answer to a repeat should carry a <see cref="HoldView"/>: part of the hold may be confirmed by now.</summary>
    public bool WantsViewOfRepeat { get; init; }

    internal Text Owner { get; private set; }

    internal bool HasOwner => Owner.Length > 0;

    /// <summary>Time to live as asked, in milliseconds; 0: the resource's or the space's default.</summary>
    public long TtlMs { get; private set; }

    /// <summary>When the caller first issued it, unix milliseconds; 0: not said.</summary>
    public long IssuedAtMs { get; private set; }

    /// <summary>Begins anew with an id.</summary>
    /// <param name="id">The caller's id of the hold.</param>
    /// <param name="owner">Who holds; empty: nobody is named.</param>
    /// <param name="ttlMs">Time to live in milliseconds; 0: the default.</param>
    /// <param name="issuedAtMs">When the caller first issued it, unix milliseconds; 0: not said.</param>
    public void Reset(ReadOnlySpan<byte> id, ReadOnlySpan<byte> owner, long ttlMs = 0, long issuedAtMs = 0)
    {
        BeginLines(id, "the hold's id");
        RefuseDots(id, "the hold's id");
        Owner = owner.IsEmpty ? default : Keep(owner, "the owner");
        TtlMs = ttlMs;
        IssuedAtMs = issuedAtMs;
        if (ttlMs is < 0 or > Quantity.MaxTtlMs)
        {
            Fail("ttlSeconds must be 0 (the default) or more, and at most ten years");
        }
    }
}

/// <summary>Consume a hold: everything held, or the quantities named by lines. Idempotent: the same confirm again gets the same answer.</summary>
public sealed class ConfirmHold(NameHasher hasher) : LinedCommand(hasher)
{
    /// <summary>Whether what is not named stays held; otherwise it is released.</summary>
    public bool KeepRemainder { get; private set; }

    /// <summary>Begins anew. Without lines, everything held is consumed.</summary>
    public void Reset(ReadOnlySpan<byte> id, bool keepRemainder = false)
    {
        BeginLines(id, "the hold's id");
        KeepRemainder = keepRemainder;
    }
}

/// <summary>Release a hold. Idempotent. A cancel of an unknown id leaves a tombstone, so that a late try is refused.</summary>
public sealed class CancelHold(NameHasher hasher) : Command(hasher)
{
    /// <summary>Begins anew.</summary>
    public void Reset(ReadOnlySpan<byte> id)
    {
        Begin(id, "the hold's id");
        RefuseDots(id, "the hold's id"); // its tombstone would be new
    }
}

/// <summary>Give a live hold a new deadline: now plus the time to live, but never past the longest life since its try.</summary>
public sealed class ExtendHold(NameHasher hasher) : Command(hasher)
{
    /// <summary>New time to live from now on, in milliseconds.</summary>
    public long TtlMs { get; private set; }

    /// <summary>Begins anew.</summary>
    public void Reset(ReadOnlySpan<byte> id, long ttlMs)
    {
        Begin(id, "the hold's id");
        TtlMs = ttlMs;
        if (ttlMs is < 1 or > Quantity.MaxTtlMs)
        {
            Fail("ttlSeconds must be above 0 and at most ten years");
        }
    }
}

/// <summary>Put consumed units of a hold back. Idempotent by return id; never more than was consumed.</summary>
public sealed class ReturnUnits(NameHasher hasher) : LinedCommand(hasher)
{
    internal Text ReturnId { get; private set; }

    internal Text Reason { get; private set; }

    /// <summary>Begins anew; at least one line must follow.</summary>
    public void Reset(ReadOnlySpan<byte> holdId, ReadOnlySpan<byte> returnId, ReadOnlySpan<byte> reason)
    {
        BeginLines(holdId, "the hold's id");
        ReturnId = Keep(returnId, "the return's id");
        Reason = KeepReason(reason, "the reason");
    }
}

/// <summary>Read a hold. The answer waits until what it tells is durable. A hold past its deadline is expired first.</summary>
public sealed class GetHold(NameHasher hasher) : Command(hasher)
{
    /// <summary>Begins anew.</summary>
    public void Reset(ReadOnlySpan<byte> id) => Begin(id, "the hold's id");
}

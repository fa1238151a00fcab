namespace Holdfast.Client;

/// <summary>So many units of one resource.</summary>
/// <param name="Resource">Id of the resource, at most 128 bytes of UTF-8.</param>
/// <param name="Quantity">In the resource's smallest unit (pieces, cents, points); more than zero.</param>
public sealed record HoldLine(string Resource, long Quantity);

/// <summary>Where a hold is in its life.</summary>
public enum HoldState
{
    /// <summary>A state that this version of the client does not know.</summary>
    Unknown = 0,

    /// <summary>Reserved until the deadline.</summary>
    Held,

    /// <summary>Consumed.</summary>
    Confirmed,

    /// <summary>Released by a cancel (or cancelled before the try arrived).</summary>
    Cancelled,

    /// <summary>Released because the deadline passed.</summary>
    Expired,
}

/// <summary>What to reserve.</summary>
/// <param name="Lines">1 to 64 lines, all held or none. Lines on one resource are summed before checking.</param>
public sealed record HoldRequest(IReadOnlyList<HoldLine> Lines)
{
    /// <summary>The hold's id, at most 128 bytes of UTF-8, and the key of idempotency: the same id with the same body
    /// gets the same answer. Null: the client makes one (see <see cref="HoldResult.Id"/>).</summary>
    public string? Id { get; init; }

    /// <summary>For whom; counted against limits per owner. Null: nobody. (<c>-</c> is not a name: RESP uses it for none.)</summary>
    public string? Owner { get; init; }

    /// <summary>Time to live, more than zero; sent in whole seconds, rounded up. Null: the resource's default.</summary>
    public TimeSpan? Ttl { get; init; }

    /// <summary>One line.</summary>
    public static HoldRequest Of(string resource, long quantity, string? owner = null, string? id = null) =>
        new([new HoldLine(resource, quantity)]) { Id = id, Owner = owner };
}

/// <summary>A hold as the server tells it.</summary>
public sealed record Hold
{
    /// <summary>The hold's id.</summary>
    public required string Id { get; init; }

    /// <summary>For whom, or null for nobody.</summary>
    public string? Owner { get; init; }

    /// <summary>Where it is in its life.</summary>
    public required HoldState State { get; init; }

    /// <summary>The deadline (UTC). Null after a try over RESP, whose answer does not carry it:
    /// <see cref="IHoldfastClient.GetHoldAsync"/> tells.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>What is or was held.</summary>
    public required IReadOnlyList<HoldLine> Lines { get; init; }
}

/// <summary>Which part of a hold to consume.</summary>
public sealed record ConfirmRequest
{
    /// <summary>The quantities to consume, none above what is held. Null: everything.</summary>
    public IReadOnlyList<HoldLine>? Lines { get; init; }

    /// <summary>True keeps what was not consumed held until the deadline; false releases it in the same step.</summary>
    public bool KeepRemainder { get; init; }
}

/// <summary>Consumed units that come back.</summary>
/// <param name="Lines">What comes back; never more than was consumed.</param>
/// <param name="Reason">Why, for the audit trail.</param>
public sealed record ReturnRequest(IReadOnlyList<HoldLine> Lines, string? Reason = null)
{
    /// <summary>The return's id and key of idempotency. Null: the client makes one; it is kept over retries of that call
    /// only, so name it yourself when the caller itself may repeat.</summary>
    public string? Id { get; init; }
}

namespace Holdfast.Client;

/// <summary>A countable scarce thing. All quantities are in its smallest unit.</summary>
public sealed record Resource
{
    /// <summary>The resource's id.</summary>
    public required string Id { get; init; }

    /// <summary>Units nobody has; below zero when sold on overdraft or after a forced adjustment.</summary>
    public required long Available { get; init; }

    /// <summary>Units reserved by holds.</summary>
    public required long Held { get; init; }

    /// <summary>Units consumed by confirmed holds.</summary>
    public required long Consumed { get; init; }

    /// <summary>Rises with each change; what <see cref="Adjustment.ExpectedVersion"/> is compared with.</summary>
    public required long Version { get; init; }

    /// <summary>The rules, or null over RESP, whose answer does not carry them.</summary>
    public ResourcePolicy? Policy { get; init; }
}

/// <summary>Rules of a resource. Everything left out means: no such rule.</summary>
public sealed record ResourcePolicy
{
    /// <summary>Most units that one owner may have held and consumed together. Null: no limit.</summary>
    public long? LimitPerOwner { get; init; }

    /// <summary>No hold before this instant, by the server's clock.</summary>
    public DateTimeOffset? OpensAt { get; init; }

    /// <summary>No hold from this instant on, by the server's clock.</summary>
    public DateTimeOffset? ClosesAt { get; init; }

    /// <summary>Only this owner may hold it (a personal coupon, a wallet). Null: anybody.</summary>
    public string? Owner { get; init; }

    /// <summary>Units that may be sold before supply arrives.</summary>
    public long Overdraft { get; init; }

    /// <summary>Default time to live of holds, in seconds; a server's fraction of one is told rounded up. Null: the server's default.</summary>
    public int? HoldSeconds { get; init; }

    /// <summary>True refuses every new hold; what is held may finish.</summary>
    public bool Disabled { get; init; }

    /// <summary>Units never offered.</summary>
    public long SafetyStock { get; init; }
}

/// <summary>A change of supply: either by a difference, or to an absolute count under an expected version.</summary>
public sealed record Adjustment
{
    private Adjustment()
    {
    }

    /// <summary>The adjustment's id and key of idempotency. Null: the client makes one; it is kept over retries of that
    /// call only, so name it yourself when the feed itself may repeat.</summary>
    public string? Id { get; init; }

    /// <summary>Units to add, or below zero to take away. Null in the absolute form.</summary>
    public long? Delta { get; private init; }

    /// <summary>Units that shall be available afterwards. Null in the form by a difference.</summary>
    public long? Set { get; private init; }

    /// <summary>The version that the absolute count was made at; another one is refused <see cref="RefusalCode.VersionMismatch"/>.</summary>
    public long? ExpectedVersion { get; private init; }

    /// <summary>Why, for the audit trail.</summary>
    public string? Reason { get; init; }

    /// <summary>True takes below zero what would be refused, and records a deficit.</summary>
    public bool Force { get; init; }

    /// <summary>Adds (or takes away) units.</summary>
    public static Adjustment By(long delta, string? reason = null, string? id = null) =>
        new() { Delta = delta, Reason = reason, Id = id };

    /// <summary>Sets the available units, if nothing changed since <paramref name="expectedVersion"/>.</summary>
    public static Adjustment To(long available, long expectedVersion, string? reason = null, string? id = null) =>
        new() { Set = available, ExpectedVersion = expectedVersion, Reason = reason, Id = id };
}

namespace Holdfast.Server;

/// <summary>The fields that bodies have; a call names those it takes, and others in its body are passed over.</summary>
[Flags]
internal enum Fields
{
    None = 0,
    Id = 1 << 0,
    Owner = 1 << 1,
    TtlSeconds = 1 << 2,
    IssuedAt = 1 << 3,
    Lines = 1 << 4,
    KeepRemainder = 1 << 5,
    Reason = 1 << 6,
    Delta = 1 << 7,
    Set = 1 << 8,
    ExpectedVersion = 1 << 9,
    Force = 1 << 10,
    Op = 1 << 11,
    Resource = 1 << 12,
    LimitPerOwner = 1 << 13,
    OpensAt = 1 << 14,
    ClosesAt = 1 << 15,
    Overdraft = 1 << 16,
    HoldSeconds = 1 << 17,
    Disabled = 1 << 18,
    SafetyStock = 1 << 19,
}

/// <summary>What a field holds.</summary>
internal enum FieldKind : byte
{
    /// <summary>An id: at most 128 bytes.</summary>
    Name,

    /// <summary>A reason: at most 512 bytes.</summary>
    Text,

    /// <summary>A whole number.</summary>
    Whole,

    /// <summary>Seconds, maybe with a fraction; kept in milliseconds.</summary>
    Seconds,

    /// <summary>An instant; kept in unix milliseconds.</summary>
    Instant,

    /// <summary>True or false.</summary>
    Flag,

    /// <summary>A list of (resource, quantity).</summary>
    Lines,
}

/// <summary>A field's name on the wire and what it holds, in the order of the bits of <see cref="Fields"/>.</summary>
internal readonly record struct FieldRule(string Text, byte[] Name, FieldKind Kind)
{
    public static readonly FieldRule[] All =
    [
        Of("id", FieldKind.Name), Of("owner", FieldKind.Name), Of("ttlSeconds", FieldKind.Seconds), Of("issuedAt", FieldKind.Instant),
        Of("lines", FieldKind.Lines), Of("keepRemainder", FieldKind.Flag), Of("reason", FieldKind.Text), Of("delta", FieldKind.Whole),
        Of("set", FieldKind.Whole), Of("expectedVersion", FieldKind.Whole), Of("force", FieldKind.Flag), Of("op", FieldKind.Name),
        Of("resource", FieldKind.Name), Of("limitPerOwner", FieldKind.Whole), Of("opensAt", FieldKind.Instant),
        Of("closesAt", FieldKind.Instant), Of("overdraft", FieldKind.Whole), Of("holdSeconds", FieldKind.Seconds),
        Of("disabled", FieldKind.Flag), Of("safetyStock", FieldKind.Whole),
    ];

    private static FieldRule Of(string text, FieldKind kind) => new(text, System.Text.Encoding.UTF8.GetBytes(text), kind);
}

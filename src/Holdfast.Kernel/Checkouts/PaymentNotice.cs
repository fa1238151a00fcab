namespace Holdfast.Kernel;

/// <summary>What a provider tells of a payment.</summary>
public enum NoticeKind : byte
{
    /// <summary>Nothing that changes a checkout; kept, so that a later version can read it again.</summary>
    Other = 0,

    /// <summary>The money has arrived.</summary>
    Paid = 1,

    /// <summary>An attempt to pay failed; the shopper may try another.</summary>
    Failed = 2,

    /// <summary>The provider's order is closed unpaid.</summary>
    Closed = 3,

    /// <summary>Money went back.</summary>
    Refunded = 4,

    /// <summary>A refund did not go through.</summary>
    RefundFailed = 5,

    /// <summary>The shopper's bank took the money back, or asks for it.</summary>
    Disputed = 6,

    /// <summary>Not paid yet.</summary>
    Pending = 7,
}

/// <summary>
/// One thing that a provider told, after its signature was verified: by a callback, or as the answer to a question. The
/// same words for every provider.
/// </summary>
public sealed record PaymentNotice
{
    /// <summary>What became of a notice that came before the payment it is about: the provider is to send it again.</summary>
    public const string Early = "early";

    /// <summary>The channel it came through.</summary>
    public required string Channel { get; init; }

    /// <summary>The provider's id of the event; unique in its channel. Empty: it was asked for, not sent.</summary>
    public string EventId { get; init; } = "";

    /// <summary>What happened.</summary>
    public required NoticeKind Kind { get; init; }

    /// <summary>The checkout's id as the provider gives it back; null: it names none.</summary>
    public string? Checkout { get; init; }

    /// <summary>The provider's id of the payment; null: it names none.</summary>
    public string? Transaction { get; init; }

    /// <summary>Minor units (cents, fen) that were paid, or went back.</summary>
    public long Amount { get; init; }

    /// <summary>ISO 4217, in capitals; empty: not said.</summary>
    public string Currency { get; init; } = "";

    /// <summary>Whether <see cref="Amount"/> of a refund is the sum of all refunds of this payment so far.</summary>
    public bool AmountIsTotal { get; init; }

    /// <summary>The refund's id as it was sent to the provider; null: it names none.</summary>
    public string? Refund { get; init; }

    /// <summary>The provider's own id of the order that it is about; null: not said. An order may have been given up for another one.</summary>
    public string? ProviderOrder { get; init; }

    /// <summary>The provider's own word for it.</summary>
    public string Type { get; init; } = "";

    /// <summary>The callback's body as it came; empty for answers.</summary>
    public ReadOnlyMemory<byte> Raw { get; init; }
}

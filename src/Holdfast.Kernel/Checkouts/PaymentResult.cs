namespace Holdfast.Kernel;

/// <summary>What a provider answered to a call.</summary>
public enum PaymentOutcome : byte
{
    /// <summary>No usable answer: it may have happened or not. Asked again under the same id (E29).</summary>
    Unknown = 0,

    /// <summary>The order is open and can be paid.</summary>
    Opened = 1,

    /// <summary>Not paid yet, or the refund is underway.</summary>
    Pending = 2,

    /// <summary>It is paid; the notice says by what.</summary>
    Paid = 3,

    /// <summary>It is closed unpaid: nobody can pay it any more.</summary>
    Closed = 4,

    /// <summary>The money went back.</summary>
    Refunded = 5,

    /// <summary>The provider refuses, and asking again would not change that.</summary>
    Refused = 6,

    /// <summary>The provider knows no such order or refund.</summary>
    NotFound = 7,
}

/// <summary>An answer of a provider.</summary>
/// <param name="Outcome">What it means.</param>
/// <param name="Text">The same in words, for people; never a secret.</param>
public sealed record PaymentResult(PaymentOutcome Outcome, string Text = "")
{
    /// <summary>Where the shopper pays, after <see cref="PaymentOutcome.Opened"/>.</summary>
    public string? PayUrl { get; init; }

    /// <summary>The provider's own id of the order or of the refund, where it has one.</summary>
    public string? ProviderId { get; init; }

    /// <summary>The payment of <see cref="PaymentOutcome.Paid"/>.</summary>
    public PaymentNotice? Notice { get; init; }
}

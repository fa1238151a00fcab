using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Client;

/// <summary>Money in minor units (cents, fen).</summary>
/// <param name="Value">Minor units.</param>
/// <param name="Currency">ISO 4217, in capitals.</param>
public sealed record Money(long Value, string Currency);

/// <summary>A purchase as the shopper sees it: units that are held, and a payment, with one deadline.</summary>
/// <param name="Id">The shop's id: the merchant order number at the provider.</param>
/// <param name="Owner">Whose; limits per owner count by it.</param>
/// <param name="Channel">The payment channel's name, as the server's settings have it.</param>
/// <param name="Amount">What is to be paid.</param>
/// <param name="Lines">What is bought.</param>
public sealed record CheckoutRequest(string Id, string Owner, string Channel, Money Amount, params IReadOnlyList<HoldLine> Lines)
{
    /// <summary>Time to pay; null: the server's default, 15 minutes.</summary>
    public TimeSpan? Ttl { get; init; }
}

/// <summary>Where a checkout is.</summary>
public enum CheckoutState
{
    /// <summary>A state that this version of the client does not know: see <see cref="Checkout.StateText"/>.</summary>
    Unknown = 0,

    /// <summary>Waits for its payment.</summary>
    Pending,

    /// <summary>Its order is being closed at the provider; its units stay held until then.</summary>
    Closing,

    /// <summary>Paid, and its units consumed.</summary>
    Paid,

    /// <summary>Cancelled before it was paid; what is paid later goes back.</summary>
    Cancelled,

    /// <summary>Not paid in time; what is paid later takes its units anew, or goes back.</summary>
    Expired,

    /// <summary>Another amount was paid than asked: an operator decides.</summary>
    Conflicted,

    /// <summary>A payment that belongs to no checkout.</summary>
    Suspense,
}

/// <summary>A checkout as it stands.</summary>
public sealed record Checkout
{
    /// <summary>The shop's id.</summary>
    public required string Id { get; init; }

    /// <summary>Where it is.</summary>
    public required CheckoutState State { get; init; }

    /// <summary>The same as the server sent it.</summary>
    public required string StateText { get; init; }

    /// <summary>Why it is there (<c>expired</c>, <c>late</c>, <c>provider_refused</c> ...); null where that is plain.</summary>
    public string? ReasonCode { get; init; }

    /// <summary>The same for people.</summary>
    public string? Reason { get; init; }

    /// <summary>What is asked.</summary>
    public required Money Amount { get; init; }

    /// <summary>What was paid for this order, in <see cref="Amount"/>'s currency.</summary>
    public required Money Paid { get; init; }

    /// <summary>What went back.</summary>
    public required Money Refunded { get; init; }

    /// <summary>The payment channel.</summary>
    public required string Channel { get; init; }

    /// <summary>The hold of its units.</summary>
    public string? Hold { get; init; }

    /// <summary>Where the shopper pays; null: the provider gave no page (yet).</summary>
    public Uri? PayUrl { get; init; }

    /// <summary>The provider's own id of the order (Stripe: the PaymentIntent).</summary>
    public string? ProviderOrder { get; init; }

    /// <summary>When it began, by the server's journal.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Until when it can be paid.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When it ended; null while open.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whether its units were taken anew after they had been released: it was paid late.</summary>
    public bool Rescued { get; init; }

    /// <summary>Whether it waits for an operator: see <see cref="Explanation"/>.</summary>
    public bool Stuck { get; init; }

    /// <summary>Every payment that was learnt of.</summary>
    public required IReadOnlyList<CheckoutPayment> Payments { get; init; }

    /// <summary>Every refund, asked for or made by itself.</summary>
    public required IReadOnlyList<CheckoutRefund> Refunds { get; init; }

    /// <summary>What is going on and what helps; null where that is plain.</summary>
    public string? Explanation { get; init; }
}

/// <summary>A payment.</summary>
/// <param name="Transaction">The provider's id.</param>
/// <param name="Amount">What was paid.</param>
/// <param name="Use"><c>order</c>, <c>goes_back</c>, <c>conflicted</c> or <c>suspense</c>.</param>
/// <param name="At">When it was learnt of.</param>
/// <param name="Disputed">Whether the shopper takes it back through their bank.</param>
public sealed record CheckoutPayment(string Transaction, Money Amount, string Use, DateTimeOffset At, bool Disputed);

/// <summary>A refund.</summary>
/// <param name="Id">Its id: the caller's, or <c>auto-1</c> of one that the rules demanded.</param>
/// <param name="Transaction">The payment that it is of.</param>
/// <param name="Amount">What goes back.</param>
/// <param name="State"><c>pending</c>, <c>succeeded</c> or <c>failed</c>.</param>
/// <param name="Reason">Why.</param>
public sealed record CheckoutRefund(string Id, string Transaction, Money Amount, string State, string? Reason);

/// <summary>What became of a call on a checkout.</summary>
public sealed record CheckoutResult
{
    /// <summary>The checkout after the call; null when refused.</summary>
    public Checkout? Checkout { get; init; }

    /// <summary>Why not; null when it was done, now or before.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>Whether it was done, now or by an earlier call with the same id.</summary>
    [MemberNotNullWhen(true, nameof(Checkout))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Refusal is null;

    /// <summary>The checkout, for callers to whom a refusal is an error.</summary>
    /// <exception cref="HoldRefusedException">The call was refused.</exception>
    public Checkout EnsureSucceeded() => Succeeded ? Checkout : throw new HoldRefusedException(Refusal);
}

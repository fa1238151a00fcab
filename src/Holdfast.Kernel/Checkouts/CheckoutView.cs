namespace Holdfast.Kernel;

/// <summary>Where a checkout is in its life.</summary>
public enum CheckoutState : byte
{
    /// <summary>Its units are held; it waits to be paid.</summary>
    Pending = 0,

    /// <summary>Its time is over, or it is to be cancelled: the order is being closed at the provider.</summary>
    Closing = 1,

    /// <summary>Paid, its units consumed: two events of one command.</summary>
    Paid = 2,

    /// <summary>Cancelled; a payment that comes later goes back.</summary>
    Cancelled = 3,

    /// <summary>Not paid in time; a payment that comes later takes its units anew if they are there, or goes back.</summary>
    Expired = 4,

    /// <summary>Another amount or currency was paid: nothing is consumed, the hold is kept, an operator decides.</summary>
    Conflicted = 5,

    /// <summary>A payment for a checkout that isn't known: kept until somebody approves its refund.</summary>
    Suspense = 6,
}

/// <summary>What became of one payment.</summary>
public enum PaymentUse : byte
{
    /// <summary>It paid the checkout.</summary>
    Order = 0,

    /// <summary>It goes back: too late, for a cancelled checkout, or a second one.</summary>
    GoesBack = 1,

    /// <summary>Its amount or currency is another than was asked: an operator decides.</summary>
    Conflicted = 2,

    /// <summary>It belongs to no checkout: an operator decides.</summary>
    Suspense = 3,
}

/// <summary>Where a refund is.</summary>
public enum RefundState : byte
{
    /// <summary>Asked for; not answered, or underway at the provider.</summary>
    Pending = 0,

    /// <summary>The money went back.</summary>
    Succeeded = 1,

    /// <summary>The provider refused; the amount may be refunded by another.</summary>
    Failed = 2,
}

/// <summary>Calls to a payment provider.</summary>
public enum PaymentOp : byte
{
    /// <summary>Open an order.</summary>
    Create = 0,

    /// <summary>Ask what became of it.</summary>
    Query = 1,

    /// <summary>Close it.</summary>
    Close = 2,

    /// <summary>Send money back.</summary>
    Refund = 3,

    /// <summary>Ask what became of a refund.</summary>
    QueryRefund = 4,
}

/// <summary>The stable words of checkouts.</summary>
public static class CheckoutTexts
{
    private static readonly string[] States = ["pending", "closing", "paid", "cancelled", "expired", "conflicted", "suspense"];
    private static readonly string[] Uses = ["order", "goes_back", "conflicted", "suspense"];
    private static readonly string[] Refunds = ["pending", "succeeded", "failed"];
    private static readonly string[] Ops = ["create", "query", "close", "refund", "query_refund"];
    private static readonly string[] Kinds = ["other", "paid", "failed", "closed", "refunded", "refund_failed", "disputed", "pending"];
    private static readonly string[] Outcomes = ["unknown", "opened", "pending", "paid", "closed", "refunded", "refused", "not_found"];

    /// <summary>For example <c>pending</c>.</summary>
    public static string Text(this CheckoutState state) => States[(int)state];

    /// <summary>For example <c>goes_back</c>.</summary>
    public static string Text(this PaymentUse use) => Uses[(int)use];

    /// <summary>For example <c>succeeded</c>.</summary>
    public static string Text(this RefundState state) => Refunds[(int)state];

    /// <summary>For example <c>query_refund</c>.</summary>
    public static string Text(this PaymentOp op) => Ops[(int)op];

    /// <summary>For example <c>refund_failed</c>.</summary>
    public static string Text(this NoticeKind kind) => Kinds[(int)kind];

    /// <summary>For example <c>not_found</c>.</summary>
    public static string Text(this PaymentOutcome outcome) => Outcomes[(int)outcome];

    /// <summary>What <see cref="SpaceMachine.Settled"/> names a checkout by: not what it names a transaction of the same id by.</summary>
    public static string WaitKey(string checkout) => "\u0002" + checkout;

    /// <summary>The state of that word, or null.</summary>
    public static CheckoutState? State(string text) => Array.IndexOf(States, text) is var i and >= 0 ? (CheckoutState)i : null;
}

/// <summary>A checkout as it stands.</summary>
/// <param name="Id">The caller's id; for suspense <c>channel/transaction</c>.</param>
/// <param name="State">Where it is.</param>
/// <param name="ReasonCode">Why it ended so, or null.</param>
/// <param name="ReasonText">The same for people.</param>
/// <param name="Owner">Who buys; null: not said.</param>
/// <param name="Lines">Resources and quantities.</param>
/// <param name="Amount">Minor units that are asked.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="Channel">The payment channel.</param>
/// <param name="HoldId">Its hold; null for suspense.</param>
/// <param name="CreatedAtMs">When it began, unix milliseconds.</param>
/// <param name="DeadlineMs">Until when it can be paid, unix milliseconds.</param>
/// <param name="EndedAtMs">When it became final, unix milliseconds; 0 while open.</param>
/// <param name="PayUrl">Where the shopper pays; null: not known (yet).</param>
/// <param name="ProviderOrder">The provider's own id of the order; null: not known.</param>
/// <param name="Rescued">Whether it was paid after its hold was gone, and its units were taken anew.</param>
/// <param name="IsStuck">Whether a call or a refund waits for an operator.</param>
/// <param name="Payments">In the order they came.</param>
/// <param name="Refunds">In the order they were asked for.</param>
/// <param name="Calls">Calls for the order that were made or are due.</param>
public sealed record CheckoutView(
    string Id,
    CheckoutState State,
    string? ReasonCode,
    string? ReasonText,
    string? Owner,
    IReadOnlyList<KeyValuePair<string, long>> Lines,
    long Amount,
    string Currency,
    string Channel,
    string? HoldId,
    long CreatedAtMs,
    long DeadlineMs,
    long EndedAtMs,
    string? PayUrl,
    string? ProviderOrder,
    bool Rescued,
    bool IsStuck,
    IReadOnlyList<PaymentView> Payments,
    IReadOnlyList<RefundView> Refunds,
    IReadOnlyList<PaymentCallView> Calls)
{
    /// <summary>ISO 4217 of <see cref="Paid"/> and <see cref="Refunded"/>: of the payment, which may be another than was asked.</summary>
    public string PaidCurrency => (Payments.FirstOrDefault(p => p.Use == PaymentUse.Order) ?? Payments.FirstOrDefault())?.Currency ?? Currency;

    /// <summary>Minor units that were paid for the order.</summary>
    public long Paid => Amounts.Sum(Payments.Where(p => p.Use == PaymentUse.Order).Select(p => p.Amount));

    /// <summary>Minor units that went back, of payments in <see cref="PaidCurrency"/>.</summary>
    public long Refunded
    {
        get
        {
            string currency = PaidCurrency;
            HashSet<string> counted = [.. Payments.Where(p => p.Currency == currency).Select(p => p.Transaction)];
            return Amounts.Sum(Refunds.Where(r => r.State == RefundState.Succeeded && counted.Contains(r.Transaction)).Select(r => r.Amount));
        }
    }
}

/// <summary>A payment as it stands.</summary>
/// <param name="Transaction">The provider's id.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="Use">What became of it.</param>
/// <param name="AtMs">When it was learnt of, unix milliseconds.</param>
/// <param name="Disputed">Whether the shopper's bank asks for it back (E39).</param>
public sealed record PaymentView(string Transaction, long Amount, string Currency, PaymentUse Use, long AtMs, bool Disputed);

/// <summary>A refund as it stands.</summary>
/// <param name="Id">The caller's id; <c>auto-N</c> for one that follows from the rules.</param>
/// <param name="Transaction">The payment that goes back.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="State">Where it is.</param>
/// <param name="Reason">Why.</param>
/// <param name="ProviderRefund">The provider's own id; null: not known.</param>
/// <param name="Call">Its progress at the provider.</param>
public sealed record RefundView(string Id, string Transaction, long Amount, RefundState State, string Reason, string? ProviderRefund, PaymentCallView Call);

/// <summary>Progress of one call.</summary>
/// <param name="Op">Which.</param>
/// <param name="Attempts">Answers, or timeouts, so far.</param>
/// <param name="LastAnswer">The last one in words; null before the first.</param>
/// <param name="NextAtMs">When it is made next, unix milliseconds; 0: not by itself.</param>
/// <param name="IsStuck">Whether it waits for an operator.</param>
public sealed record PaymentCallView(PaymentOp Op, int Attempts, string? LastAnswer, long NextAtMs, bool IsStuck);

/// <summary>A page of checkouts.</summary>
/// <param name="Checkouts">In the order they began; perhaps fewer than asked for, or none, though there are more.</param>
/// <param name="Next">Where the next page begins; null when there are no more.</param>
public sealed record CheckoutPage(IReadOnlyList<CheckoutView> Checkouts, string? Next);

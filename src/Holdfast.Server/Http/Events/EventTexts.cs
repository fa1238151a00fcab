using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>Kinds of events as they are told.</summary>
internal static class EventTexts
{
    private static readonly string[] Texts =
    [
        "none", "resource_put", "supply_adjusted", "held", "confirmed", "cancelled", "cancelled_empty", "extended", "returned",
        "expired", "holds_forgotten", "adjustments_forgotten",
    ];

    private static readonly string[] OfTransactions =
    [
        "transaction_begun", "branch_registered", "call_answered", "transaction_decided", "transaction_ended", "call_retried",
        "call_forced", "transactions_forgotten", "transaction_completed",
    ];

    private static readonly string[] OfCheckouts =
    [
        "checkout_begun", "checkout_closing", "checkout_ended", "notice_kept", "payment_taken", "payment_disputed", "refund_begun",
        "refund_ended", "payment_call_answered", "payment_call_retried", "suspense_kept", "checkout_resolved", "checkout_forgotten",
    ];

    public static string Of(EventType type) =>
        TransactionEvent.Is(type) ? OfTransactions[type - EventType.TransactionBegun]
        : CheckoutEvent.Is(type) ? OfCheckouts[type - EventType.CheckoutBegun]
        : (int)type < Texts.Length ? Texts[(int)type]
        : "unknown";
}

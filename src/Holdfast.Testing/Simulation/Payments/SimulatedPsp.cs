using System.Globalization;
using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>A provider's books in a simulated run: orders, payments, refunds, and callbacks that nobody has acknowledged yet.</summary>
internal sealed class SimulatedPsp(string channel, PaymentFault fault)
{
    private readonly Dictionary<string, string> _closed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _refundKeys = new(StringComparer.Ordinal);
    private int _events;

    /// <summary>Every payment, by its id.</summary>
    public Dictionary<string, (string Order, long Amount, long Refunded)> Payments { get; } = new(StringComparer.Ordinal);

    /// <summary>Callbacks that are sent again and again until they are acknowledged.</summary>
    public List<PaymentNotice> Unacknowledged { get; } = [];

    /// <summary>Orders whose shopper's payment is underway, and settles even after a close.</summary>
    public HashSet<string> Settling { get; } = new(StringComparer.Ordinal);

    /// <summary>Payments that shoppers take back through their bank.</summary>
    public HashSet<string> Disputed { get; } = new(StringComparer.Ordinal);

    /// <summary>The shopper of this order disputes its payment; false: there is none.</summary>
    public bool Dispute(string order)
    {
        if (PaidBy(order) is not { } transaction)
        {
            return false;
        }

        Disputed.Add(transaction);
        Unacknowledged.Add(Notice(NoticeKind.Disputed, order, transaction, Payments[transaction].Amount, "EUR", null));
        return true;
    }

    public bool IsClosed(string order) => _closed.ContainsKey(order);

    public void Pay(string order, long amount, string currency = "EUR")
    {
        string transaction = channel + "-" + (Payments.Count + 1).ToString(CultureInfo.InvariantCulture);
        Payments[transaction] = (order, amount, 0);
        Settling.Remove(order);
        Unacknowledged.Add(Notice(NoticeKind.Paid, order, transaction, amount, currency, null));
    }

    public PaymentResult Answer(PaymentCall call)
    {
        switch (call.Op)
        {
            case PaymentOp.Create:
                return new PaymentResult(PaymentOutcome.Opened, "opened") { PayUrl = "http://pay/" + call.Order };
            case PaymentOp.Query when PaidBy(call.Order) is { } payment:
                return Paid(call.Order, payment);
            case PaymentOp.Query:
                return new PaymentResult(IsClosed(call.Order) ? PaymentOutcome.Closed : PaymentOutcome.Pending);
            case PaymentOp.Close when PaidBy(call.Order) is { } payment:
                return Paid(call.Order, payment);
            case PaymentOp.Close:
                _closed[call.Order] = "closed";
                return new PaymentResult(PaymentOutcome.Closed);
            case PaymentOp.Refund:
                return new PaymentResult(Refund(call.Refund!.ProviderKey, call.Refund.Transaction, call.Refund.Amount) ? PaymentOutcome.Refunded : PaymentOutcome.Refused, "refund");
            default:
                return new PaymentResult(_refundKeys.ContainsKey(call.Refund!.ProviderKey) ? PaymentOutcome.Refunded : PaymentOutcome.NotFound);
        }
    }

    /// <summary>Sends money back, once for each key.</summary>
    public bool Refund(string key, string transaction, long amount)
    {
        if (_refundKeys.ContainsKey(key) && fault != PaymentFault.RefundRepeated)
        {
            return true;
        }

        if (!Payments.TryGetValue(transaction, out (string Order, long Paid, long Refunded) payment)
            || (amount > payment.Paid - payment.Refunded && fault != PaymentFault.RefundRepeated))
        {
            return false;
        }

        _refundKeys[key] = amount;
        Payments[transaction] = (payment.Order, payment.Paid, payment.Refunded + amount);
        Unacknowledged.Add(Notice(NoticeKind.Refunded, payment.Order, transaction, amount, "EUR", key));
        return true;
    }

    private string? PaidBy(string order) => Payments.FirstOrDefault(p => p.Value.Order == order).Key;

    private PaymentResult Paid(string order, string transaction) => new(PaymentOutcome.Paid, "paid")
    {
        Notice = Notice(NoticeKind.Paid, order, transaction, Payments[transaction].Amount, "EUR", null) with { EventId = "" },
    };

    private PaymentNotice Notice(NoticeKind kind, string order, string transaction, long amount, string currency, string? refund) => new()
    {
        Channel = channel,
        EventId = $"{channel}-e{++_events}",
        Kind = kind,
        Checkout = order,
        Transaction = transaction,
        Amount = amount,
        Currency = currency,
        Refund = refund,
        Type = kind.ToString(),
    };
}

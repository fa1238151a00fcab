namespace Holdfast.Kernel;

/// <summary>
/// When calls, deadlines and the forgetting of checkouts are due. Entries are not taken out when state moves on; one that
/// no longer fits is passed over when its time comes.
/// </summary>
internal sealed class CheckoutDue
{
    private const int KeptBeyondKnown = 4096;

    private readonly PriorityQueue<(Checkout Checkout, PaymentOp Op, string? Refund), (long DueMs, long Order)> _calls = new();
    private readonly PriorityQueue<Checkout, (long DueMs, long Order)> _timers = new();
    private long _added;

    public long NextCallMs => _calls.TryPeek(out _, out (long DueMs, long) next) ? next.DueMs : long.MaxValue;

    /// <summary>The next deadline, or the time to forget; unix milliseconds.</summary>
    public long NextTimerMs => _timers.TryPeek(out _, out (long DueMs, long) next) ? next.DueMs : long.MaxValue;

    public void AddCall(Checkout checkout, PaymentOp op, string? refund, long atMs) => _calls.Enqueue((checkout, op, refund), (atMs, _added++));

    public void AddTimer(Checkout checkout, long atMs) => _timers.Enqueue(checkout, (atMs, _added++));

    /// <summary>The next checkout whose time has come, with that time; null: none.</summary>
    public Checkout? TakeTimer(long nowMs)
    {
        if (_timers.TryPeek(out Checkout? checkout, out (long DueMs, long) next) && next.DueMs <= nowMs)
        {
            _timers.Dequeue();
            return checkout;
        }

        return null;
    }

    /// <summary>The next call that is due and with nobody, or null; it is then in flight.</summary>
    public PaymentCall? TakeCall(long nowMs)
    {
        while (_calls.TryPeek(out (Checkout Checkout, PaymentOp Op, string? Refund) entry, out (long DueMs, long) next) && next.DueMs <= nowMs)
        {
            _calls.Dequeue();
            if (Call(entry.Checkout, entry.Op, entry.Refund, next.DueMs) is { } call)
            {
                return call;
            }
        }

        return null;
    }

    /// <summary>Drops what no longer fits, when that is most of it: a machine that only follows never takes anything.</summary>
    public void Compact(LinkedList<Checkout> known, Action<Checkout> addTimers)
    {
        if (_calls.Count <= KeptBeyondKnown + (4 * known.Count) && _timers.Count <= KeptBeyondKnown + (4 * known.Count))
        {
            return;
        }

        _calls.Clear();
        _timers.Clear();
        foreach (Checkout checkout in known)
        {
            AddCalls(checkout);
            addTimers(checkout);
        }
    }

    /// <summary>All calls that a checkout waits for.</summary>
    public void AddCalls(Checkout checkout)
    {
        for (int op = 0; op < checkout.Progress.Length; op++)
        {
            if (checkout.Progress[op].NextAtMs != 0)
            {
                AddCall(checkout, (PaymentOp)op, null, checkout.Progress[op].NextAtMs);
            }
        }

        foreach (Refund refund in checkout.Refunds)
        {
            if (refund.Progress.NextAtMs != 0)
            {
                AddCall(checkout, refund.Op, refund.Id, refund.Progress.NextAtMs);
            }
        }
    }

    private static PaymentCall? Call(Checkout checkout, PaymentOp op, string? refundId, long due)
    {
        Refund? refund = refundId is null ? null : checkout.FindRefund(refundId);
        if (checkout.ProgressOf(op, refundId) is not { InFlight: false } progress || progress.NextAtMs != due)
        {
            return null;
        }

        progress.InFlight = true;
        return new PaymentCall(
            checkout.Key,
            checkout.Number,
            refund?.Op ?? op,
            checkout.Order,
            checkout.Channel,
            checkout.Amount,
            checkout.Currency,
            checkout.DeadlineMs,
            checkout.ProviderOrder,
            refund is null ? null : new RefundCall(refund.Id, RefundIds.Of(checkout.Key, refund.Id), refund.Payment.Transaction, refund.Payment.Amount, refund.Amount, refund.Reason, refund.ProviderRefund),
            progress.Attempts + 1,
            progress.Failures);
    }
}

using System.Text;

namespace Holdfast.Kernel;

/// <summary>Decides what callers and operators ask of checkouts, and what their deadlines make of them.</summary>
internal sealed class CheckoutDecisions(CheckoutBook book, CheckoutSink output, CheckoutHolds holds, PaymentDecisions payments, CheckoutOptions options)
{
    private static readonly byte[] HoldSuffix = Encoding.UTF8.GetBytes(Checkout.HoldSuffix);

    public Answer Begin(BeginCheckout command, long nowMs)
    {
        if (command.IssuedAtMs > 0 && nowMs - command.IssuedAtMs > options.RetentionMs)
        {
            return Answer.Refused(Code.TooOld, "issuedAt is older than the retention: whether it was executed can't be known any more");
        }

        if (book.Find(command.CheckoutId) is { } known)
        {
            return known.Fingerprint == command.Fingerprint
                ? Done(known, repeat: true)
                : Answer.Refused(Code.Conflict, "this id is known with another owner, amount, channel, time or lines: use a new id");
        }

        if (book.Open >= options.MaxOpen)
        {
            return Answer.Refused(Code.Overloaded, $"{book.Open} checkouts are open: not executed, try again later");
        }

        long ttl = command.TtlMs > 0 ? command.TtlMs : options.DefaultTtlMs;
        Answer held = holds.Try(command.CheckoutId + Checkout.HoldSuffix, command.Owner, command.CheckoutLines, ttl + options.CloseGraceMs, nowMs);
        if (held.Code != Code.Ok)
        {
            return held;
        }

        output.Add(new CheckoutBegunEvent(
            command.CheckoutId, command.Fingerprint, command.ChannelMakesCalls, nowMs + ttl, command.Owner, command.TtlMs, 0, "", "", []) { Encoded = command.Encoded });
        return Done(book.Find(command.CheckoutId)!, repeat: false);
    }

    public Answer Cancel(CancelCheckout command, long nowMs)
    {
        if (Touch(command.CheckoutId, nowMs) is not { } checkout)
        {
            return Unknown();
        }

        switch (checkout.State)
        {
            case CheckoutState.Pending or CheckoutState.Closing when checkout.Calls:
                if (!checkout.CancelAsked)
                {
                    output.Add(new CheckoutClosingEvent(checkout.Key, Cancel: true, command.Reason ?? "cancelled by the caller"));
                }

                return Done(checkout, repeat: false);
            case CheckoutState.Pending or CheckoutState.Closing:
                payments.End(checkout, CheckoutState.Cancelled, "cancelled", command.Reason ?? "cancelled by the caller", nowMs);
                return Done(checkout, repeat: false);
            case CheckoutState.Paid:
                return Answer.Refused(Code.Confirmed, "the checkout is paid: refund it instead");
            case CheckoutState.Conflicted:
                return Answer.Refused(Code.Conflict, "another amount was paid: resolve it instead");
            default:
                return Done(checkout, repeat: true); // what the caller wants is so already
        }
    }

    /// <summary>
    /// The refusal of a hold's own call on a hold that an open checkout needs: consumed or released behind its back, the
    /// checkout would be paid without its units. Null: it is nobody's, or has nothing more to do with its checkout.
    /// </summary>
    public Answer? KeepsHold(Command command)
    {
        // Most ids end otherwise, and so cost no more than this.
        if (!command.IdBytes.EndsWith(HoldSuffix))
        {
            return null;
        }

        return book.Find(Encoding.UTF8.GetString(command.IdBytes[..^HoldSuffix.Length])) is { IsOpen: true } checkout
            ? Answer.Refused(Code.Conflict, $"this hold is that of checkout {checkout.Key}, which is {checkout.State.Text()}: it follows what becomes of that; POST /v1/checkouts/{Uri.EscapeDataString(checkout.Key)}/cancel ends it")
            : null;
    }

    public Answer Get(GetCheckout command, long nowMs) => Touch(command.CheckoutId, nowMs) is { } checkout ? Done(checkout, repeat: false) : Unknown();

    /// <summary>A get that writes nothing, not even a deadline that is due.</summary>
    public Answer Peek(GetCheckout command) => FindListed(command.CheckoutId) is { } checkout ? Done(checkout, repeat: false) : Unknown();

    public Answer List(ListCheckouts command)
    {
        const int lookedAtMax = 20_000;
        LinkedListNode<Checkout>? at = book.Known.First;
        if (command.After is { } after && FindListed(after) is { } last)
        {
            at = last.InKnown!.Next;
        }

        var page = new List<CheckoutView>();
        Checkout? lookedAt = null;
        for (int looked = 0; at is not null && page.Count < command.Limit && looked < lookedAtMax; at = at.Next, looked++)
        {
            lookedAt = at.Value;
            bool wanted = command.State is { } state ? lookedAt.State == state : lookedAt.State != CheckoutState.Suspense;
            if (wanted && (!command.Stuck || lookedAt.IsStuck))
            {
                page.Add(CheckoutViews.Of(lookedAt));
            }
        }

        return new Answer { Detail = new CheckoutPage(page, at is null ? null : CheckoutViews.IdOf(lookedAt!)) };
    }

    public Answer Refund(RefundCheckout command, long nowMs)
    {
        if (Touch(command.CheckoutId, nowMs) is not { } checkout)
        {
            return Unknown();
        }

        Payment? payment = command.Transaction is { } transaction
            ? checkout.FindPayment(transaction)
            : checkout.Payments.Find(p => p.Use == PaymentUse.Order) ?? (checkout.Payments.Count == 1 ? checkout.Payments[0] : null);
        if (checkout.FindRefund(command.RefundId) is { } known)
        {
            bool same = (payment is null ? command.Transaction is null : payment == known.Payment)
                && (command.Amount == 0 || command.Amount == known.Amount)
                && (command.Currency is null || command.Currency == known.Payment.Currency);
            return same
                ? Done(checkout, repeat: true)
                : Answer.Refused(Code.Conflict, "this refund's id is known with another amount, currency or payment: use a new id");
        }

        if (payment is null)
        {
            return Answer.Refused(Code.Conflict, checkout.Payments.Count == 0 ? "nothing was paid" : "name the payment that is to go back");
        }

        if (payment.Use == PaymentUse.Suspense)
        {
            return Answer.Refused(
                Code.Conflict, $"this payment belongs to no checkout: POST /v1/suspense/{checkout.Channel}/{Uri.EscapeDataString(payment.Transaction)}/refund sends it back, with the role approve");
        }

        if (payment.Use == PaymentUse.Conflicted)
        {
            return Answer.Refused(Code.Conflict, "this payment's amount is another than was asked: resolve it instead");
        }

        if (command.Currency is { } currency && currency != payment.Currency)
        {
            return Answer.Refused(Code.Invalid, $"the payment is in {payment.Currency}");
        }

        long left = Math.Max(0, checkout.Refundable(payment)); // more than was paid may have gone back at the provider
        long amount = command.Amount == 0 ? left : command.Amount;
        if (amount > left || left == 0)
        {
            return new Answer { Code = Code.ExceedsPaid, Asked = amount, Available = left, Detail = $"asked to refund {amount}, and {left} of the payment is left" };
        }

        output.Add(new RefundBegunEvent(checkout.Key, command.RefundId, payment.Transaction, amount, command.Reason, checkout.Calls ? nowMs : 0));
        return Done(checkout, repeat: false);
    }

    public Answer Resolve(ResolveCheckout command, long nowMs)
    {
        if (Touch(command.Key ?? command.CheckoutId, nowMs) is not { } checkout)
        {
            return Unknown();
        }

        if (checkout.State is not (CheckoutState.Conflicted or CheckoutState.Suspense)
            || !checkout.Payments.Exists(p => p.Use is PaymentUse.Conflicted or PaymentUse.Suspense))
        {
            return checkout.ReasonCode == (command.Accept ? "accepted" : "sent_back")
                ? Done(checkout, repeat: true)
                : Answer.Refused(Code.Conflict, $"there is nothing to resolve: it is {checkout.State.Text()}");
        }

        if (command.Accept && checkout.State == CheckoutState.Suspense)
        {
            return Answer.Refused(Code.Conflict, "this payment belongs to no checkout that it could pay: it can only be sent back");
        }

        bool rescued = false;
        if (command.Accept)
        {
            Answer had = holds.Consume(checkout, nowMs, out rescued);
            if (had.Code != Code.Ok)
            {
                return had;
            }
        }
        else if (checkout.State == CheckoutState.Conflicted)
        {
            holds.Release(checkout, nowMs);
        }

        output.Add(new CheckoutResolvedEvent(checkout.Key, command.Accept, rescued, command.Reason));
        foreach (Payment payment in checkout.Payments.Where(p => p.Use == PaymentUse.GoesBack && checkout.Refundable(p) > 0).ToArray())
        {
            payments.SendBack(checkout, payment, command.Reason, nowMs);
        }

        return Done(checkout, repeat: false);
    }

    public Answer Settle(SettleRefund command, long nowMs)
    {
        if (Touch(command.CheckoutId, nowMs) is not { } checkout)
        {
            return Unknown();
        }

        if (checkout.FindRefund(command.RefundId) is not { } refund)
        {
            return Answer.Refused(Code.NotFound, "the checkout has no such refund");
        }

        if (refund.State != RefundState.Pending)
        {
            return (refund.State == RefundState.Succeeded) == command.Succeeded
                ? Done(checkout, repeat: true)
                : Answer.Refused(Code.Conflict, $"the refund has {refund.State.Text()}");
        }

        output.Add(new RefundEndedEvent(checkout.Key, refund.Id, command.Succeeded, null, "settled by an operator: " + command.Reason));
        return Done(checkout, repeat: false);
    }

    public Answer Retry(RetryCheckout command, long nowMs)
    {
        if (Touch(command.CheckoutId, nowMs) is not { } checkout)
        {
            return Unknown();
        }

        for (int op = 0; checkout.Calls && op < checkout.Progress.Length; op++)
        {
            if (checkout.Progress[op].IsStuck || checkout.Progress[op].NextAtMs > nowMs)
            {
                output.Add(new PaymentCallRetriedEvent(checkout.Key, (PaymentOp)op, null));
            }
        }

        foreach (Refund refund in checkout.Refunds.Where(r => checkout.Calls && r.State == RefundState.Pending && (r.Progress.IsStuck || r.Progress.NextAtMs > nowMs)).ToArray())
        {
            output.Add(new PaymentCallRetriedEvent(checkout.Key, refund.Op, refund.Id));
        }

        // What must go back and was refused is asked for anew, under a new id: the provider has said no to the old one.
        foreach (Payment payment in checkout.Payments.Where(p => p.Use == PaymentUse.GoesBack && checkout.Refundable(p) > 0).ToArray())
        {
            payments.SendBack(checkout, payment, "asked for again by an operator", nowMs);
        }

        return Done(checkout, repeat: false);
    }

    /// <summary>Closes what is past its deadline and forgets what ended long ago; bounded.</summary>
    /// <returns>True when the bound was reached, so that more may be due.</returns>
    public bool Tidy(long nowMs)
    {
        int left = options.MaxSettledPerBatch;
        for (; left > 0 && book.Due.TakeTimer(nowMs) is { } checkout; left--)
        {
            SettleDeadline(checkout, nowMs);
            if (checkout.EndedAtMs == 0 || checkout.EndedAtMs + options.RetentionMs > nowMs || book.Find(checkout.Key) != checkout)
            {
                continue;
            }

            if (checkout.IsStuck || checkout.Refunds.Exists(static r => r.State == RefundState.Pending))
            {
                book.Due.AddTimer(checkout, nowMs + options.RetentionMs); // somebody is still owed money
            }
            else
            {
                output.Add(new CheckoutForgottenEvent(checkout.Key));
            }
        }

        return left == 0;
    }

    private static Answer Unknown() => Answer.Refused(Code.NotFound, "no such checkout");

    private static Answer Done(Checkout checkout, bool repeat) => new() { Repeat = repeat, Detail = CheckoutViews.Of(checkout) };

    /// <summary>By its id; what is in suspense by <c>channel/transaction</c>.</summary>
    private Checkout? FindListed(string id) => book.Find(id)
        ?? (id.IndexOf('/', StringComparison.Ordinal) is var slash and > 0 ? book.Find(CheckoutBook.SuspenseKey(id[..slash], id[(slash + 1)..])) : null);

    /// <summary>The checkout that a command is about, its deadline settled; null: there is none.</summary>
    private Checkout? Touch(string key, long nowMs)
    {
        Checkout? checkout = FindListed(key);
        if (checkout is not null)
        {
            SettleDeadline(checkout, nowMs);
        }

        return checkout;
    }

    private void SettleDeadline(Checkout checkout, long nowMs) => payments.SettleDeadline(checkout, nowMs);
}

namespace Holdfast.Kernel;

/// <summary>
/// Decides what providers tell, by callbacks and by answers. "Paid" and "consumed" are two events of one command; whatever
/// comes twice, late or out of order ends in one confirmed order or in money that goes back, never in both.
/// </summary>
internal sealed class PaymentDecisions(CheckoutBook book, CheckoutSink output, CheckoutHolds holds, CheckoutOptions options)
{
    /// <summary>Told in words what people should look at; not part of the state.</summary>
    public ICollection<string>? Alerts { get; set; }

    public Answer Take(TakeNotice command, long nowMs)
    {
        PaymentNotice notice = command.Notice;
        if (!Amounts.IsOne(notice.Amount))
        {
            notice = notice with { Kind = NoticeKind.Other };
        }

        string transaction = TransactionOf(notice);
        if (command.Again && command.KeptAtMs <= nowMs - options.RetentionMs)
        {
            // What it belonged to may be forgotten: it would look like money that nobody knows.
            return Answer.Refused(Code.TooOld, "it came longer ago than finished checkouts are remembered");
        }

        if (Find(notice, transaction) is not { } checkout)
        {
            return TakeStray(notice, command, transaction);
        }

        SettleDeadline(checkout, nowMs);
        bool known = checkout.Events.Contains(notice.EventId);
        if ((known && !command.Again) || (notice.Kind == NoticeKind.Paid && checkout.FindPayment(transaction) is not null))
        {
            return new Answer { Repeat = true, Detail = "duplicate" };
        }

        if (Follows(notice) && PaymentOf(checkout, notice) is null)
        {
            return TakeEarly(notice, command);
        }

        if (!known)
        {
            Keep(checkout.Key, notice, command);
            TellOddAmount(command.Notice);
        }

        string became = notice.Kind switch
        {
            NoticeKind.Paid => PaidOrMoved(checkout, notice, nowMs),
            NoticeKind.Failed => Failed(checkout, notice),
            NoticeKind.Closed => IsOfAnotherOrder(checkout, notice) ? "kept" : Closed(checkout, nowMs),
            NoticeKind.Refunded => Refunded(checkout, notice, known),
            NoticeKind.RefundFailed => RefundFailed(checkout, notice, known),
            NoticeKind.Disputed => Disputed(checkout, notice),
            _ => "kept",
        };
        return new Answer { Detail = became };
    }

    /// <summary>What a provider answered. An answer to what is no longer asked changes nothing, but money that it tells of counts.</summary>
    public Answer AnswerCall(AnswerPaymentCall command, long nowMs)
    {
        PaymentCall call = command.Call;
        if (book.Find(call.Checkout) is not { } checkout || checkout.Number != call.Number)
        {
            return new Answer { Repeat = true };
        }

        SettleDeadline(checkout, nowMs);
        CallProgress? progress = checkout.ProgressOf(call.Op, call.Refund?.Id);
        if (progress is null || progress.Attempts + 1 != call.Attempt || progress.NextAtMs == 0)
        {
            TakePaid(checkout, command.Result, nowMs);
            return new Answer { Repeat = true };
        }

        Refund? refund = call.Refund is null ? null : checkout.FindRefund(call.Refund.Id);
        long due = refund is null ? NextOrderCall(checkout, call, command, nowMs) : NextRefundCall(progress, command, nowMs);
        output.Add(new PaymentCallAnsweredEvent(
            checkout.Key, call.Op, refund?.Id, command.Result.Outcome, command.Result.Text, due, command.Result.PayUrl, command.Result.ProviderId));
        if (refund is not null)
        {
            Answered(checkout, refund, command.Result);
        }
        else
        {
            TakePaid(checkout, command.Result, nowMs);
            Answered(checkout, call.Op, command.Result, nowMs);
        }

        if (progress.IsStuck)
        {
            Alert(checkout, $"{call.Op.Text()} waits for an operator: {command.Result.Text}");
        }

        return default;
    }

    /// <summary>
    /// Whoever touches a checkout past its deadline learns what the journal then says: it is being closed at the provider,
    /// or, where nobody can be called, it has expired.
    /// </summary>
    public void SettleDeadline(Checkout checkout, long nowMs)
    {
        if (checkout.State != CheckoutState.Pending || checkout.DeadlineMs > nowMs)
        {
            return;
        }

        if (checkout.Calls)
        {
            output.Add(new CheckoutClosingEvent(checkout.Key, Cancel: false, "the time to pay is over"));
        }
        else
        {
            End(checkout, CheckoutState.Expired, "expired", "the time to pay is over", nowMs);
        }
    }

    /// <summary>Ends it unpaid and releases its hold.</summary>
    public void End(Checkout checkout, CheckoutState state, string code, string? text, long nowMs)
    {
        holds.Release(checkout, nowMs);
        output.Add(new CheckoutEndedEvent(checkout.Key, state, code, text));
    }

    /// <summary>Refunds what is left of a payment, if anything is.</summary>
    public void SendBack(Checkout checkout, Payment payment, string reason, long nowMs)
    {
        if (checkout.Refundable(payment) <= 0)
        {
            return;
        }

        int number = 1 + checkout.Refunds.Count(static r => r.Id.StartsWith(CheckoutBook.AutoPrefix, StringComparison.Ordinal));
        output.Add(new RefundBegunEvent(
            checkout.Key,
            CheckoutBook.AutoPrefix + number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            payment.Transaction,
            checkout.Refundable(payment),
            reason,
            checkout.Calls ? nowMs : 0));
        if (!checkout.Calls)
        {
            Alert(checkout, $"{payment.Amount} {payment.Currency} must be refunded by hand: the channel makes no calls");
        }
    }

    private static string TransactionOf(PaymentNotice notice) => notice.Transaction ?? "event:" + notice.EventId;

    /// <summary>Whether it tells of what comes after a payment.</summary>
    private static bool Follows(PaymentNotice notice) => notice.Kind is NoticeKind.Refunded or NoticeKind.RefundFailed or NoticeKind.Disputed;

    /// <summary>Whether it is about an order that the checkout has given up, or never had.</summary>
    private static bool IsOfAnotherOrder(Checkout checkout, PaymentNotice notice) =>
        notice.ProviderOrder is { } told && checkout.ProviderOrder is { } order && told != order;

    /// <summary>Whether the payment waits in suspense, and nobody has decided about it.</summary>
    private static bool IsUndecided(Checkout suspense) =>
        suspense.State == CheckoutState.Suspense && suspense.Payments.TrueForAll(static p => p.Use == PaymentUse.Suspense);

    /// <summary>By its payment, or by the checkout that it names, which tells more than that the payment is in suspense.</summary>
    private Checkout? Find(PaymentNotice notice, string transaction)
    {
        Checkout? named = notice.Checkout is { } id && book.Find(id) is { } checkout && checkout.Channel == notice.Channel ? checkout : null;
        return book.FindByPayment(notice.Channel, transaction) is not { } paid ? named
            : named is not null && notice.Kind == NoticeKind.Paid && IsUndecided(paid) && !paid.Events.Contains(notice.EventId) ? named
            : paid;
    }

    /// <summary>Keeps what came. The bytes of what is read again, or came too early before, are in the journal already.</summary>
    private void Keep(string key, PaymentNotice notice, TakeNotice command)
    {
        bool kept = command.Again || book.IsKnownStray(notice.Channel, notice.EventId);
        output.Add(new NoticeKeptEvent(key, notice.Channel, notice.EventId, notice.Kind, notice.Type, kept ? default : notice.Raw));
    }

    /// <summary>
    /// A notice of what follows a payment that isn't known. Kept as a stray, not as the checkout's: when it comes again it is
    /// to be looked at anew.
    /// </summary>
    private Answer TakeEarly(PaymentNotice notice, TakeNotice command)
    {
        bool known = book.IsKnownStray(notice.Channel, notice.EventId);
        if (!known)
        {
            Keep("", notice, command);
            Alerts?.Add($"channel {notice.Channel} tells of payment {notice.Transaction}, which is not known here ({notice.Type} of checkout '{notice.Checkout}'): it is to send that again");
        }

        return new Answer { Repeat = known, Detail = PaymentNotice.Early };
    }

    /// <summary>A notice that belongs to no checkout: money is kept in suspense (E33), the rest is only kept.</summary>
    private Answer TakeStray(PaymentNotice notice, TakeNotice command, string transaction)
    {
        bool known = book.IsKnownStray(notice.Channel, notice.EventId);
        if (known && (!command.Again || notice.Kind != NoticeKind.Paid))
        {
            return new Answer { Repeat = true, Detail = "duplicate" };
        }

        if (Follows(notice))
        {
            // Once: that of a payment which isn't ours, or is forgotten, must not come for ever.
            return TakeEarly(notice, command);
        }

        if (notice.Kind != NoticeKind.Paid)
        {
            Keep("", notice, command);
            TellOddAmount(command.Notice);
            return new Answer { Detail = "kept" };
        }

        string key = CheckoutBook.SuspenseKey(notice.Channel, transaction);
        output.Add(new SuspenseKeptEvent(key, notice.Checkout ?? "", notice.Channel, command.ChannelCalls && notice.Checkout is not null, transaction, notice.Amount, notice.Currency));
        Keep(key, notice, command);
        Alerts?.Add($"payment {transaction} of channel {notice.Channel} belongs to no checkout (it names '{notice.Checkout}'): kept in suspense");
        return new Answer { Detail = "suspense" };
    }

    /// <summary>A payment that an answer tells of, unless it is known (E30).</summary>
    private void TakePaid(Checkout checkout, PaymentResult result, long nowMs)
    {
        if (result.Notice is not { Kind: NoticeKind.Paid } notice || checkout.State == CheckoutState.Suspense)
        {
            return;
        }

        if (!Amounts.IsOne(notice.Amount))
        {
            TellOddAmount(notice);
        }
        else if (book.FindByPayment(checkout.Channel, TransactionOf(notice)) is not { } known || IsUndecided(known))
        {
            PaidOrMoved(checkout, notice, nowMs);
        }
    }

    /// <summary>A payment that is new here. If it is in suspense, whose it is was not known when it came: it leaves that, and is as new.</summary>
    private string PaidOrMoved(Checkout checkout, PaymentNotice notice, long nowMs)
    {
        if (book.FindByPayment(checkout.Channel, TransactionOf(notice)) is { } suspense)
        {
            output.Add(new CheckoutForgottenEvent(suspense.Key));
        }

        return Paid(checkout, notice, nowMs);
    }

    /// <summary>The table of payments: pays the checkout, goes back, or waits for an operator.</summary>
    private string Paid(Checkout checkout, PaymentNotice notice, long nowMs)
    {
        bool cancelled = checkout.State == CheckoutState.Cancelled || (checkout.State == CheckoutState.Closing && checkout.CancelAsked);
        if (cancelled)
        {
            GoesBack(checkout, notice, "paid after the checkout was cancelled", nowMs); // E27
            if (checkout.IsPayable)
            {
                End(checkout, CheckoutState.Cancelled, "cancelled", null, nowMs);
            }

            return "goes_back";
        }

        if (checkout.State == CheckoutState.Paid)
        {
            GoesBack(checkout, notice, "the checkout was paid already", nowMs); // E28
            return "goes_back";
        }

        if (checkout.State == CheckoutState.Conflicted || notice.Amount != checkout.Amount || notice.Currency != checkout.Currency)
        {
            Conflicted(checkout, notice, nowMs); // E32
            return "conflicted";
        }

        Answer had = holds.Consume(checkout, nowMs, out bool rescued);
        if (had.Code == Code.Ok)
        {
            Take(checkout, notice, PaymentUse.Order, rescued, rescued ? "paid late; its units were still there and were taken anew" : null); // E25
            return rescued ? "rescued" : "paid";
        }

        string why = $"paid late, and its units were gone ({had.Code.Text()})"; // E26
        if (checkout.IsPayable)
        {
            End(checkout, CheckoutState.Expired, "late", why, nowMs);
        }

        GoesBack(checkout, notice, why, nowMs);
        return "goes_back";
    }

    private void Conflicted(Checkout checkout, PaymentNotice notice, long nowMs)
    {
        string text = $"{notice.Amount} {notice.Currency} was paid, {checkout.Amount} {checkout.Currency} was asked";
        holds.Keep(checkout, nowMs);
        Take(checkout, notice, PaymentUse.Conflicted, rescued: false, text);
        Alert(checkout, "conflicted: " + text);
    }

    private void GoesBack(Checkout checkout, PaymentNotice notice, string why, long nowMs)
    {
        Take(checkout, notice, PaymentUse.GoesBack, rescued: false, why);
        SendBack(checkout, checkout.FindPayment(TransactionOf(notice))!, why, nowMs);
    }

    private void Take(Checkout checkout, PaymentNotice notice, PaymentUse use, bool rescued, string? text) =>
        output.Add(new PaymentTakenEvent(checkout.Key, TransactionOf(notice), notice.Amount, notice.Currency, use, rescued, text));

    private string Failed(Checkout checkout, PaymentNotice notice)
    {
        if (notice.Transaction is { } transaction && checkout.FindPayment(transaction) is not null)
        {
            Alert(checkout, $"the provider says that payment {transaction} failed, after it said that it succeeded: ignored"); // E31
            return "ignored";
        }

        return "kept"; // the shopper may try another card
    }

    private string Closed(Checkout checkout, long nowMs)
    {
        if (!checkout.IsPayable)
        {
            return "kept";
        }

        if (checkout.CancelAsked)
        {
            End(checkout, CheckoutState.Cancelled, "cancelled", null, nowMs);
        }
        else
        {
            End(checkout, CheckoutState.Expired, "expired", "the provider closed the order unpaid", nowMs);
        }

        return "closed";
    }

    private string Refunded(Checkout checkout, PaymentNotice notice, bool known)
    {
        Payment payment = PaymentOf(checkout, notice)!;
        long amount = notice.AmountIsTotal
            ? Amounts.Sum(checkout.Refunds.Where(r => r.Payment == payment && r.State == RefundState.Succeeded).Select(r => -r.Amount).Prepend(notice.Amount))
            : notice.Amount;
        Refund? refund = RefundMatch.Named(checkout, payment, notice, amount)
            ?? RefundMatch.Settled(checkout, payment, notice, amount)
            ?? RefundMatch.Waiting(checkout, payment, notice, amount);
        if (refund is { State: RefundState.Succeeded })
        {
            if (RefundMatch.NewIdOf(checkout, refund, notice) is { } id)
            {
                // An operator had said so before the provider did: only the provider's id is news.
                output.Add(new RefundEndedEvent(checkout.Key, refund.Id, Succeeded: true, id, null));
            }

            return "kept";
        }

        if (refund is null ? amount <= 0 : known && refund.State == RefundState.Failed)
        {
            return "kept";
        }

        if (refund is null)
        {
            // Made at the provider, not here: the books must say so all the same.
            string made = CheckoutBook.ProviderPrefix + RefundMatch.ProviderIdOf(notice);
            output.Add(new RefundBegunEvent(checkout.Key, made, payment.Transaction, amount, "made at the provider", 0));
            refund = checkout.FindRefund(made)!;
        }

        EndByNotice(checkout, refund, notice, succeeded: true);
        if (checkout.Refundable(payment) < 0)
        {
            Alert(checkout, $"more than was paid went back of payment {payment.Transaction}");
        }

        return "refunded";
    }

    private string RefundFailed(Checkout checkout, PaymentNotice notice, bool known)
    {
        Payment payment = PaymentOf(checkout, notice)!;
        Refund? refund = RefundMatch.Named(checkout, payment, notice, notice.Amount) ?? RefundMatch.Waiting(checkout, payment, notice, notice.Amount);
        if (refund is null or { State: RefundState.Failed } || (known && refund.State == RefundState.Succeeded))
        {
            return "kept";
        }

        // One that failed after it succeeded is the shop's money again: it may be refunded anew.
        Alert(checkout, refund.State == RefundState.Succeeded ? $"refund {refund.Id} failed, after it had succeeded" : $"refund {refund.Id} failed");
        EndByNotice(checkout, refund, notice, succeeded: false);
        return "refund_failed";
    }

    /// <summary>Ends a refund, and keeps the provider's id of it, so that it is known when the provider tells of it again.</summary>
    private void EndByNotice(Checkout checkout, Refund refund, PaymentNotice notice, bool succeeded) =>
        output.Add(new RefundEndedEvent(checkout.Key, refund.Id, succeeded, RefundMatch.NewIdOf(checkout, refund, notice), "the provider's notice"));

    private string Disputed(Checkout checkout, PaymentNotice notice)
    {
        if (PaymentOf(checkout, notice) is not { Disputed: false } payment)
        {
            return "kept";
        }

        // No restock by itself (E39): whether the goods come back is another question than whose the money is.
        output.Add(new PaymentDisputedEvent(checkout.Key, payment.Transaction));
        Alert(checkout, $"payment {payment.Transaction} is disputed");
        return "disputed";
    }

    private static Payment? PaymentOf(Checkout checkout, PaymentNotice notice) =>
        notice.Transaction is { } transaction ? checkout.FindPayment(transaction) : checkout.Payments.Count == 1 ? checkout.Payments[0] : null;

    /// <summary>When a call about the order is made again, unix milliseconds; 0: not by itself.</summary>
    private long NextOrderCall(Checkout checkout, PaymentCall call, AnswerPaymentCall command, long nowMs)
    {
        CallProgress progress = checkout.Progress[(int)call.Op];
        bool unknown = command.Result.Outcome == PaymentOutcome.Unknown;
        if (unknown && progress.Failures + 1 >= options.MaxFailures)
        {
            return 0;
        }

        return call.Op switch
        {
            PaymentOp.Create => unknown ? nowMs + Math.Max(1, command.RetryMs) : 0,
            PaymentOp.Query when checkout.State == CheckoutState.Suspense => unknown ? nowMs + Math.Max(1, command.RetryMs) : 0,
            PaymentOp.Query when command.Result.Outcome is PaymentOutcome.Paid or PaymentOutcome.Closed => 0,
            PaymentOp.Query => nowMs + Later(options.PollFirstMs, progress.Attempts + 1), // tight first, then wide
            _ when unknown => nowMs + Math.Max(1, command.RetryMs),
            _ when command.Result.Outcome is PaymentOutcome.Opened or PaymentOutcome.Pending => nowMs + Later(options.LaterMs, progress.Attempts),
            _ => 0,
        };
    }

    private long NextRefundCall(CallProgress progress, AnswerPaymentCall command, long nowMs) => command.Result.Outcome switch
    {
        PaymentOutcome.Unknown when progress.Failures + 1 < options.MaxFailures => nowMs + Math.Max(1, command.RetryMs),
        PaymentOutcome.Pending => nowMs + Later(options.LaterMs, progress.Attempts),
        PaymentOutcome.NotFound when command.Call.Op == PaymentOp.QueryRefund => nowMs + options.LaterMs,
        _ => 0,
    };

    private long Later(long first, int attempts) => Math.Min(options.PollMaxMs, first << Math.Min(attempts, 16));

    private void Answered(Checkout checkout, PaymentOp op, PaymentResult result, long nowMs)
    {
        if (!checkout.IsPayable)
        {
            return;
        }

        switch (result.Outcome)
        {
            case PaymentOutcome.Closed when op != PaymentOp.Query || checkout.State == CheckoutState.Pending:
            case PaymentOutcome.NotFound when op == PaymentOp.Close:
                Closed(checkout, nowMs);
                break;
            case PaymentOutcome.Refused or PaymentOutcome.NotFound when op == PaymentOp.Create:
                End(checkout, CheckoutState.Cancelled, "provider_refused", result.Text, nowMs);
                break;
        }
    }

    private void Answered(Checkout checkout, Refund refund, PaymentResult result)
    {
        switch (result.Outcome)
        {
            case PaymentOutcome.Refunded:
                output.Add(new RefundEndedEvent(checkout.Key, refund.Id, Succeeded: true, result.ProviderId, result.Text));
                break;
            case PaymentOutcome.Refused:
            case PaymentOutcome.NotFound when !refund.Underway && refund.Progress.NextAtMs == 0:
                output.Add(new RefundEndedEvent(checkout.Key, refund.Id, Succeeded: false, result.ProviderId, result.Text));
                Alert(checkout, $"refund {refund.Id} was refused: {result.Text}");
                break;
        }
    }

    private void TellOddAmount(PaymentNotice notice)
    {
        if (!Amounts.IsOne(notice.Amount))
        {
            Alerts?.Add($"channel {notice.Channel} tells of an amount that can't be one ({notice.Amount}, {notice.Type}, checkout '{notice.Checkout}'): kept, and nothing follows from it");
        }
    }

    private void Alert(Checkout checkout, string text) => Alerts?.Add($"checkout {CheckoutViews.IdOf(checkout)}: {text}");
}

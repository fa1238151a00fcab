namespace Holdfast.Kernel;

/// <summary>The state of a space's checkouts and of payments in suspense, and the only code that changes it: <see cref="Evolve"/>.</summary>
internal sealed class CheckoutBook(Ledger ledger, CheckoutOptions options)
{
    public const string AutoPrefix = "auto-";
    public const string ProviderPrefix = "provider-";

    private readonly Dictionary<string, Checkout> _byKey = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Channel, string Transaction), Checkout> _byPayment = [];
    private readonly LinkedList<Checkout> _known = [];
    private readonly Queue<string> _strays = new();
    private readonly HashSet<string> _strayIds = new(StringComparer.Ordinal);

    /// <summary>When calls and deadlines are due. Kept beside the state, not part of it.</summary>
    public CheckoutDue Due { get; } = new();

    /// <summary>Told the keys of those whose state moved; not part of the state.</summary>
    public ICollection<string>? Settled { get; set; }

    public int Open { get; private set; }

    /// <summary>Those that wait for an operator.</summary>
    public int Stuck { get; private set; }

    public int Count => _byKey.Count;

    public long NextNumber { get; private set; } = 1;

    /// <summary>All known ones, in the order in which they began.</summary>
    public LinkedList<Checkout> Known => _known;

    /// <summary>Event ids of callbacks that belong to no checkout, oldest first.</summary>
    public IReadOnlyCollection<string> Strays => _strays;

    /// <summary>What a payment in suspense is found by: no caller's id has a control character.</summary>
    public static string SuspenseKey(string channel, string transaction) => "\u0001" + channel + "/" + transaction;

    public Checkout? Find(string key) => _byKey.GetValueOrDefault(key);

    public Checkout? FindByPayment(string channel, string transaction) => _byPayment.GetValueOrDefault((channel, transaction));

    public bool IsKnownStray(string channel, string eventId) => _strayIds.Contains(channel + "/" + eventId);

    public void Evolve(CheckoutEvent happened, long timeMs)
    {
        if (happened is NoticeKeptEvent { Checkout: "" } stray)
        {
            KeepStray(stray.Channel + "/" + stray.EventId);
            return;
        }

        Checkout checkout = happened switch
        {
            CheckoutBegunEvent e => Begun(e, timeMs),
            SuspenseKeptEvent e => Kept(e, timeMs),
            _ => Find(happened.Checkout) ?? throw new InvalidDataException("The journal names a checkout that is not known."),
        };
        bool wasOpen = checkout.IsOpen && checkout.InKnown is not null;
        bool wasStuck = checkout.InKnown is not null && checkout.IsStuck;
        if (checkout.InKnown is null)
        {
            Fits(_byKey.TryAdd(checkout.Key, checkout));
            checkout.InKnown = _known.AddLast(checkout);
        }

        Apply(checkout, happened, timeMs);
        Open += (checkout.IsOpen ? 1 : 0) - (wasOpen ? 1 : 0);
        Stuck += (checkout.IsStuck ? 1 : 0) - (wasStuck ? 1 : 0);
        if (happened is CheckoutForgottenEvent)
        {
            Open -= checkout.IsOpen ? 1 : 0;
            Stuck -= checkout.IsStuck ? 1 : 0;
            Forget(checkout);
        }
        else
        {
            Settled?.Add(CheckoutTexts.WaitKey(checkout.Key));
        }

        ledger.Mix((ulong)checkout.Number ^ ((ulong)checkout.State << 56));
        ledger.Mix((ulong)timeMs ^ ((ulong)checkout.Payments.Count << 48) ^ ((ulong)checkout.Refunds.Count << 40));
        Due.Compact(_known, AddTimers);
    }

    /// <summary>Puts checkouts back, in the order in which they began.</summary>
    public void Restore(long nextNumber, IEnumerable<Checkout> checkouts, IEnumerable<string> strays)
    {
        NextNumber = nextNumber;
        foreach (string stray in strays)
        {
            KeepStray(stray);
        }

        foreach (Checkout checkout in checkouts)
        {
            Fits(_byKey.TryAdd(checkout.Key, checkout));
            checkout.InKnown = _known.AddLast(checkout);
            foreach (Payment payment in checkout.Payments)
            {
                _byPayment[(checkout.Channel, payment.Transaction)] = checkout;
            }

            Open += checkout.IsOpen ? 1 : 0;
            Stuck += checkout.IsStuck ? 1 : 0;
            Due.AddCalls(checkout);
            AddTimers(checkout);
        }
    }

    private void Apply(Checkout checkout, CheckoutEvent happened, long timeMs)
    {
        switch (happened)
        {
            case CheckoutBegunEvent:
                if (checkout.Calls)
                {
                    Start(checkout, PaymentOp.Create, timeMs);
                    Start(checkout, PaymentOp.Query, timeMs + options.PollFirstMs);
                }

                AddTimers(checkout);
                break;
            case SuspenseKeptEvent e:
                Add(checkout, new Payment(e.Transaction, e.Amount, e.Currency, PaymentUse.Suspense, timeMs));
                if (checkout.Calls)
                {
                    Start(checkout, PaymentOp.Query, timeMs);
                }

                break;
            case CheckoutClosingEvent e:
                Fits(checkout.IsPayable);
                checkout.State = CheckoutState.Closing;
                checkout.CancelAsked |= e.Cancel;
                checkout.ReasonText = e.Text ?? checkout.ReasonText;
                StopCalls(checkout);
                Start(checkout, PaymentOp.Close, timeMs);
                break;
            case CheckoutEndedEvent e:
                Fits(checkout.IsPayable);
                checkout.State = e.State;
                checkout.ReasonCode = e.Code;
                checkout.ReasonText = e.Text ?? checkout.ReasonText;
                End(checkout, timeMs);
                break;
            case NoticeKeptEvent e:
                checkout.Events.Add(e.EventId);
                break;
            case PaymentTakenEvent e:
                Taken(checkout, e, timeMs);
                break;
            case PaymentDisputedEvent e:
                Require(checkout.FindPayment(e.Transaction)).Disputed = true;
                break;
            case RefundBegunEvent e:
                Begun(checkout, e);
                break;
            case RefundEndedEvent e:
                Ended(checkout, e, timeMs);
                break;
            case PaymentCallAnsweredEvent e:
                Answered(checkout, e);
                break;
            case PaymentCallRetriedEvent e:
                Retried(checkout, e, timeMs);
                break;
            case CheckoutResolvedEvent e:
                Resolved(checkout, e, timeMs);
                break;
            case CheckoutForgottenEvent:
                break;
            default:
                throw new InvalidDataException($"{happened.GetType().Name} is not known to this book.");
        }
    }

    private Checkout Begun(CheckoutBegunEvent begun, long timeMs) => new()
    {
        Number = NextNumber++,
        Key = begun.Checkout,
        Order = begun.Checkout,
        Fingerprint = begun.Fingerprint,
        Owner = begun.Owner,
        Lines = begun.Lines,
        Amount = begun.Amount,
        Currency = begun.Currency,
        Channel = begun.Channel,
        Calls = begun.Calls,
        CreatedAtMs = timeMs,
        DeadlineMs = begun.DeadlineMs,
    };

    private Checkout Kept(SuspenseKeptEvent kept, long timeMs) => new()
    {
        Number = NextNumber++,
        Key = kept.Checkout,
        Order = kept.Order,
        Amount = kept.Amount,
        Currency = kept.Currency,
        Channel = kept.Channel,
        Calls = kept.Calls,
        CreatedAtMs = timeMs,
        DeadlineMs = timeMs,
        State = CheckoutState.Suspense,
    };

    private void Taken(Checkout checkout, PaymentTakenEvent taken, long timeMs)
    {
        Add(checkout, new Payment(taken.Transaction, taken.Amount, taken.Currency, taken.Use, timeMs));
        switch (taken.Use)
        {
            case PaymentUse.Order:
                Fits(checkout.State != CheckoutState.Paid);
                checkout.State = CheckoutState.Paid;
                checkout.Rescued = taken.Rescued;
                checkout.ReasonCode = taken.Rescued ? "late" : null;
                checkout.ReasonText = taken.Text;
                End(checkout, timeMs);
                break;
            case PaymentUse.Conflicted:
                checkout.State = CheckoutState.Conflicted;
                checkout.ReasonCode = "conflicted";
                checkout.ReasonText = taken.Text;
                checkout.EndedAtMs = 0;
                StopCalls(checkout);
                break;
            case PaymentUse.GoesBack when checkout.State == CheckoutState.Expired:
                checkout.ReasonCode = "late";
                checkout.ReasonText = taken.Text; // the shopper is told why there are no goods (E26)
                break;
        }
    }

    private void Begun(Checkout checkout, RefundBegunEvent begun)
    {
        var refund = new Refund(begun.Refund, Require(checkout.FindPayment(begun.Transaction)), begun.Amount, begun.Reason);
        Fits(checkout.FindRefund(refund.Id) is null);
        checkout.Refunds.Add(refund);
        refund.Progress.Start(begun.DueMs);
        refund.Progress.IsStuck = begun.DueMs == 0; // nobody is called for this channel: somebody refunds by hand
        if (begun.DueMs != 0)
        {
            Due.AddCall(checkout, refund.Op, refund.Id, begun.DueMs);
        }
    }

    private void Ended(Checkout checkout, RefundEndedEvent ended, long timeMs)
    {
        Refund refund = Require(checkout.FindRefund(ended.Refund));
        refund.State = ended.Succeeded ? RefundState.Succeeded : RefundState.Failed;
        refund.ProviderRefund = ended.ProviderRefund ?? refund.ProviderRefund;
        refund.Progress.LastAnswer = ended.Text ?? refund.Progress.LastAnswer;
        refund.Progress.Stop();
        if (checkout.State == CheckoutState.Suspense && ended.Succeeded && checkout.IsOpen)
        {
            End(checkout, timeMs);
        }
    }

    private void Answered(Checkout checkout, PaymentCallAnsweredEvent answered)
    {
        CallProgress progress = Require(checkout.ProgressOf(answered.Op, answered.Refund));
        progress.InFlight = false;
        progress.Attempts++;
        progress.LastAnswer = answered.Text;
        progress.NextAtMs = answered.DueMs;
        progress.Failures = answered.Outcome == PaymentOutcome.Unknown ? progress.Failures + 1 : 0;
        progress.IsStuck = answered.DueMs == 0 && answered.Outcome is PaymentOutcome.Unknown or PaymentOutcome.Refused;
        if (answered.Refund is not null)
        {
            Refund refund = checkout.FindRefund(answered.Refund)!;
            refund.ProviderRefund = answered.ProviderId ?? refund.ProviderRefund;
            refund.Underway = answered.Outcome == PaymentOutcome.Pending || (refund.Underway && answered.Outcome != PaymentOutcome.NotFound);
        }
        else
        {
            checkout.PayUrl = answered.PayUrl ?? checkout.PayUrl;
            checkout.ProviderOrder = answered.ProviderId ?? checkout.ProviderOrder;
        }

        if (answered.DueMs != 0)
        {
            Due.AddCall(checkout, answered.Op, answered.Refund, answered.DueMs);
        }
    }

    private void Retried(Checkout checkout, PaymentCallRetriedEvent retried, long timeMs)
    {
        CallProgress progress = Require(checkout.ProgressOf(retried.Op, retried.Refund));
        progress.Failures = 0;
        progress.IsStuck = false;
        progress.InFlight = false;
        progress.NextAtMs = timeMs;
        Due.AddCall(checkout, retried.Op, retried.Refund, timeMs);
    }

    private void Resolved(Checkout checkout, CheckoutResolvedEvent resolved, long timeMs)
    {
        checkout.ReasonCode = resolved.Accept ? "accepted" : "sent_back";
        checkout.ReasonText = resolved.Reason;
        bool taken = false;
        foreach (Payment payment in checkout.Payments.Where(p => p.Use is PaymentUse.Conflicted or PaymentUse.Suspense))
        {
            payment.Use = resolved.Accept && !taken ? PaymentUse.Order : PaymentUse.GoesBack;
            taken = true;
        }

        if (checkout.State == CheckoutState.Conflicted)
        {
            checkout.State = resolved.Accept ? CheckoutState.Paid : CheckoutState.Cancelled;
            checkout.Rescued = resolved.Rescued;
            End(checkout, timeMs);
        }
    }

    private void End(Checkout checkout, long timeMs)
    {
        checkout.EndedAtMs = timeMs;
        StopCalls(checkout);
        AddTimers(checkout);
    }

    private void AddTimers(Checkout checkout)
    {
        if (checkout.EndedAtMs != 0)
        {
            Due.AddTimer(checkout, checkout.EndedAtMs + options.RetentionMs);
        }
        else if (checkout.State == CheckoutState.Pending)
        {
            Due.AddTimer(checkout, checkout.DeadlineMs);
        }
    }

    private void Add(Checkout checkout, Payment payment)
    {
        Fits(_byPayment.TryAdd((checkout.Channel, payment.Transaction), checkout));
        checkout.Payments.Add(payment);
    }

    private void Start(Checkout checkout, PaymentOp op, long atMs)
    {
        checkout.Progress[(int)op].Start(atMs);
        Due.AddCall(checkout, op, null, atMs);
    }

    private static void StopCalls(Checkout checkout)
    {
        foreach (CallProgress progress in checkout.Progress)
        {
            progress.Stop();
        }
    }

    private void Forget(Checkout checkout)
    {
        StopCalls(checkout);
        _byKey.Remove(checkout.Key);
        _known.Remove(checkout.InKnown!);
        foreach (Payment payment in checkout.Payments)
        {
            _byPayment.Remove((checkout.Channel, payment.Transaction));
        }
    }

    private void KeepStray(string id)
    {
        if (_strayIds.Add(id))
        {
            _strays.Enqueue(id);
        }

        while (_strays.Count > options.StraysRemembered)
        {
            _strayIds.Remove(_strays.Dequeue());
        }
    }

    private static T Require<T>(T? value)
        where T : class => value ?? throw new InvalidDataException("The journal has a checkout's event that names what is not there.");

    private static void Fits(bool fits)
    {
        if (!fits)
        {
            throw new InvalidDataException("The journal has a checkout's event that does not fit the state: it is not this space's, or not in order.");
        }
    }
}

namespace Holdfast.Kernel;

/// <summary>A checkout's state, or a payment in suspense. Changed by events only; <see cref="CallProgress.InFlight"/> alone is not part of it.</summary>
internal sealed class Checkout
{
    /// <summary>Behind a checkout's id, the id of the hold that is made with it.</summary>
    public const string HoldSuffix = ":hold";

    public required long Number { get; init; }

    /// <summary>What it is found by: the caller's id, or the key of a suspense.</summary>
    public required string Key { get; init; }

    /// <summary>The order number that its provider knows it by.</summary>
    public required string Order { get; init; }

    public UInt128 Fingerprint { get; init; }

    public string? Owner { get; init; }

    public IReadOnlyList<KeyValuePair<string, long>> Lines { get; init; } = [];

    public required long Amount { get; init; }

    public required string Currency { get; init; }

    public required string Channel { get; init; }

    /// <summary>Whether its provider is called; otherwise it is only listened to.</summary>
    public required bool Calls { get; init; }

    public required long CreatedAtMs { get; init; }

    public required long DeadlineMs { get; init; }

    public CheckoutState State { get; set; }

    /// <summary>Closing because somebody cancelled it: a payment that comes meanwhile goes back (E27).</summary>
    public bool CancelAsked { get; set; }

    public string? ReasonCode { get; set; }

    public string? ReasonText { get; set; }

    public bool Rescued { get; set; }

    public string? PayUrl { get; set; }

    public string? ProviderOrder { get; set; }

    public long EndedAtMs { get; set; }

    /// <summary>Create, query, close.</summary>
    public CallProgress[] Progress { get; } = [new(), new(), new()];

    public List<Payment> Payments { get; } = [];

    public List<Refund> Refunds { get; } = [];

    /// <summary>Ids of the provider's events that were taken.</summary>
    public HashSet<string> Events { get; } = new(StringComparer.Ordinal);

    public LinkedListNode<Checkout>? InKnown { get; set; }

    /// <summary>Whether it still takes payment: paid now, its hold is confirmed.</summary>
    public bool IsPayable => State is CheckoutState.Pending or CheckoutState.Closing;

    public bool IsOpen => EndedAtMs == 0;

    public bool IsStuck => State == CheckoutState.Conflicted
        || Array.Exists(Progress, static p => p.IsStuck)
        || Refunds.Exists(static r => r.Progress.IsStuck)
        || Payments.Exists(p => p.Use == PaymentUse.GoesBack && Refundable(p) > 0); // its refund was refused

    /// <summary>The hold made with it, and the one that a late payment takes in its place (E25).</summary>
    public string HoldId => Rescued ? RescueHoldId : FirstHoldId;

    public string FirstHoldId => Order + HoldSuffix;

    public string RescueHoldId => Order + ":rescue";

    public Payment? FindPayment(string transaction) => Payments.Find(p => p.Transaction == transaction);

    public Refund? FindRefund(string id) => Refunds.Find(r => r.Id == id);

    /// <summary>What may still go back of a payment.</summary>
    public long Refundable(Payment payment) =>
        Amounts.Sum(Refunds.Where(r => r.Payment == payment && r.State != RefundState.Failed).Select(r => -r.Amount).Prepend(payment.Amount));

    /// <summary>The progress that a call is about, or null when there is no such refund.</summary>
    public CallProgress? ProgressOf(PaymentOp op, string? refund) => refund is null ? Progress[(int)op] : FindRefund(refund)?.Progress;
}

/// <summary>A payment's state.</summary>
internal sealed class Payment(string transaction, long amount, string currency, PaymentUse use, long atMs)
{
    public string Transaction { get; } = transaction;

    public long Amount { get; } = amount;

    public string Currency { get; } = currency;

    public PaymentUse Use { get; set; } = use;

    public long AtMs { get; } = atMs;

    public bool Disputed { get; set; }
}

/// <summary>A refund's state.</summary>
internal sealed class Refund(string id, Payment payment, long amount, string reason)
{
    public string Id { get; } = id;

    public Payment Payment { get; } = payment;

    public long Amount { get; } = amount;

    public string Reason { get; } = reason;

    public RefundState State { get; set; }

    public string? ProviderRefund { get; set; }

    /// <summary>Whether the provider has said that it is underway: then it is asked, not sent again.</summary>
    public bool Underway { get; set; }

    public CallProgress Progress { get; } = new();

    public PaymentOp Op => Underway ? PaymentOp.QueryRefund : PaymentOp.Refund;
}

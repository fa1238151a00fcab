namespace Holdfast.Kernel.Tests.Checkouts;

/// <summary>A space with checkouts whose provider a test plays by hand.</summary>
public abstract class CheckoutScenario : Scenario
{
    private protected const long Price = 5_000;

    private int _events;

    private protected List<string> Alerts { get; } = [];

    private protected Answer Begin(string id, long quantity = 1, bool calls = true, string owner = "ann", long ttlMs = 60_000, long amount = Price) =>
        Space.Decide(new BeginCheckout(Space.Hasher, id, owner, [new("sku", quantity)], amount, "EUR", "psp", calls, ttlMs));

    private protected Answer Cancel(string id) => Space.Decide(new CancelCheckout(Space.Hasher, id));

    private protected CheckoutView View(string id) => Space.Decide(new GetCheckout(Space.Hasher, id)).Detail.ShouldBeOfType<CheckoutView>();

    private protected PaymentNotice Notice(NoticeKind kind, string checkout, string? transaction = "p1", long amount = Price, string currency = "EUR", string? refund = null, string? eventId = null) => new()
    {
        Channel = "psp",
        EventId = eventId ?? $"e{++_events}",
        Kind = kind,
        Checkout = checkout,
        Transaction = transaction,
        Amount = amount,
        Currency = currency,
        Refund = refund,
        Type = kind.ToString(),
        Raw = new byte[] { 1, 2, 3 },
    };

    private protected Answer Take(PaymentNotice notice, bool calls = true)
    {
        Space.Machine.Alerts = Alerts;
        return Space.Decide(new TakeNotice(Space.Hasher, notice, calls));
    }

    /// <summary>What became of a notice, in the word that the intake counts.</summary>
    private protected string Tell(NoticeKind kind, string checkout, string? transaction = "p1", long amount = Price, string currency = "EUR", string? refund = null, string? eventId = null) =>
        Take(Notice(kind, checkout, transaction, amount, currency, refund, eventId)).Detail.ShouldBeOfType<string>();

    private protected List<PaymentCall> Due()
    {
        var calls = new List<PaymentCall>();
        while (Space.Machine.TakeDuePaymentCall(Space.Now) is { } call)
        {
            calls.Add(call);
        }

        return calls;
    }

    private protected PaymentCall One(PaymentOp op)
    {
        PaymentCall call = Due().ShouldHaveSingleItem();
        call.Op.ShouldBe(op);
        return call;
    }

    private protected Answer Say(PaymentCall call, PaymentOutcome outcome, string? paidBy = null, long retryMs = 1_000, long amount = Price) => Space.Decide(new AnswerPaymentCall(
        Space.Hasher,
        call,
        new PaymentResult(outcome, "said") { Notice = paidBy is null ? null : Notice(NoticeKind.Paid, call.Order, paidBy, amount) with { EventId = "" } },
        retryMs));

    /// <summary>Opens the order at the provider.</summary>
    private protected void Open(string id)
    {
        PaymentCall call = One(PaymentOp.Create);
        call.Checkout.ShouldBe(id);
        Space.Decide(new AnswerPaymentCall(Space.Hasher, call, new PaymentResult(PaymentOutcome.Opened, "200") { PayUrl = "http://pay/" + id, ProviderId = "o-" + id }, 0));
    }

    private protected Answer Refund(string id, string refund, long amount = 0, string? transaction = null) =>
        Space.Decide(new RefundCheckout(Space.Hasher, id, refund, transaction, amount, null, "sent back"));

    /// <summary>Events that an earlier version wrote, byte by byte.</summary>
    private protected void Written(string hex, int count)
    {
        var batch = new Batch(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), count, Space.Now);
        Space.Machine.Evolve(batch.Payload, batch.Count, batch.TimeMs);
        Space.Batches.Add(batch);
    }

    /// <summary>Payments and refunds: <c>p1=Order</c>, <c>auto-1=Succeeded:5000</c>.</summary>
    private protected string Money(string id)
    {
        CheckoutView view = View(id);
        return $"{view.State}: {string.Join(' ', view.Payments.Select(p => $"{p.Transaction}={p.Use}"))} | {string.Join(' ', view.Refunds.Select(r => $"{r.Id}={r.State}:{r.Amount}"))}";
    }
}

namespace Holdfast.Kernel;

/// <summary>Makes views of checkouts.</summary>
internal static class CheckoutViews
{
    /// <summary>What people know it by; of what is in suspense, its channel and transaction.</summary>
    public static string IdOf(Checkout checkout) => checkout.Key[0] == '\u0001' ? checkout.Key[1..] : checkout.Key;

    public static CheckoutView Of(Checkout checkout)
    {
        bool suspense = checkout.Key[0] == '\u0001';
        var calls = new List<PaymentCallView>();
        for (int op = 0; op < checkout.Progress.Length; op++)
        {
            if (checkout.Progress[op] is { } progress && (progress.Attempts > 0 || progress.NextAtMs != 0))
            {
                calls.Add(Of((PaymentOp)op, progress));
            }
        }

        return new CheckoutView(
            IdOf(checkout),
            checkout.State,
            checkout.ReasonCode,
            checkout.ReasonText,
            checkout.Owner,
            checkout.Lines,
            checkout.Amount,
            checkout.Currency,
            checkout.Channel,
            suspense ? null : checkout.HoldId,
            checkout.CreatedAtMs,
            checkout.DeadlineMs,
            checkout.EndedAtMs,
            checkout.PayUrl,
            suspense ? checkout.Order : checkout.ProviderOrder,
            checkout.Rescued,
            checkout.IsStuck,
            [.. checkout.Payments.Select(p => new PaymentView(p.Transaction, p.Amount, p.Currency, p.Use, p.AtMs, p.Disputed))],
            [.. checkout.Refunds.Select(r => new RefundView(r.Id, r.Payment.Transaction, r.Amount, r.State, r.Reason, r.ProviderRefund, Of(r.Op, r.Progress)))],
            calls);
    }

    private static PaymentCallView Of(PaymentOp op, CallProgress progress) =>
        new(op, progress.Attempts, progress.LastAnswer, progress.NextAtMs, progress.IsStuck);
}

using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>Says what is wrong when everything has ended.</summary>
internal static class PaymentOracle
{
    private const long Price = 1_000;

    public static string? Check(
        IReadOnlyList<CheckoutView> checkouts,
        IReadOnlyList<CheckoutView> suspense,
        IReadOnlyDictionary<string, SimulatedPsp> psps,
        Func<string, HoldState?> holdState,
        long consumed)
    {
        long sold = 0;
        foreach (CheckoutView checkout in checkouts)
        {
            bool paid = checkout.State == CheckoutState.Paid;
            sold += paid ? checkout.Lines.Sum(l => l.Value) : 0;
            int orders = checkout.Payments.Count(p => p.Use == PaymentUse.Order);
            bool confirmed = holdState(checkout.Id + ":hold") == HoldState.Confirmed || holdState(checkout.Id + ":rescue") == HoldState.Confirmed;
            if (orders != (paid ? 1 : 0) || confirmed != paid)
            {
                return $"{checkout.Id} is {checkout.State.Text()} with {orders} payments for its order, and its hold is {(confirmed ? "consumed" : "not consumed")}";
            }

            if (paid && checkout.ReasonCode != "accepted" && psps[checkout.Channel].Payments.GetValueOrDefault(checkout.Payments.First(p => p.Use == PaymentUse.Order).Transaction).Amount != Price)
            {
                return $"{checkout.Id} is paid, and the provider got another amount";
            }
        }

        if (sold != consumed)
        {
            return $"{sold} units are sold to paid checkouts, {consumed} are consumed";
        }

        CheckoutView[] all = [.. checkouts, .. suspense];
        foreach ((string channel, SimulatedPsp psp) in psps)
        {
            foreach ((string transaction, (string order, long amount, long refunded)) in psp.Payments)
            {
                PaymentView[] known = [.. all.Where(c => c.Channel == channel).SelectMany(c => c.Payments).Where(p => p.Transaction == transaction)];
                if (known.Length != 1)
                {
                    return $"payment {transaction} of {order} is known {known.Length} times";
                }

                if (known[0].Disputed != psp.Disputed.Contains(transaction))
                {
                    return $"payment {transaction} of {order} is {(known[0].Disputed ? "" : "not ")}known as disputed, and the provider says otherwise";
                }

                long toldBack = all.Where(c => c.Channel == channel).SelectMany(c => c.Refunds).Where(r => r.Transaction == transaction && r.State == RefundState.Succeeded).Sum(r => r.Amount);
                if (refunded != toldBack)
                {
                    return $"{refunded} went back of payment {transaction}, the shop's books say {toldBack}";
                }

                if (known[0].Use == PaymentUse.Order ? refunded > amount : refunded != amount)
                {
                    return $"payment {transaction} of {order} is {known[0].Use.Text()}, and {refunded} of {amount} went back";
                }
            }

            if (all.Where(c => c.Channel == channel).SelectMany(c => c.Payments).FirstOrDefault(p => !psp.Payments.ContainsKey(p.Transaction)) is { } invented)
            {
                return $"payment {invented.Transaction} is in the shop's books, and the provider never got it";
            }
        }

        return null;
    }
}

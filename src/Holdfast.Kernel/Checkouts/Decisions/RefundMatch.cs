namespace Holdfast.Kernel;

/// <summary>
/// Which refund a provider's notice means. One that was sent to a provider comes back with the id that it was sent under; of
/// those that somebody makes by hand, the provider's id is learnt from the first notice.
/// </summary>
internal static class RefundMatch
{
    /// <summary>What the provider calls the refund; where it doesn't say, the event that tells of it.</summary>
    public static string ProviderIdOf(PaymentNotice notice) => notice.Refund ?? notice.EventId;

    /// <summary>The same, when the refund has none yet and its own id doesn't say it; otherwise null.</summary>
    public static string? NewIdOf(Checkout checkout, Refund refund, PaymentNotice notice) =>
        ProviderIdOf(notice) is var id && refund.ProviderRefund is null && !IsMadeOf(checkout, refund, id) ? id : null;

    /// <summary>
    /// The one that the notice names: as it was sent, or as the provider calls it. Who makes refunds by hand may have given
    /// them the shop's own ids.
    /// </summary>
    public static Refund? Named(Checkout checkout, Payment payment, PaymentNotice notice, long amount)
    {
        string id = ProviderIdOf(notice);
        return checkout.Refunds.Find(r => r.ProviderRefund == id || IsMadeOf(checkout, r, id))
            ?? (checkout.Calls ? null : checkout.Refunds.Find(r => r.Id == notice.Refund && r.ProviderRefund is null && Fits(r, payment, notice, amount == 0 ? r.Amount : amount)));
    }

    /// <summary>
    /// The oldest that somebody settled and that no notice has named. What was made at the provider has its name, if only in its id.
    /// </summary>
    public static Refund? Settled(Checkout checkout, Payment payment, PaymentNotice notice, long amount) =>
        checkout.Calls ? null : checkout.Refunds.Find(r => r.State == RefundState.Succeeded && r.ProviderRefund is null
            && !r.Id.StartsWith(CheckoutBook.ProviderPrefix, StringComparison.Ordinal) && Fits(r, payment, notice, amount));

    /// <summary>The oldest that waits to be made by hand and that no notice has named.</summary>
    public static Refund? Waiting(Checkout checkout, Payment payment, PaymentNotice notice, long amount) =>
        checkout.Calls ? null : checkout.Refunds.Find(r => r.State == RefundState.Pending && r.ProviderRefund is null && Fits(r, payment, notice, amount));

    private static bool IsMadeOf(Checkout checkout, Refund refund, string id) =>
        RefundIds.Of(checkout.Key, refund.Id) == id || refund.Id == CheckoutBook.ProviderPrefix + id;

    private static bool Fits(Refund refund, Payment payment, PaymentNotice notice, long amount) =>
        refund.Payment == payment && refund.Amount == amount && (notice.Currency.Length == 0 || notice.Currency == payment.Currency);
}

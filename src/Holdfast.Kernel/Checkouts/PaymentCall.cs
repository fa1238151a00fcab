namespace Holdfast.Kernel;

/// <summary>A call to a payment provider that committed state demands now. A copy: whoever makes it shares nothing with the machine.</summary>
/// <param name="Checkout">The checkout's id, or the key of what is in suspense.</param>
/// <param name="Number">Its number in the space.</param>
/// <param name="Op">What is asked.</param>
/// <param name="Order">The order's id at the provider: the checkout's.</param>
/// <param name="Channel">The channel.</param>
/// <param name="Amount">Minor units of the order.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="DeadlineMs">When the order should stop being payable, unix milliseconds.</param>
/// <param name="ProviderOrder">The provider's own id of the order, or null.</param>
/// <param name="Refund">The refund; null for calls about the order.</param>
/// <param name="Attempt">From 1; after a crash one may come twice.</param>
/// <param name="Failures">Attempts without a usable answer so far.</param>
public sealed record PaymentCall(
    string Checkout,
    long Number,
    PaymentOp Op,
    string Order,
    string Channel,
    long Amount,
    string Currency,
    long DeadlineMs,
    string? ProviderOrder,
    RefundCall? Refund,
    int Attempt,
    int Failures);

/// <summary>The refund of a <see cref="PaymentCall"/>.</summary>
/// <param name="Id">Its id in the checkout.</param>
/// <param name="ProviderKey">Its id at the provider: the same for every attempt.</param>
/// <param name="Transaction">The provider's id of the payment.</param>
/// <param name="PaidAmount">Minor units of the payment.</param>
/// <param name="Amount">Minor units that go back.</param>
/// <param name="Reason">For people.</param>
/// <param name="ProviderRefund">The provider's own id, or null.</param>
public sealed record RefundCall(string Id, string ProviderKey, string Transaction, long PaidAmount, long Amount, string Reason, string? ProviderRefund);

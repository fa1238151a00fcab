using Holdfast.Kernel;

namespace Holdfast.Engine.Payments;

/// <summary>A way to be paid. One conformance suite holds for all. Safe for concurrent use; keeps no state of payments.</summary>
public interface IPaymentChannel
{
    /// <summary>Its name, as in <c>/v1/callbacks/{channel}</c>.</summary>
    string Name { get; }

    /// <summary>Whether it can call its provider. Without, checkouts are paid by callbacks alone, and nobody closes or refunds for them.</summary>
    bool MakesCalls { get; }

    /// <summary>What is wrong with a checkout's id, amount or currency for this provider, or null.</summary>
    string? Problem(string checkout, long amount, string currency);

    /// <summary>Verifies the raw bytes in constant time, then reads what they say. Never throws for what a stranger sent.</summary>
    CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now);

    /// <summary>
    /// Reads the body of a callback that was verified when it came and kept in the journal since: what this version of the
    /// channel understands, which may be more than the one that took it. No signature is looked at, and no clock.
    /// </summary>
    /// <param name="space">The space that keeps it.</param>
    /// <param name="eventId">The event's id as it was kept.</param>
    /// <param name="body">The kept bytes.</param>
    /// <returns>What it says; null when it can't be read (any more): another key, another form.</returns>
    PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body);

    /// <summary>How the provider wants to hear that a callback was taken, or wasn't.</summary>
    CallbackReply Reply(CallbackOutcome outcome);

    /// <summary>Opens an order at the provider. Idempotent by the checkout's id.</summary>
    Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken);

    /// <summary>Asks what became of an order.</summary>
    Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken);

    /// <summary>Closes an order, so that nobody can pay it any more; tells when it was paid meanwhile.</summary>
    Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken);

    /// <summary>Sends money back. Idempotent by the refund's id.</summary>
    Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken);

    /// <summary>Asks what became of a refund.</summary>
    Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken);

    /// <summary>The provider's bill of one day, as it gives it out.</summary>
    /// <exception cref="PaymentChannelException">It is not there (yet), or can't be had; the message says why.</exception>
    Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken);
}

/// <summary>What became of a callback.</summary>
public enum CallbackOutcome
{
    /// <summary>Durable here; the provider may forget it.</summary>
    Taken,

    /// <summary>Not genuine.</summary>
    Refused,

    /// <summary>Not taken at the moment: the provider should send it again.</summary>
    Later,
}

/// <summary>An answer in a provider's words.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Type of the body; null: there is none.</param>
/// <param name="Body">The body.</param>
public sealed record CallbackReply(int Status, string? ContentType = null, string Body = "");

/// <summary>An order at a provider.</summary>
/// <param name="Space">The space of the checkout.</param>
/// <param name="Checkout">The checkout's id: the provider's merchant order number.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="ProviderOrder">The provider's own id of the order, where it gave one; null: not known.</param>
/// <param name="ExpiresAt">When it should stop being payable.</param>
public sealed record PaymentOrder(string Space, string Checkout, long Amount, string Currency, string? ProviderOrder, DateTimeOffset ExpiresAt);

/// <summary>A refund at a provider.</summary>
/// <param name="Order">The order it is of.</param>
/// <param name="Transaction">The provider's id of the payment.</param>
/// <param name="PaidAmount">What was paid, in minor units.</param>
/// <param name="Id">Its id: the same for every attempt.</param>
/// <param name="Amount">Minor units to send back.</param>
/// <param name="Reason">For people.</param>
/// <param name="ProviderRefund">The provider's own id of the refund, where it gave one; null: not known.</param>
public sealed record RefundOrder(PaymentOrder Order, string Transaction, long PaidAmount, string Id, long Amount, string Reason, string? ProviderRefund);

/// <summary>A provider can't be used for what was asked.</summary>
public sealed class PaymentChannelException(string message, Exception? inner = null) : Exception(message, inner);

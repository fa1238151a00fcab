using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Stripe;

/// <summary>Reads an event of Stripe. A type or a version that isn't known is kept as <see cref="NoticeKind.Other"/>.</summary>
internal static class StripeEvent
{
    public static PaymentNotice Read(string channel, JsonObject? root, ReadOnlyMemory<byte> body)
    {
        string type = JsonFacts.Text(root, "type") ?? "";
        var kept = new PaymentNotice
        {
            Channel = channel,
            EventId = JsonFacts.Text(root, "id") ?? RetainedId.Of(body.Span),
            Kind = NoticeKind.Other,
            Type = type,
            Raw = body,
        };
        if (JsonFacts.Object(JsonFacts.Object(root, "data"), "object") is not { } subject)
        {
            return kept;
        }

        PaymentNotice notice = type switch
        {
            "payment_intent.succeeded" => Payment(kept, subject, JsonFacts.Whole(subject, "amount_received") ?? JsonFacts.Whole(subject, "amount")),
            "checkout.session.completed" or "checkout.session.async_payment_succeeded" when JsonFacts.Text(subject, "payment_status") == "paid" => Session(kept, subject),
            "payment_intent.payment_failed" => kept with { Kind = NoticeKind.Failed, Transaction = JsonFacts.Text(subject, "id") },
            "checkout.session.async_payment_failed" => kept with { Kind = NoticeKind.Failed, Transaction = JsonFacts.Text(subject, "payment_intent") },
            "payment_intent.canceled" or "checkout.session.expired" => kept with { Kind = NoticeKind.Closed },
            "refund.created" or "refund.updated" or "charge.refund.updated" or "refund.failed" => Refund(kept, subject),
            "charge.dispute.created" => Money(kept with { Kind = NoticeKind.Disputed, Transaction = JsonFacts.Text(subject, "payment_intent") }, subject, JsonFacts.Whole(subject, "amount")),
            _ => kept,
        };
        return notice with { Checkout = CheckoutOf(subject) };
    }

    /// <summary>A payment intent, as an event or a call's answer has it.</summary>
    public static PaymentNotice Payment(PaymentNotice notice, JsonObject intent, long? amount) =>
        Money(notice with { Kind = NoticeKind.Paid, Transaction = JsonFacts.Text(intent, "id"), Checkout = CheckoutOf(intent) }, intent, amount);

    private static PaymentNotice Session(PaymentNotice notice, JsonObject session) =>
        Money(notice with { Kind = NoticeKind.Paid, Transaction = JsonFacts.Text(session, "payment_intent") ?? JsonFacts.Text(session, "id") }, session, JsonFacts.Whole(session, "amount_total"));

    private static PaymentNotice Refund(PaymentNotice notice, JsonObject refund)
    {
        NoticeKind kind = JsonFacts.Text(refund, "status") switch
        {
            "succeeded" => NoticeKind.Refunded,
            "failed" or "canceled" => NoticeKind.RefundFailed,
            _ => NoticeKind.Other,
        };
        string? id = JsonFacts.Text(JsonFacts.Object(refund, "metadata"), StripeChannel.RefundKey) ?? JsonFacts.Text(refund, "id");
        return Money(notice with { Kind = kind, Transaction = JsonFacts.Text(refund, "payment_intent"), Refund = id }, refund, JsonFacts.Whole(refund, "amount"));
    }

    /// <summary>A paid notice without an amount can't be compared with what was asked, so it is not one.</summary>
    private static PaymentNotice Money(PaymentNotice notice, JsonObject subject, long? amount) =>
        amount is >= 0 && JsonFacts.Text(subject, "currency") is { } currency
            ? notice with { Amount = amount.Value, Currency = currency.ToUpperInvariant() }
            : notice with { Kind = notice.Kind == NoticeKind.Disputed ? notice.Kind : NoticeKind.Other };

    private static string? CheckoutOf(JsonObject subject)
    {
        JsonObject? metadata = JsonFacts.Object(subject, "metadata");
        return JsonFacts.Text(metadata, StripeChannel.CheckoutKey)
            ?? JsonFacts.Text(metadata, "checkout_id")
            ?? JsonFacts.Text(metadata, "order_id")
            ?? JsonFacts.Text(subject, "client_reference_id");
    }
}

using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Stripe;

/// <summary>Reads an event of Stripe. A type or a version that isn't known is kept as <see cref="NoticeKind.Other"/>.</summary>
internal static class StripeEvent
{
    /// <summary>Reads it as the space understands it that it was sent to; null: no space's.</summary>
    public static PaymentNotice Read(string channel, string? space, JsonObject? root, ReadOnlyMemory<byte> body)
    {
        string type = JsonFacts.Text(root, "type") ?? "";
        var kept = new PaymentNotice
        {
            Channel = channel,
            EventId = JsonFacts.Id(root, "id") ?? RetainedId.Of(body.Span),
            Kind = NoticeKind.Other,
            Type = type,
            Raw = body,
        };
        if (JsonFacts.Object(JsonFacts.Object(root, "data"), "object") is not { } subject)
        {
            return kept;
        }

        if (space is not null && JsonFacts.NamesAnother(JsonFacts.Object(subject, "metadata"), StripeChannel.SpaceKey, space))
        {
            return kept; // an account's events come to each of its endpoints, and another space may have a checkout of this id
        }

        PaymentNotice notice = type switch
        {
            "payment_intent.succeeded" => Payment(kept, subject, AmountOf(subject)),
            "checkout.session.completed" or "checkout.session.async_payment_succeeded" when JsonFacts.Text(subject, "payment_status") == "paid" => Session(kept, subject),
            "payment_intent.payment_failed" => kept with { Kind = NoticeKind.Failed, Transaction = JsonFacts.Id(subject, "id") },
            "checkout.session.async_payment_failed" => kept with { Kind = NoticeKind.Failed, Transaction = JsonFacts.Id(subject, "payment_intent") },
            "payment_intent.canceled" => kept with { Kind = NoticeKind.Closed, ProviderOrder = JsonFacts.Text(subject, "id") },
            "checkout.session.expired" => kept with { Kind = NoticeKind.Closed, ProviderOrder = JsonFacts.Text(subject, "payment_intent") ?? JsonFacts.Text(subject, "id") },
            "refund.created" or "refund.updated" or "charge.refund.updated" or "refund.failed" => Refund(kept, subject),
            "charge.dispute.created" => Money(kept with { Kind = NoticeKind.Disputed, Transaction = JsonFacts.Id(subject, "payment_intent") }, subject, JsonFacts.Amount(subject, "amount")),
            _ => kept,
        };
        return notice with { Checkout = CheckoutOf(subject) };
    }

    /// <summary>A payment intent, as an event or a call's answer has it.</summary>
    public static PaymentNotice Payment(PaymentNotice notice, JsonObject intent, long? amount) =>
        Money(notice with { Kind = NoticeKind.Paid, Transaction = JsonFacts.Id(intent, "id"), Checkout = CheckoutOf(intent) }, intent, amount);

    /// <summary>What an intent brought, or in an old event its amount.</summary>
    public static long? AmountOf(JsonObject intent) => JsonFacts.Amount(intent, intent["amount_received"] is null ? "amount" : "amount_received");

    private static PaymentNotice Session(PaymentNotice notice, JsonObject session) =>
        Money(notice with { Kind = NoticeKind.Paid, Transaction = JsonFacts.Id(session, "payment_intent") ?? JsonFacts.Id(session, "id") }, session, JsonFacts.Amount(session, "amount_total"));

    private static PaymentNotice Refund(PaymentNotice notice, JsonObject refund)
    {
        NoticeKind kind = JsonFacts.Text(refund, "status") switch
        {
            "succeeded" => NoticeKind.Refunded,
            "failed" or "canceled" => NoticeKind.RefundFailed,
            _ => NoticeKind.Other,
        };
        string? id = JsonFacts.Id(JsonFacts.Object(refund, "metadata"), StripeChannel.RefundKey) ?? JsonFacts.Id(refund, "id");
        return Money(notice with { Kind = kind, Transaction = JsonFacts.Id(refund, "payment_intent"), Refund = id }, refund, JsonFacts.Amount(refund, "amount"));
    }

    /// <summary>A paid notice without an amount can't be compared with what was asked, so it is not one.</summary>
    private static PaymentNotice Money(PaymentNotice notice, JsonObject subject, long? amount) =>
        amount is not null && JsonFacts.Text(subject, "currency") is { } currency
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

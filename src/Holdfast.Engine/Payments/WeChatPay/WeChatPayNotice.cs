using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.WeChatPay;

/// <summary>Reads WeChat Pay's transactions and refunds, as callbacks and answers have them.</summary>
internal static class WeChatPayNotice
{
    public static PaymentNotice Read(string channel, JsonObject? envelope, JsonObject? resource, ReadOnlyMemory<byte> body)
    {
        var kept = new PaymentNotice
        {
            Channel = channel,
            EventId = JsonFacts.Id(envelope, "id") ?? RetainedId.Of(body.Span),
            Kind = NoticeKind.Other,
            Type = JsonFacts.Text(envelope, "event_type") ?? "",
            Raw = body,
        };
        return JsonFacts.Text(resource, "out_refund_no") is not null ? Refund(kept, resource!)
            : JsonFacts.Text(resource, "trade_state") is not null ? Transaction(kept, resource!)
            : kept;
    }

    public static PaymentNotice Transaction(PaymentNotice notice, JsonObject transaction)
    {
        JsonObject? amount = JsonFacts.Object(transaction, "amount");
        string state = JsonFacts.Text(transaction, "trade_state") ?? "";
        NoticeKind kind = state switch
        {
            // Without its amount it can't be compared, without its id not be told from another.
            "SUCCESS" when JsonFacts.Amount(amount, "total") is not null && JsonFacts.Text(transaction, "transaction_id") is not null => NoticeKind.Paid,
            "CLOSED" or "REVOKED" => NoticeKind.Closed,
            "PAYERROR" => NoticeKind.Failed,
            "NOTPAY" or "USERPAYING" => NoticeKind.Pending,
            _ => NoticeKind.Other, // REFUND: the refund's own notice tells of it
        };
        return notice with
        {
            Kind = kind,
            Checkout = JsonFacts.Text(transaction, "out_trade_no"),
            Transaction = JsonFacts.Id(transaction, "transaction_id"),
            Amount = JsonFacts.Amount(amount, "total") ?? 0,
            Currency = JsonFacts.Text(amount, "currency") ?? "CNY",
        };
    }

    private static PaymentNotice Refund(PaymentNotice notice, JsonObject refund)
    {
        JsonObject? amount = JsonFacts.Object(refund, "amount");
        NoticeKind kind = JsonFacts.Text(refund, "refund_status") switch
        {
            "SUCCESS" when JsonFacts.Amount(amount, "refund") is not null => NoticeKind.Refunded,
            "CLOSED" or "ABNORMAL" => NoticeKind.RefundFailed,
            _ => NoticeKind.Other,
        };
        return notice with
        {
            Kind = kind,
            Checkout = JsonFacts.Text(refund, "out_trade_no"),
            Transaction = JsonFacts.Id(refund, "transaction_id"),
            Refund = JsonFacts.Id(refund, "out_refund_no"),
            Amount = JsonFacts.Amount(amount, "refund") ?? 0,
            Currency = JsonFacts.Text(amount, "currency") ?? "CNY",
        };
    }
}

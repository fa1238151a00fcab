using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.Alipay;

/// <summary>Reads Alipay's trades.</summary>
internal static class AlipayNotice
{
    public const string Currency = "CNY";

    public static PaymentNotice Read(string channel, AlipayForm form, ReadOnlyMemory<byte> body)
    {
        var kept = new PaymentNotice
        {
            Channel = channel,
            EventId = form.Text("notify_id") is { } id ? RetainedId.Of(id) : RetainedId.Of(body.Span),
            Kind = NoticeKind.Other,
            Checkout = form.Text("out_trade_no"),
            Transaction = form.Text("trade_no") is { } transaction ? RetainedId.Of(transaction) : null,
            Currency = Currency,
            Type = form.Text("trade_status") ?? "",
            Raw = body,
        };
        if (form.Text("refund_fee") is { } back)
        {
            // A refund is told with the trade's present state, and with the sum of all refunds so far.
            return Yuan.ToMinor(back) is { } sum
                ? kept with { Kind = NoticeKind.Refunded, Amount = sum, AmountIsTotal = true, Refund = form.Text("out_biz_no") is { } refund ? RetainedId.Of(refund) : null }
                : kept;
        }

        return kept with { Kind = Kind(kept.Type, form.Text("total_amount"), kept.Transaction), Amount = Yuan.ToMinor(form.Text("total_amount")) ?? 0 };
    }

    public static NoticeKind Kind(string status, string? amount, string? transaction) => status switch
    {
        // Without its amount it can't be compared, without its id not be told from another.
        "TRADE_SUCCESS" or "TRADE_FINISHED" => Yuan.ToMinor(amount) is null || transaction is null ? NoticeKind.Other : NoticeKind.Paid,
        "TRADE_CLOSED" => NoticeKind.Closed,
        "WAIT_BUYER_PAY" => NoticeKind.Pending,
        _ => NoticeKind.Other,
    };
}

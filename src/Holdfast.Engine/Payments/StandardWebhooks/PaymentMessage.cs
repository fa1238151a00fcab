using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.StandardWebhooks;

/// <summary>
/// The body that a provider of one's own sends: <c>{"type":"payment.succeeded","data":{"checkout","transaction",
/// "amount":{"value","currency"},"refund"}}</c>. The simulator speaks it too.
/// </summary>
internal static class PaymentMessage
{
    private static readonly Dictionary<string, NoticeKind> Kinds = new(StringComparer.Ordinal)
    {
        ["payment.succeeded"] = NoticeKind.Paid,
        ["payment.failed"] = NoticeKind.Failed,
        ["payment.closed"] = NoticeKind.Closed,
        ["payment.pending"] = NoticeKind.Pending,
        ["payment.disputed"] = NoticeKind.Disputed,
        ["refund.succeeded"] = NoticeKind.Refunded,
        ["refund.failed"] = NoticeKind.RefundFailed,
    };

    public static PaymentNotice Read(string channel, string id, JsonObject? root, ReadOnlyMemory<byte> body)
    {
        string type = JsonFacts.Text(root, "type") ?? "";
        JsonObject? data = JsonFacts.Object(root, "data");
        JsonObject? amount = JsonFacts.Object(data, "amount");
        NoticeKind kind = Kinds.GetValueOrDefault(type);
        long? value = JsonFacts.Amount(amount, "value");
        if (kind == NoticeKind.Paid ? value is null || JsonFacts.Text(amount, "currency") is null : value is null && amount?["value"] is not null)
        {
            kind = NoticeKind.Other; // without an amount it can't be compared with what was asked
        }

        return new PaymentNotice
        {
            Channel = channel,
            EventId = RetainedId.Of(id),
            Kind = kind,
            Type = type,
            Checkout = JsonFacts.Text(data, "checkout"),
            Transaction = JsonFacts.Id(data, "transaction"),
            Refund = JsonFacts.Id(data, "refund"),
            Amount = value ?? 0,
            Currency = (JsonFacts.Text(amount, "currency") ?? "").ToUpperInvariant(),
            Raw = body,
        };
    }

    /// <summary>The body of a message.</summary>
    public static JsonObject Write(NoticeKind kind, string checkout, string? transaction, long amount, string currency, string? refund) => new()
    {
        ["type"] = Kinds.First(k => k.Value == kind).Key,
        ["data"] = new JsonObject
        {
            ["checkout"] = checkout,
            ["transaction"] = transaction,
            ["amount"] = new JsonObject { ["value"] = amount, ["currency"] = currency },
            ["refund"] = refund,
        },
    };
}

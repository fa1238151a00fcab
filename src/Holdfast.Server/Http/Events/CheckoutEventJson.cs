using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>A checkout's event as JSON. The bodies of callbacks stay in the journal: they name people.</summary>
internal static class CheckoutEventJson
{
    private static readonly JsonEncodedText Deadline = JsonEncodedText.Encode("deadline");
    private static readonly JsonEncodedText NextAt = JsonEncodedText.Encode("nextAt");

    public static void Write(AnswerWriter output, CheckoutEvent happened)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteString("checkout"u8, happened.Checkout.TrimStart('\u0001'));
        switch (happened)
        {
            case CheckoutBegunEvent e:
                json.WriteString("channel"u8, e.Channel);
                Text(json, "owner", e.Owner);
                Amount(json, e.Amount, e.Currency);
                output.WriteInstant(Deadline, e.DeadlineMs);
                break;
            case CheckoutClosingEvent e:
                json.WriteBoolean("cancel"u8, e.Cancel);
                Text(json, "message", e.Text);
                break;
            case CheckoutEndedEvent e:
                json.WriteString("state"u8, e.State.Text());
                Text(json, "code", e.Code);
                Text(json, "message", e.Text);
                break;
            case NoticeKeptEvent e:
                json.WriteString("channel"u8, e.Channel);
                json.WriteString("event"u8, e.EventId);
                json.WriteString("kind"u8, e.Kind.Text());
                Text(json, "providerType", e.ProviderType);
                break;
            case PaymentTakenEvent e:
                json.WriteString("transaction"u8, e.Transaction);
                Amount(json, e.Amount, e.Currency);
                json.WriteString("use"u8, e.Use.Text());
                json.WriteBoolean("rescued"u8, e.Rescued);
                Text(json, "message", e.Text);
                break;
            case PaymentDisputedEvent e:
                json.WriteString("transaction"u8, e.Transaction);
                break;
            case RefundBegunEvent e:
                json.WriteString("refund"u8, e.Refund);
                json.WriteString("transaction"u8, e.Transaction);
                json.WriteNumber("amount"u8, e.Amount);
                Text(json, "reason", e.Reason);
                break;
            case RefundEndedEvent e:
                json.WriteString("refund"u8, e.Refund);
                json.WriteBoolean("succeeded"u8, e.Succeeded);
                Text(json, "message", e.Text);
                break;
            case PaymentCallAnsweredEvent e:
                json.WriteString("op"u8, e.Op.Text());
                Text(json, "refund", e.Refund);
                json.WriteString("outcome"u8, e.Outcome.Text());
                Text(json, "answer", e.Text);
                Text(json, "payUrl", e.PayUrl);
                if (e.DueMs != 0)
                {
                    output.WriteInstant(NextAt, e.DueMs);
                }

                break;
            case PaymentCallRetriedEvent e:
                json.WriteString("op"u8, e.Op.Text());
                Text(json, "refund", e.Refund);
                break;
            case SuspenseKeptEvent e:
                json.WriteString("channel"u8, e.Channel);
                json.WriteString("order"u8, e.Order);
                json.WriteString("transaction"u8, e.Transaction);
                Amount(json, e.Amount, e.Currency);
                break;
            case CheckoutResolvedEvent e:
                json.WriteString("decision"u8, e.Accept ? "accept"u8 : "refund"u8);
                json.WriteString("reason"u8, e.Reason);
                break;
        }
    }

    private static void Amount(Utf8JsonWriter json, long value, string currency)
    {
        json.WriteStartObject("amount"u8);
        json.WriteNumber("value"u8, value);
        json.WriteString("currency"u8, currency);
        json.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter json, string name, string? text)
    {
        if (!string.IsNullOrEmpty(text))
        {
            json.WriteString(name, text);
        }
    }
}

using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>A checkout as JSON, and in words.</summary>
internal static class CheckoutWriter
{
    private static readonly JsonEncodedText CreatedAt = JsonEncodedText.Encode("createdAt");
    private static readonly JsonEncodedText ExpiresAt = JsonEncodedText.Encode("expiresAt");
    private static readonly JsonEncodedText EndedAt = JsonEncodedText.Encode("endedAt");
    private static readonly JsonEncodedText NextAt = JsonEncodedText.Encode("nextAt");
    private static readonly JsonEncodedText At = JsonEncodedText.Encode("at");

    public static void Write(AnswerWriter output, CheckoutView checkout)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteStartObject();
        json.WriteString("id"u8, checkout.Id);
        json.WriteString("state"u8, checkout.State.Text());
        if (checkout.ReasonCode is not null)
        {
            json.WriteStartObject("reason"u8);
            json.WriteString("code"u8, checkout.ReasonCode);
            json.WriteString("message"u8, checkout.ReasonText);
            json.WriteEndObject();
        }

        Text(json, "owner", checkout.Owner);
        json.WriteStartArray("lines"u8);
        foreach ((string resource, long quantity) in checkout.Lines)
        {
            json.WriteStartObject();
            json.WriteString("resource"u8, resource);
            json.WriteNumber("quantity"u8, quantity);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Amount(json, "amount", checkout.Amount, checkout.Currency);
        json.WriteString("channel"u8, checkout.Channel);
        Text(json, "hold", checkout.HoldId);
        output.WriteInstant(CreatedAt, checkout.CreatedAtMs);
        output.WriteInstant(ExpiresAt, checkout.DeadlineMs);
        if (checkout.EndedAtMs != 0)
        {
            output.WriteInstant(EndedAt, checkout.EndedAtMs);
        }

        Text(json, "payUrl", checkout.PayUrl);
        Text(json, "providerOrder", checkout.ProviderOrder);
        Amount(json, "paid", checkout.Paid, checkout.PaidCurrency);
        Amount(json, "refunded", checkout.Refunded, checkout.PaidCurrency);
        json.WriteBoolean("rescued"u8, checkout.Rescued);
        json.WriteBoolean("stuck"u8, checkout.IsStuck);
        json.WriteStartArray("payments"u8);
        foreach (PaymentView payment in checkout.Payments)
        {
            json.WriteStartObject();
            json.WriteString("transaction"u8, payment.Transaction);
            Amount(json, "amount", payment.Amount, payment.Currency);
            json.WriteString("use"u8, payment.Use.Text());
            output.WriteInstant(At, payment.AtMs);
            json.WriteBoolean("disputed"u8, payment.Disputed);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteRefunds(output, checkout);
        json.WriteStartArray("calls"u8);
        foreach (PaymentCallView call in checkout.Calls)
        {
            json.WriteStartObject();
            json.WriteString("op"u8, call.Op.Text());
            Progress(output, call);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        Text(json, "explanation", Explain(checkout));
        json.WriteEndObject();
    }

    public static void WriteRefunds(AnswerWriter output, CheckoutView checkout)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteStartArray("refunds"u8);
        foreach (RefundView refund in checkout.Refunds)
        {
            string currency = checkout.Payments.First(p => p.Transaction == refund.Transaction).Currency;
            json.WriteStartObject();
            json.WriteString("id"u8, refund.Id);
            json.WriteString("transaction"u8, refund.Transaction);
            Amount(json, "amount", refund.Amount, currency);
            json.WriteString("state"u8, refund.State.Text());
            json.WriteString("reason"u8, refund.Reason);
            Text(json, "providerRefund", refund.ProviderRefund);
            Progress(output, refund.Call);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>What is going on and what helps, where that isn't plain; null where it is.</summary>
    private static string? Explain(CheckoutView checkout)
    {
        if (checkout.State == CheckoutState.Conflicted)
        {
            return $"{checkout.ReasonText}. Nothing is consumed and the hold is kept. POST .../resolve with decision 'accept' takes the payment as it is, 'refund' sends it back.";
        }

        if (checkout.State == CheckoutState.Suspense && checkout.Payments.Any(p => p.Use == PaymentUse.Suspense))
        {
            return "A payment came for a checkout that is not known here. POST /v1/suspense/{channel}/{transaction}/refund sends it back.";
        }

        if (checkout.Refunds.FirstOrDefault(r => r.Call.IsStuck) is { } refund)
        {
            return $"Refund {refund.Id} waits for somebody: {refund.Call.LastAnswer ?? "its channel makes no calls, so it is made by hand at the provider"}. POST .../retry asks again; POST .../refunds/{refund.Id}/settle says what became of it.";
        }

        if (checkout.Calls.FirstOrDefault(c => c.IsStuck) is { } call)
        {
            return $"The {call.Op.Text()} call got no usable answer {call.Attempts} times (last: {call.LastAnswer}). POST .../retry asks again.";
        }

        if (checkout.IsStuck)
        {
            return "Money must go back, and its refund was refused. POST .../retry asks for another one.";
        }

        return checkout.State == CheckoutState.Closing ? "The order is being closed at the provider; until then its units stay held." : null;
    }

    private static void Progress(AnswerWriter output, PaymentCallView call)
    {
        output.Json.WriteNumber("attempts"u8, call.Attempts);
        Text(output.Json, "lastAnswer", call.LastAnswer);
        if (call.NextAtMs != 0)
        {
            output.WriteInstant(NextAt, call.NextAtMs);
        }
    }

    private static void Amount(Utf8JsonWriter json, string name, long value, string currency)
    {
        json.WriteStartObject(name);
        json.WriteNumber("value"u8, value);
        json.WriteString("currency"u8, currency);
        json.WriteEndObject();
    }

    private static void Text(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
        {
            json.WriteString(name, text);
        }
    }
}

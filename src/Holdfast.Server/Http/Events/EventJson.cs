using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>One event of the journal as JSON: <c>{sequence, ordinal, time, type, ...}</c>.</summary>
internal static class EventJson
{
    private static readonly JsonEncodedText Time = JsonEncodedText.Encode("time");
    private static readonly JsonEncodedText ExpiresAt = JsonEncodedText.Encode("expiresAt");

    /// <summary>Writes the event that the reader stands at.</summary>
    public static void Write(AnswerWriter output, EventType type, ref EventReader reader, long sequence, int ordinal, long timeMs, IReadOnlyList<JsonEncodedText> names)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteStartObject();
        json.WriteNumber("sequence"u8, sequence);
        json.WriteNumber("ordinal"u8, ordinal);
        output.WriteInstant(Time, timeMs);
        json.WriteString("type"u8, EventTexts.Of(type));
        switch (type)
        {
            case EventType.Held:
                Held(output, HeldEvent.Read(ref reader), timeMs, names);
                break;
            case EventType.Confirmed:
                Confirmed(json, ConfirmedEvent.Read(ref reader));
                break;
            case EventType.Cancelled or EventType.CancelledEmpty or EventType.Expired:
                json.WriteString("hold"u8, HoldNamedEvent.Read(ref reader).Id);
                break;
            case EventType.Extended:
                ExtendedEvent extended = ExtendedEvent.Read(ref reader);
                json.WriteString("hold"u8, extended.Id);
                output.WriteInstant(ExpiresAt, extended.DeadlineMs);
                break;
            case EventType.Returned:
                Returned(json, ReturnedEvent.Read(ref reader));
                break;
            case EventType.ResourcePut:
                json.WriteString("resource"u8, ResourcePutEvent.Read(ref reader).Id);
                break;
            case EventType.SupplyAdjusted:
                SupplyAdjusted(json, SupplyAdjustedEvent.Read(ref reader), names);
                break;
            case var kind when TransactionEvent.Is(kind):
                TransactionEventJson.Write(output, TransactionEvent.Read(kind, ref reader));
                break;
            case var kind when CheckoutEvent.Is(kind):
                CheckoutEventJson.Write(output, CheckoutEvent.Read(kind, ref reader));
                break;
            default:
                Skip(type, ref reader);
                break;
        }

        json.WriteEndObject();
    }

    /// <summary>Steps over an event.</summary>
    public static void Skip(EventType type, ref EventReader reader)
    {
        switch (type)
        {
            case EventType.Held:
                HeldEvent.Read(ref reader);
                break;
            case EventType.Confirmed:
                ConfirmedEvent.Read(ref reader);
                break;
            case EventType.Cancelled or EventType.CancelledEmpty or EventType.Expired:
                HoldNamedEvent.Read(ref reader);
                break;
            case EventType.Extended:
                ExtendedEvent.Read(ref reader);
                break;
            case EventType.Returned:
                ReturnedEvent.Read(ref reader);
                break;
            case EventType.ResourcePut:
                ResourcePutEvent.Read(ref reader);
                break;
            case EventType.SupplyAdjusted:
                SupplyAdjustedEvent.Read(ref reader);
                break;
            case EventType.HoldsForgotten or EventType.AdjustmentsForgotten:
                ForgottenEvent.Read(ref reader);
                break;
            case var kind when TransactionEvent.Is(kind):
                TransactionEvent.Read(kind, ref reader);
                break;
            case var kind when CheckoutEvent.Is(kind):
                CheckoutEvent.Read(kind, ref reader);
                break;
            default:
                throw new InvalidDataException($"Event type {(int)type} is not known to this version of Holdfast; a newer one wrote this journal.");
        }
    }

    private static void Held(AnswerWriter output, HeldEvent held, long timeMs, IReadOnlyList<JsonEncodedText> names)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteString("hold"u8, held.Id);
        if (!held.Owner.IsEmpty)
        {
            json.WriteString("owner"u8, held.Owner);
        }

        output.WriteInstant(ExpiresAt, timeMs + held.LifeMs);
        json.WriteStartArray("lines"u8);
        Pairs lines = held.Lines;
        while (lines.Next(out int resource, out long quantity))
        {
            json.WriteStartObject();
            json.WriteString("resource"u8, names[resource]);
            json.WriteNumber("quantity"u8, quantity);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Confirmed(Utf8JsonWriter json, ConfirmedEvent confirmed)
    {
        json.WriteString("hold"u8, confirmed.Id);
        json.WriteBoolean("keepRemainder"u8, confirmed.KeepRemainder);
        if (confirmed.LineCount > 0)
        {
            // One for each of the hold's lines, in their order; without it everything held.
            Span<long> quantities = stackalloc long[LinedCommand.MaxLines];
            confirmed.CopyQuantities(quantities);
            Quantities(json, quantities[..confirmed.LineCount]);
        }
    }

    private static void Returned(Utf8JsonWriter json, ReturnedEvent returned)
    {
        json.WriteString("hold"u8, returned.Id);
        json.WriteString("id"u8, returned.ReturnId);
        json.WriteString("reason"u8, returned.Reason);
        Span<long> quantities = stackalloc long[LinedCommand.MaxLines];
        returned.CopyQuantities(quantities);
        Quantities(json, quantities[..returned.LineCount]);
    }

    private static void SupplyAdjusted(Utf8JsonWriter json, SupplyAdjustedEvent adjusted, IReadOnlyList<JsonEncodedText> names)
    {
        json.WriteString("resource"u8, names[adjusted.Resource]);
        json.WriteString("id"u8, adjusted.AdjustmentId);
        json.WriteNumber("delta"u8, adjusted.Delta);
        json.WriteBoolean("forced"u8, adjusted.Force);
        json.WriteString("reason"u8, adjusted.Reason);
    }

    private static void Quantities(Utf8JsonWriter json, ReadOnlySpan<long> quantities)
    {
        json.WriteStartArray("quantities"u8);
        foreach (long quantity in quantities)
        {
            json.WriteNumberValue(quantity);
        }

        json.WriteEndArray();
    }
}

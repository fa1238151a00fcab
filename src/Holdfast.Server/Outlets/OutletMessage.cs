using System.Globalization;
using System.Text.Json;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Server.Outlets;

/// <summary>What the shop's services are told. The same event has the same id however often it is sent.</summary>
/// <param name="Id"><c>space/sequence/ordinal</c>.</param>
/// <param name="Type">For example <c>checkout.paid</c>.</param>
/// <param name="Body">JSON: <c>{type, timestamp, data}</c>.</param>
internal sealed record OutletMessage(string Id, string Type, byte[] Body);

/// <summary>Reads messages off the journal's frames.</summary>
internal static class OutletMessages
{
    private static readonly JsonEncodedText Timestamp = JsonEncodedText.Encode("timestamp");

    public static IEnumerable<OutletMessage> Of(string space, FrameView frame)
    {
        var messages = new List<OutletMessage>();
        var reader = new EventReader(frame.Payload.Span);
        for (int i = 0; i < frame.Count; i++)
        {
            EventType type = reader.Next();
            if (!CheckoutEvent.Is(type))
            {
                EventJson.Skip(type, ref reader);
                continue;
            }

            CheckoutEvent happened = CheckoutEvent.Read(type, ref reader);
            if (TypeOf(happened) is { } told)
            {
                messages.Add(new OutletMessage(string.Create(CultureInfo.InvariantCulture, $"{space}/{frame.Sequence}/{i}"), told, Body(space, told, happened, frame.TimeMs)));
            }
        }

        return messages;
    }

    private static string? TypeOf(CheckoutEvent happened) => happened switch
    {
        CheckoutBegunEvent => "checkout.begun",
        CheckoutEndedEvent e => "checkout." + e.State.Text(),
        PaymentTakenEvent { Use: PaymentUse.Order } => "checkout.paid",
        PaymentTakenEvent { Use: PaymentUse.Conflicted } => "checkout.conflicted",
        PaymentTakenEvent => "payment.goes_back",
        PaymentDisputedEvent => "payment.disputed",
        SuspenseKeptEvent => "payment.suspense",
        RefundBegunEvent => "refund.begun",
        RefundEndedEvent e => e.Succeeded ? "refund.succeeded" : "refund.failed",
        CheckoutResolvedEvent => "checkout.resolved",
        _ => null, // how calls and callbacks went is the coordinator's own matter
    };

    private static byte[] Body(string space, string type, CheckoutEvent happened, long timeMs)
    {
        using var output = new AnswerWriter();
        output.Begin();
        Utf8JsonWriter json = output.Json;
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        output.WriteInstant(Timestamp, timeMs);
        json.WriteStartObject("data"u8);
        json.WriteString("space"u8, space);
        CheckoutEventJson.Write(output, happened);
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return output.Written.ToArray();
    }
}

using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>What happened to a checkout, as the journal has it. Names the checkout by its key, so that each event can be read by itself.</summary>
/// <param name="Checkout">The checkout's id; of what is in suspense, its key.</param>
public abstract record CheckoutEvent(string Checkout)
{
    /// <summary>Whether events of this type are checkouts'.</summary>
    public static bool Is(EventType type) => type is >= EventType.CheckoutBegun and <= EventType.CheckoutForgotten;

    /// <summary>Reads the event behind its type.</summary>
    public static CheckoutEvent Read(EventType type, ref EventReader reader)
    {
        string id = reader.String();
        return type switch
        {
            EventType.CheckoutBegun => CheckoutBegunEvent.Read(id, ref reader),
            EventType.CheckoutClosing => new CheckoutClosingEvent(id, reader.Flags(1) != 0, reader.StringOrNull()),
            EventType.CheckoutEnded => new CheckoutEndedEvent(id, (CheckoutState)reader.Byte(), reader.StringOrNull(), reader.StringOrNull()),
            EventType.NoticeKept => new NoticeKeptEvent(id, reader.String(), reader.String(), (NoticeKind)reader.Byte(), reader.String(), reader.Text().ToArray()),
            EventType.PaymentTaken => new PaymentTakenEvent(id, reader.String(), reader.VarLong(), reader.String(), (PaymentUse)reader.Byte(), reader.Flags(1) != 0, reader.StringOrNull()),
            EventType.PaymentDisputed => new PaymentDisputedEvent(id, reader.String()),
            EventType.RefundBegun => new RefundBegunEvent(id, reader.String(), reader.String(), reader.VarLong(), reader.String(), reader.VarLong()),
            EventType.RefundEnded => new RefundEndedEvent(id, reader.String(), reader.Flags(1) != 0, reader.StringOrNull(), reader.StringOrNull()),
            EventType.PaymentCallAnswered => new PaymentCallAnsweredEvent(
                id, (PaymentOp)reader.Byte(), reader.StringOrNull(), (PaymentOutcome)reader.Byte(), reader.StringOrNull(), reader.VarLong(), reader.StringOrNull(), reader.StringOrNull()),
            EventType.PaymentCallRetried => new PaymentCallRetriedEvent(id, (PaymentOp)reader.Byte(), reader.StringOrNull()),
            EventType.SuspenseKept => new SuspenseKeptEvent(id, reader.String(), reader.String(), reader.Flags(1) != 0, reader.String(), reader.VarLong(), reader.String()),
            EventType.CheckoutResolved => new CheckoutResolvedEvent(id, reader.Flags(3) is var flags && (flags & 1) != 0, (flags & 2) != 0, reader.String()),
            EventType.CheckoutForgotten => new CheckoutForgottenEvent(id),
            _ => throw new InvalidDataException($"Event type {(int)type} is not a checkout's."),
        };
    }

    /// <summary>Writes the event, its type first.</summary>
    internal ReadOnlySpan<byte> Write(EventBuffer output)
    {
        int start = output.Begin(Type, 64);
        output.Text(Checkout);
        WriteBody(output);
        return output.End(start);
    }

    private protected abstract EventType Type { get; }

    private protected abstract void WriteBody(EventBuffer output);

    private protected static byte Flag(bool value) => value ? (byte)1 : (byte)0;
}

/// <summary>A checkout began.</summary>
public sealed record CheckoutBegunEvent(
    string Checkout,
    UInt128 Fingerprint,
    bool Calls,
    long DeadlineMs,
    string? Owner,
    long TtlMs,
    long Amount,
    string Currency,
    string Channel,
    IReadOnlyList<KeyValuePair<string, long>> Lines) : CheckoutEvent(Checkout)
{
    /// <summary>What the command encoded already; empty when it was read.</summary>
    internal ReadOnlyMemory<byte> Encoded { get; init; }

    private protected override EventType Type => EventType.CheckoutBegun;

    internal static CheckoutBegunEvent Read(string id, ref EventReader reader)
    {
        UInt128 fingerprint = BinaryPrimitives.ReadUInt128LittleEndian(reader.Text());
        bool calls = reader.Flags(1) != 0;
        long deadline = reader.VarLong();
        string? owner = reader.StringOrNull();
        long ttl = reader.VarLong(), amount = reader.VarLong();
        string currency = reader.String(), channel = reader.String();
        return new CheckoutBegunEvent(id, fingerprint, calls, deadline, owner, ttl, amount, currency, channel, CheckoutCodec.ReadLines(ref reader));
    }

    private protected override void WriteBody(EventBuffer output)
    {
        Span<byte> fingerprint = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(fingerprint, Fingerprint);
        output.Text(fingerprint);
        output.Byte(Flag(Calls));
        output.VarUInt((ulong)DeadlineMs);
        output.Raw(Encoded.Span);
    }
}

/// <summary>Its order is being closed at the provider.</summary>
/// <param name="Checkout">Whose.</param>
/// <param name="Cancel">Because somebody cancelled it; otherwise its time is over.</param>
/// <param name="Text">Why, for people.</param>
public sealed record CheckoutClosingEvent(string Checkout, bool Cancel, string? Text) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.CheckoutClosing;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Byte(Flag(Cancel));
        output.Text(Text);
    }
}

/// <summary>It ended unpaid.</summary>
public sealed record CheckoutEndedEvent(string Checkout, CheckoutState State, string? Code, string? Text) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.CheckoutEnded;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Byte((byte)State);
        output.Text(Code);
        output.Text(Text);
    }
}

/// <summary>A verified callback, as it came. Its effects are events of their own, behind it.</summary>
/// <param name="Checkout">Whose; empty: it belongs to none.</param>
/// <param name="Channel">The channel.</param>
/// <param name="EventId">The provider's id.</param>
/// <param name="Kind">What it was understood as.</param>
/// <param name="ProviderType">The provider's own word.</param>
/// <param name="Raw">The body's bytes: they can be read again by a later version.</param>
public sealed record NoticeKeptEvent(
    string Checkout, string Channel, string EventId, NoticeKind Kind, string ProviderType, ReadOnlyMemory<byte> Raw) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.NoticeKept;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Text(Channel);
        output.Text(EventId);
        output.Byte((byte)Kind);
        output.Text(ProviderType);
        output.Text(Raw.Span);
    }
}

/// <summary>A payment was learnt of. When it pays the checkout, its hold's confirm stands in the same batch.</summary>
/// <param name="Checkout">Whose.</param>
/// <param name="Transaction">The provider's id.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="Use">What becomes of it.</param>
/// <param name="Rescued">Whether its units were taken anew (E25).</param>
/// <param name="Text">Why it doesn't pay the checkout, for people.</param>
public sealed record PaymentTakenEvent(
    string Checkout, string Transaction, long Amount, string Currency, PaymentUse Use, bool Rescued, string? Text) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.PaymentTaken;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Text(Transaction);
        output.VarUInt((ulong)Amount);
        output.Text(Currency);
        output.Byte((byte)Use);
        output.Byte(Flag(Rescued));
        output.Text(Text);
    }
}

/// <summary>The shopper's bank asks for a payment back (E39).</summary>
public sealed record PaymentDisputedEvent(string Checkout, string Transaction) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.PaymentDisputed;

    private protected override void WriteBody(EventBuffer output) => output.Text(Transaction);
}

/// <summary>Money is to go back.</summary>
/// <param name="Checkout">Whose.</param>
/// <param name="Refund">The refund's id.</param>
/// <param name="Transaction">The payment.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="Reason">For people.</param>
/// <param name="DueMs">When the provider is asked, unix milliseconds; 0: not by itself.</param>
public sealed record RefundBegunEvent(string Checkout, string Refund, string Transaction, long Amount, string Reason, long DueMs) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.RefundBegun;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Text(Refund);
        output.Text(Transaction);
        output.VarUInt((ulong)Amount);
        output.Text(Reason);
        output.VarUInt((ulong)DueMs);
    }
}

/// <summary>Money went back, or the provider refused.</summary>
public sealed record RefundEndedEvent(string Checkout, string Refund, bool Succeeded, string? ProviderRefund, string? Text) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.RefundEnded;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Text(Refund);
        output.Byte(Flag(Succeeded));
        output.Text(ProviderRefund);
        output.Text(Text);
    }
}

/// <summary>A provider answered a call, or didn't in time.</summary>
/// <param name="Checkout">Whose.</param>
/// <param name="Op">What was asked.</param>
/// <param name="Refund">The refund's id; null: about the order.</param>
/// <param name="Outcome">What it means.</param>
/// <param name="Text">The answer in words.</param>
/// <param name="DueMs">When it is asked again, unix milliseconds; 0: not by itself.</param>
/// <param name="PayUrl">Where the shopper pays; null: not said.</param>
/// <param name="ProviderId">The provider's own id of the order or the refund; null: not said.</param>
public sealed record PaymentCallAnsweredEvent(
    string Checkout, PaymentOp Op, string? Refund, PaymentOutcome Outcome, string? Text, long DueMs, string? PayUrl, string? ProviderId) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.PaymentCallAnswered;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Byte((byte)Op);
        output.Text(Refund);
        output.Byte((byte)Outcome);
        output.Text(Text);
        output.VarUInt((ulong)DueMs);
        output.Text(PayUrl);
        output.Text(ProviderId);
    }
}

/// <summary>An operator has a call made now.</summary>
public sealed record PaymentCallRetriedEvent(string Checkout, PaymentOp Op, string? Refund) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.PaymentCallRetried;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Byte((byte)Op);
        output.Text(Refund);
    }
}

/// <summary>A payment that belongs to no checkout was kept (E33).</summary>
/// <param name="Checkout">The key that it is found by.</param>
/// <param name="Order">The order number that the provider gave.</param>
/// <param name="Channel">The channel.</param>
/// <param name="Calls">Whether its provider can be called.</param>
/// <param name="Transaction">The provider's id of the payment.</param>
/// <param name="Amount">Minor units.</param>
/// <param name="Currency">ISO 4217.</param>
public sealed record SuspenseKeptEvent(
    string Checkout, string Order, string Channel, bool Calls, string Transaction, long Amount, string Currency) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.SuspenseKept;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Text(Order);
        output.Text(Channel);
        output.Byte(Flag(Calls));
        output.Text(Transaction);
        output.VarUInt((ulong)Amount);
        output.Text(Currency);
    }
}

/// <summary>An operator decided what is conflicted or in suspense.</summary>
/// <param name="Checkout">Whose.</param>
/// <param name="Accept">Whether its payment is taken as it is; otherwise it goes back.</param>
/// <param name="Rescued">Whether its units were taken anew.</param>
/// <param name="Reason">Why.</param>
public sealed record CheckoutResolvedEvent(string Checkout, bool Accept, bool Rescued, string Reason) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.CheckoutResolved;

    private protected override void WriteBody(EventBuffer output)
    {
        output.Byte((byte)((Accept ? 1 : 0) | (Rescued ? 2 : 0)));
        output.Text(Reason);
    }
}

/// <summary>A finished checkout left memory; or what was in suspense was found to be a checkout's payment.</summary>
public sealed record CheckoutForgottenEvent(string Checkout) : CheckoutEvent(Checkout)
{
    private protected override EventType Type => EventType.CheckoutForgotten;

    private protected override void WriteBody(EventBuffer output)
    {
    }
}

/// <summary>What several places write alike.</summary>
internal static class CheckoutCodec
{
    public static void WriteLines(EventBuffer output, IReadOnlyList<KeyValuePair<string, long>> lines)
    {
        output.VarUInt((ulong)lines.Count);
        foreach ((string resource, long quantity) in lines)
        {
            output.Text(resource);
            output.VarUInt((ulong)quantity);
        }
    }

    public static KeyValuePair<string, long>[] ReadLines(ref EventReader reader)
    {
        var lines = new KeyValuePair<string, long>[checked((int)Math.Min(reader.VarUInt(), LinedCommand.MaxLines))];
        for (int i = 0; i < lines.Length; i++)
        {
            lines[i] = new(reader.String(), reader.VarLong());
        }

        return lines;
    }
}

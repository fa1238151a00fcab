using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>The checkouts' part of a snapshot: the next number, checkouts in the order they began, ids of stray events oldest first.</summary>
internal static class CheckoutSnapshot
{
    public static void Write(CheckoutBook book, EventBuffer output, Action flush)
    {
        output.VarUInt((ulong)book.NextNumber);
        output.VarUInt((ulong)book.Count);
        output.VarUInt((ulong)book.Strays.Count);
        flush();
        foreach (Checkout checkout in book.Known)
        {
            Write(output, checkout);
            flush();
        }

        foreach (string stray in book.Strays)
        {
            output.Text(stray);
            flush();
        }
    }

    public static Checkout Read(ref EventReader reader)
    {
        long number = reader.VarLong();
        string key = reader.String(), order = reader.String();
        UInt128 fingerprint = BinaryPrimitives.ReadUInt128LittleEndian(reader.Text());
        byte flags = reader.Flags(7);
        var checkout = new Checkout
        {
            Number = number,
            Key = key,
            Order = order,
            Fingerprint = fingerprint,
            Calls = (flags & 1) != 0,
            CancelAsked = (flags & 2) != 0,
            Rescued = (flags & 4) != 0,
            Owner = reader.StringOrNull(),
            Amount = reader.VarLong(),
            Currency = reader.String(),
            Channel = reader.String(),
            CreatedAtMs = reader.VarLong(),
            DeadlineMs = reader.VarLong(),
            EndedAtMs = reader.VarLong(),
            State = (CheckoutState)reader.Byte(),
            ReasonCode = reader.StringOrNull(),
            ReasonText = reader.StringOrNull(),
            PayUrl = reader.StringOrNull(),
            ProviderOrder = reader.StringOrNull(),
            Lines = CheckoutCodec.ReadLines(ref reader),
        };
        foreach (CallProgress progress in checkout.Progress)
        {
            TransactionSnapshot.ReadProgress(progress, ref reader);
        }

        for (ulong left = reader.VarUInt(); left > 0; left--)
        {
            checkout.Payments.Add(new Payment(reader.String(), reader.VarLong(), reader.String(), (PaymentUse)reader.Byte(), reader.VarLong()) { Disputed = reader.Flags(1) != 0 });
        }

        for (ulong left = reader.VarUInt(); left > 0; left--)
        {
            checkout.Refunds.Add(ReadRefund(checkout, ref reader));
        }

        for (ulong left = reader.VarUInt(); left > 0; left--)
        {
            checkout.Events.Add(reader.String());
        }

        return checkout;
    }

    private static void Write(EventBuffer output, Checkout checkout)
    {
        output.VarUInt((ulong)checkout.Number);
        output.Text(checkout.Key);
        output.Text(checkout.Order);
        Span<byte> fingerprint = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(fingerprint, checkout.Fingerprint);
        output.Text(fingerprint);
        output.Byte((byte)((checkout.Calls ? 1 : 0) | (checkout.CancelAsked ? 2 : 0) | (checkout.Rescued ? 4 : 0)));
        output.Text(checkout.Owner);
        output.VarUInt((ulong)checkout.Amount);
        output.Text(checkout.Currency);
        output.Text(checkout.Channel);
        output.VarUInt((ulong)checkout.CreatedAtMs);
        output.VarUInt((ulong)checkout.DeadlineMs);
        output.VarUInt((ulong)checkout.EndedAtMs);
        output.Byte((byte)checkout.State);
        output.Text(checkout.ReasonCode);
        output.Text(checkout.ReasonText);
        output.Text(checkout.PayUrl);
        output.Text(checkout.ProviderOrder);
        CheckoutCodec.WriteLines(output, checkout.Lines);
        foreach (CallProgress progress in checkout.Progress)
        {
            TransactionSnapshot.WriteProgress(output, progress);
        }

        output.VarUInt((ulong)checkout.Payments.Count);
        foreach (Payment payment in checkout.Payments)
        {
            output.Text(payment.Transaction);
            output.VarUInt((ulong)payment.Amount);
            output.Text(payment.Currency);
            output.Byte((byte)payment.Use);
            output.VarUInt((ulong)payment.AtMs);
            output.Byte(payment.Disputed ? (byte)1 : (byte)0);
        }

        output.VarUInt((ulong)checkout.Refunds.Count);
        foreach (Refund refund in checkout.Refunds)
        {
            output.Text(refund.Id);
            output.VarUInt((ulong)checkout.Payments.IndexOf(refund.Payment));
            output.VarUInt((ulong)refund.Amount);
            output.Text(refund.Reason);
            output.Byte((byte)((byte)refund.State | (refund.Underway ? 0x80 : 0)));
            output.Text(refund.ProviderRefund);
            TransactionSnapshot.WriteProgress(output, refund.Progress);
        }

        output.VarUInt((ulong)checkout.Events.Count);
        foreach (string id in checkout.Events)
        {
            output.Text(id);
        }
    }

    private static Refund ReadRefund(Checkout checkout, ref EventReader reader)
    {
        string id = reader.String();
        Payment payment = checkout.Payments[(int)reader.VarUInt()];
        var refund = new Refund(id, payment, reader.VarLong(), reader.String());
        byte state = reader.Byte();
        refund.State = (RefundState)(state & 0x7F);
        refund.Underway = (state & 0x80) != 0;
        refund.ProviderRefund = reader.StringOrNull();
        TransactionSnapshot.ReadProgress(refund.Progress, ref reader);
        return refund;
    }
}

using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>
/// The bytes of a hold that its slot points to: id, times, lines. Most holds are made, and then confirmed or released
/// whole; those keep the short form, in which what a line has held or consumed follows from the hold's state. The
/// detailed form comes with the first partial confirm or return.
/// </summary>
/// <remarks>
/// Id length - 1 (7 bits) and whether a life follows; id; time to live as asked, in seconds or milliseconds; created, in 4 bytes as milliseconds
/// since the table's epoch when that is possible and in 8 since 1970 otherwise; life if it differs; line count (7 bits) and
/// whether the lines are detailed; lines. A short line: account + 1 and whether the quantity is 1; the resource if there is no account; the
/// quantity if it isn't 1. A detailed line adds held, consumed, returned, last confirmed.
/// A typical hold (id of 15 bytes, one of millions of accounts) fills 28 bytes; one byte more would cost four, as the
/// arena counts.
/// </remarks>
internal static class HoldRecord
{
    // The upper bit beside the id's length, and beside the line count.
    private const byte LifeFlag = 0x80;
    private const byte DetailedFlag = 0x80;
    private const byte Count = 0x7F;

    // The lower bits beside the time to live.
    private const ulong SinceEpoch = 1;
    private const ulong InSeconds = 2;
    private const int TtlShift = 2;

    // Beside the account.
    private const ulong QuantityIsOne = 1;

    /// <summary>Largest record: 64 detailed lines. Fits the arena's bound.</summary>
    public const int MaxBytes = 1 + Name.MaxBytes + 8 + 20 + 1 + (LinedCommand.MaxLines * 60);

    public static ReadOnlySpan<byte> IdOf(ReadOnlySpan<byte> record) => record.Slice(1, IdLength(record));

    /// <summary>Reads everything but the lines. <paramref name="at"/> is left at the first line.</summary>
    public static HoldHeader ReadHeader(ReadOnlySpan<byte> record, long epochMs, out int at)
    {
        at = 1 + IdLength(record);
        ulong asked = Varint.Read(record, ref at);
        long ttl = (long)(asked >> TtlShift) * ((asked & InSeconds) != 0 ? 1000 : 1);
        long created;
        if ((asked & SinceEpoch) != 0)
        {
            created = epochMs + BinaryPrimitives.ReadUInt32LittleEndian(record[at..]);
            at += sizeof(uint);
        }
        else
        {
            created = BinaryPrimitives.ReadInt64LittleEndian(record[at..]);
            at += sizeof(long);
        }

        long life = (record[0] & LifeFlag) != 0 ? (long)Varint.Read(record, ref at) : ttl;
        byte lines = record[at++];
        return new HoldHeader(created, ttl, life, lines & Count, (lines & DetailedFlag) != 0);
    }

    /// <summary>Reads a line as the record has it; a short one leaves held and the rest 0.</summary>
    public static LineState ReadLine(ReadOnlySpan<byte> record, bool detailed, ref int at)
    {
        LineState line = default;
        ulong account = Varint.Read(record, ref at);
        line.Account = (int)(account >> 1) - 1;
        line.Resource = line.Account < 0 ? (int)Varint.Read(record, ref at) : -1;
        line.Quantity = (account & QuantityIsOne) != 0 ? 1 : (long)Varint.Read(record, ref at);
        if (detailed)
        {
            line.Held = (long)Varint.Read(record, ref at);
            line.Consumed = (long)Varint.Read(record, ref at);
            line.Returned = (long)Varint.Read(record, ref at);
            line.LastConfirmed = (long)Varint.Read(record, ref at);
        }

        return line;
    }

    /// <summary>Writes a record and returns its length.</summary>
    public static int Write(Span<byte> target, ReadOnlySpan<byte> id, HoldHeader header, long epochMs, ReadOnlySpan<LineState> lines)
    {
        bool life = header.LifeMs != header.TtlMs;
        target[0] = (byte)((id.Length - 1) | (life ? LifeFlag : 0));
        id.CopyTo(target[1..]);
        int at = 1 + id.Length;
        (long seconds, long rest) = Math.DivRem(header.TtlMs, 1000);
        long age = header.CreatedAtMs - epochMs;
        bool young = age is >= 0 and <= uint.MaxValue;
        at += Varint.Write(target[at..], ((ulong)(rest == 0 ? seconds : header.TtlMs) << TtlShift) | (rest == 0 ? InSeconds : 0) | (young ? SinceEpoch : 0));
        if (young)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(target[at..], (uint)age);
            at += sizeof(uint);
        }
        else
        {
            BinaryPrimitives.WriteInt64LittleEndian(target[at..], header.CreatedAtMs);
            at += sizeof(long);
        }

        if (life)
        {
            at += Varint.Write(target[at..], (ulong)header.LifeMs);
        }

        target[at++] = (byte)(lines.Length | (header.Detailed ? DetailedFlag : 0));
        foreach (ref readonly LineState line in lines)
        {
            at += Varint.Write(target[at..], ((ulong)(line.Account + 1) << 1) | (line.Quantity == 1 ? QuantityIsOne : 0));
            if (line.Account < 0)
            {
                at += Varint.Write(target[at..], (ulong)line.Resource);
            }

            if (line.Quantity != 1)
            {
                at += Varint.Write(target[at..], (ulong)line.Quantity);
            }

            if (header.Detailed)
            {
                at += Varint.Write(target[at..], (ulong)line.Held);
                at += Varint.Write(target[at..], (ulong)line.Consumed);
                at += Varint.Write(target[at..], (ulong)line.Returned);
                at += Varint.Write(target[at..], (ulong)line.LastConfirmed);
            }
        }

        return at;
    }

    /// <summary>Length of a stored record.</summary>
    public static int Length(ReadOnlySpan<byte> record)
    {
        HoldHeader header = ReadHeader(record, epochMs: 0, out int at);
        for (int i = 0; i < header.LineCount; i++)
        {
            ReadLine(record, header.Detailed, ref at);
        }

        return at;
    }

    private static int IdLength(ReadOnlySpan<byte> record) => (record[0] & Count) + 1;
}

/// <summary>A hold's times. <c>TtlMs</c> is what the try asked (0: the default); the deadline is created + life.</summary>
internal readonly record struct HoldHeader(long CreatedAtMs, long TtlMs, long LifeMs, int LineCount, bool Detailed)
{
    public long DeadlineMs => CreatedAtMs + LifeMs;
}

/// <summary>A line in the making: <c>Resource</c> is always filled in by <see cref="HoldTable.ReadLines"/>.</summary>
internal struct LineState
{
    public int Account;
    public int Resource;
    public long Quantity;
    public long Held;
    public long Consumed;
    public long Returned;
    public long LastConfirmed;
}

using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>
/// The bytes of a hold that its slot points to: id, times, lines. Most holds are made, and then confirmed or released
/// whole; those keep the short form, in which what a line has held or consumed follows from the hold's state. The
/// detailed form comes with the first partial confirm or return.
/// </summary>
/// <remarks>
/// flags, id length, id, created (6 bytes), time to live as asked, life if it differs, line count, lines. A short line:
/// account + 1, or 0 and the resource; quantity. A detailed line adds held, consumed, returned, last confirmed.
/// </remarks>
internal static class HoldRecord
{
    private const byte DetailedFlag = 1;
    private const byte LifeFlag = 2;

    /// <summary>Largest record: 64 detailed lines. Fits the arena's bound.</summary>
    public const int MaxBytes = 2 + Name.MaxBytes + 6 + 20 + 1 + (LinedCommand.MaxLines * 60);

    public static ReadOnlySpan<byte> IdOf(ReadOnlySpan<byte> record) => record.Slice(2, record[1]);

    /// <summary>Reads everything but the lines. <paramref name="at"/> is left at the first line.</summary>
    public static HoldHeader ReadHeader(ReadOnlySpan<byte> record, out int at)
    {
        byte flags = record[0];
        at = 2 + record[1];
        long created = BinaryPrimitives.ReadUInt32LittleEndian(record[at..]) | ((long)BinaryPrimitives.ReadUInt16LittleEndian(record[(at + 4)..]) << 32);
        at += 6;
        long ttl = (long)Varint.Read(record, ref at);
        long life = (flags & LifeFlag) != 0 ? (long)Varint.Read(record, ref at) : ttl;
        int lines = record[at++];
        return new HoldHeader(created, ttl, life, lines, (flags & DetailedFlag) != 0);
    }

    /// <summary>Reads a line as the record has it; a short one leaves held and the rest 0.</summary>
    public static LineState ReadLine(ReadOnlySpan<byte> record, bool detailed, ref int at)
    {
        LineState line = default;
        line.Account = (int)Varint.Read(record, ref at) - 1;
        line.Resource = line.Account < 0 ? (int)Varint.Read(record, ref at) : -1;
        line.Quantity = (long)Varint.Read(record, ref at);
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
    public static int Write(Span<byte> target, ReadOnlySpan<byte> id, HoldHeader header, ReadOnlySpan<LineState> lines)
    {
        bool life = header.LifeMs != header.TtlMs;
        target[0] = (byte)((header.Detailed ? DetailedFlag : 0) | (life ? LifeFlag : 0));
        target[1] = (byte)id.Length;
        id.CopyTo(target[2..]);
        int at = 2 + id.Length;
        BinaryPrimitives.WriteUInt32LittleEndian(target[at..], (uint)header.CreatedAtMs);
        BinaryPrimitives.WriteUInt16LittleEndian(target[(at + 4)..], (ushort)(header.CreatedAtMs >> 32));
        at += 6;
        at += Varint.Write(target[at..], (ulong)header.TtlMs);
        if (life)
        {
            at += Varint.Write(target[at..], (ulong)header.LifeMs);
        }

        target[at++] = (byte)lines.Length;
        foreach (ref readonly LineState line in lines)
        {
            at += Varint.Write(target[at..], (ulong)(line.Account + 1));
            if (line.Account < 0)
            {
                at += Varint.Write(target[at..], (ulong)line.Resource);
            }

            at += Varint.Write(target[at..], (ulong)line.Quantity);
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
        HoldHeader header = ReadHeader(record, out int at);
        for (int i = 0; i < header.LineCount; i++)
        {
            ReadLine(record, header.Detailed, ref at);
        }

        return at;
    }
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

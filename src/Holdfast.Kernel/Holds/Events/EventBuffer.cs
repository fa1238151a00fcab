using System.Runtime.CompilerServices;

namespace Holdfast.Kernel;

/// <summary>
/// Where the machine writes a batch's events. The first <c>reserve</c> bytes are left free for the journal's frame
/// header, so that a batch is sealed and written without being copied.
/// </summary>
public sealed class EventBuffer
{
    private readonly int _reserve;
    private readonly int _capacity;
    private byte[] _bytes;
    private int _length;

    /// <summary>An empty buffer.</summary>
    /// <param name="reserve">Bytes left free at the beginning.</param>
    /// <param name="capacity">Bytes it begins with; it grows as needed.</param>
    public EventBuffer(int reserve = 0, int capacity = 64 * 1024)
    {
        _reserve = reserve;
        _capacity = Math.Max(capacity, reserve + 256);
        _bytes = new byte[_capacity];
        _length = reserve;
    }

    /// <summary>Events written since <see cref="Clear"/>.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of events (the reserve not counted).</summary>
    public int PayloadLength => _length - _reserve;

    /// <summary>The events.</summary>
    public ReadOnlySpan<byte> Payload => _bytes.AsSpan(_reserve, _length - _reserve);

    /// <summary>Reserve, events, and <paramref name="footer"/> bytes behind them.</summary>
    public Memory<byte> Whole(int footer)
    {
        Ensure(footer);
        return _bytes.AsMemory(0, _length + footer);
    }

    /// <summary>Forgets the events; the memory stays, unless one batch made it unusually large.</summary>
    public void Clear()
    {
        const int keepAtMost = 16 * 1024 * 1024;
        if (_bytes.Length > keepAtMost)
        {
            _bytes = new byte[_capacity];
        }

        _length = _reserve;
        Count = 0;
    }

    /// <summary>Begins an event; <see cref="End"/> gives its bytes back for evolving.</summary>
    internal int Begin(EventType type, int room)
    {
        Ensure(room + 1);
        int start = _length;
        _bytes[_length++] = (byte)type;
        return start;
    }

    internal ReadOnlySpan<byte> End(int start)
    {
        Count++;
        return _bytes.AsSpan(start, _length - start);
    }

    internal void Byte(byte value)
    {
        Ensure(1);
        _bytes[_length++] = value;
    }

    internal void Text(ReadOnlySpan<byte> text)
    {
        VarUInt((ulong)text.Length);
        Ensure(text.Length);
        text.CopyTo(_bytes.AsSpan(_length));
        _length += text.Length;
    }

    /// <summary>A text as UTF-8; null is written as an empty one.</summary>
    internal void Text(string? text)
    {
        int length = System.Text.Encoding.UTF8.GetByteCount(text ?? "");
        VarUInt((ulong)length);
        Ensure(length);
        _length += System.Text.Encoding.UTF8.GetBytes(text ?? "", _bytes.AsSpan(_length));
    }

    internal void Raw(ReadOnlySpan<byte> bytes)
    {
        Ensure(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    internal void VarInt(long value) => VarUInt((ulong)((value << 1) ^ (value >> 63)));

    internal void VarUInt(ulong value)
    {
        Ensure(10);
        _length += Varint.Write(_bytes.AsSpan(_length), value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Ensure(int room)
    {
        if (_length + room > _bytes.Length)
        {
            Grow(room);
        }
    }

    private void Grow(int room) => Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + room));
}

/// <summary>Unsigned LEB128: seven bits a byte, the lowest first.</summary>
internal static class Varint
{
    public static int Write(Span<byte> target, ulong value)
    {
        int length = 0;
        while (value >= 0x80)
        {
            target[length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        target[length++] = (byte)value;
        return length;
    }

    public static ulong Read(ReadOnlySpan<byte> source, ref int at)
    {
        ulong value = source[at++];
        if (value < 0x80)
        {
            return value;
        }

        value &= 0x7F;
        for (int shift = 7; shift < 64; shift += 7)
        {
            byte next = source[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number in an event is longer than ten bytes.");
    }

    public static int Length(ulong value)
    {
        int length = 1;
        while (value >= 0x80)
        {
            value >>= 7;
            length++;
        }

        return length;
    }
}

namespace Holdfast.Kernel;

/// <summary>Steps over a batch's events: <see cref="Next"/>, then the reader method of that type, in turn.</summary>
public ref struct EventReader(ReadOnlySpan<byte> payload)
{
    private readonly ReadOnlySpan<byte> _payload = payload;
    private int _at;

    /// <summary>Whether all events were read.</summary>
    public readonly bool AtEnd => _at == _payload.Length;

    /// <summary>Bytes read so far.</summary>
    public readonly int Position => _at;

    /// <summary>The next event's type, or <see cref="EventType.None"/> at the end.</summary>
    public EventType Next() => AtEnd ? EventType.None : (EventType)_payload[_at++];

    /// <summary>The next event's type, without taking it.</summary>
    internal readonly EventType Peek() => AtEnd ? EventType.None : (EventType)_payload[_at];

    internal byte Byte() => _payload[_at++];

    /// <summary>A byte of flags. One that this version doesn't know would change the meaning, so it is not passed over.</summary>
    internal byte Flags(byte known)
    {
        byte flags = Byte();
        return (flags & ~known) == 0
            ? flags
            : throw new InvalidDataException($"An event has flags {flags:x2} that are not known to this version of Holdfast.");
    }

    internal ReadOnlySpan<byte> Text()
    {
        int length = checked((int)VarUInt());
        ReadOnlySpan<byte> text = _payload.Slice(_at, length);
        _at += length;
        return text;
    }

    internal string String() => System.Text.Encoding.UTF8.GetString(Text());

    /// <summary>A text that may be missing, which is written as an empty one.</summary>
    internal string? StringOrNull() => String() is { Length: > 0 } text ? text : null;

    internal ulong VarUInt() => Varint.Read(_payload, ref _at);

    internal long VarLong() => (long)VarUInt();

    internal long VarInt()
    {
        ulong value = VarUInt();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Takes <paramref name="count"/> (number, number) pairs as they are.</summary>
    internal ReadOnlySpan<byte> Numbers(int count)
    {
        int start = _at;
        for (int i = 0; i < count; i++)
        {
            VarUInt();
        }

        return _payload[start.._at];
    }
}

namespace Holdfast.Kernel;

// Each event beside its own bytes: Write puts them, Read takes them in the same order. The layouts are pinned by
// snapshot tests; a change is a new event type, and the old one stays readable.

/// <summary>A hold was made. Resources are named by their number: the order in which they were first put, from 0.</summary>
public readonly ref struct HeldEvent
{
    private HeldEvent(ReadOnlySpan<byte> id, ReadOnlySpan<byte> owner, long ttlMs, long lifeMs, int lineCount, ReadOnlySpan<byte> lines)
    {
        Id = id;
        Owner = owner;
        TtlMs = ttlMs;
        LifeMs = lifeMs;
        LineCount = lineCount;
        _lines = lines;
    }

    private readonly ReadOnlySpan<byte> _lines;

    /// <summary>The hold's id.</summary>
    public ReadOnlySpan<byte> Id { get; }

    /// <summary>The owner; empty: none.</summary>
    public ReadOnlySpan<byte> Owner { get; }

    /// <summary>Time to live as asked, milliseconds; 0: the default was taken.</summary>
    public long TtlMs { get; }

    /// <summary>From the batch's time to the deadline, milliseconds.</summary>
    public long LifeMs { get; }

    /// <summary>Number of lines.</summary>
    public int LineCount { get; }

    /// <summary>The lines.</summary>
    public Pairs Lines => new(_lines);

    internal static ReadOnlySpan<byte> Write(EventBuffer output, TryHold command, long lifeMs)
    {
        int start = output.Begin(EventType.Held, 0);
        output.Text(command.IdBytes);
        output.Text(command.Bytes(command.Owner));
        output.VarUInt((ulong)command.TtlMs);
        output.VarUInt((ulong)lifeMs);
        output.Byte((byte)command.LineCount);
        foreach (ref LinedCommand.Line line in command.Lines)
        {
            output.VarUInt((ulong)line.Resource);
            output.VarUInt((ulong)line.Quantity);
        }

        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static HeldEvent Read(ref EventReader reader)
    {
        ReadOnlySpan<byte> id = reader.Text(), owner = reader.Text();
        long ttl = reader.VarLong(), life = reader.VarLong();
        int count = reader.Byte();
        return new HeldEvent(id, owner, ttl, life, count, reader.Numbers(2 * count));
    }
}

/// <summary>Pairs of numbers (resource, quantity), read one by one.</summary>
public ref struct Pairs(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    /// <summary>The next pair, until there is none.</summary>
    public bool Next(out int resource, out long quantity)
    {
        if (_at >= _bytes.Length)
        {
            resource = 0;
            quantity = 0;
            return false;
        }

        resource = (int)Varint.Read(_bytes, ref _at);
        quantity = (long)Varint.Read(_bytes, ref _at);
        return true;
    }
}

/// <summary>A hold was consumed: everything held (<see cref="LineCount"/> 0), or a quantity for each of its lines in their order.</summary>
public readonly ref struct ConfirmedEvent
{
    private ConfirmedEvent(ReadOnlySpan<byte> id, bool keepRemainder, int lineCount, ReadOnlySpan<byte> quantities)
    {
        Id = id;
        KeepRemainder = keepRemainder;
        LineCount = lineCount;
        Quantities = quantities;
    }

    internal ReadOnlySpan<byte> Quantities { get; }

    /// <summary>The hold's id.</summary>
    public ReadOnlySpan<byte> Id { get; }

    /// <summary>Whether the rest stays held rather than being released.</summary>
    public bool KeepRemainder { get; }

    /// <summary>0: everything; else the number of the hold's lines.</summary>
    public int LineCount { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, ReadOnlySpan<byte> id, bool keepRemainder, ReadOnlySpan<long> quantities)
    {
        int start = output.Begin(EventType.Confirmed, 0);
        output.Text(id);
        output.Byte(keepRemainder ? (byte)1 : (byte)0);
        output.Byte((byte)quantities.Length);
        foreach (long quantity in quantities)
        {
            output.VarUInt((ulong)quantity);
        }

        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static ConfirmedEvent Read(ref EventReader reader)
    {
        ReadOnlySpan<byte> id = reader.Text();
        bool keep = reader.Flags(1) != 0;
        int count = reader.Byte();
        return new ConfirmedEvent(id, keep, count, reader.Numbers(count));
    }

    /// <summary>Copies the quantities, one a line, into <paramref name="target"/>.</summary>
    public void CopyQuantities(Span<long> target)
    {
        int at = 0;
        for (int i = 0; i < LineCount; i++)
        {
            target[i] = (long)Varint.Read(Quantities, ref at);
        }
    }
}

/// <summary>Events that only name a hold: cancelled, cancelled while unknown, expired.</summary>
public readonly ref struct HoldNamedEvent
{
    private HoldNamedEvent(ReadOnlySpan<byte> id) => Id = id;

    /// <summary>The hold's id.</summary>
    public ReadOnlySpan<byte> Id { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, EventType type, ReadOnlySpan<byte> id)
    {
        int start = output.Begin(type, 0);
        output.Text(id);
        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static HoldNamedEvent Read(ref EventReader reader) => new(reader.Text());
}

/// <summary>A hold got a new deadline.</summary>
public readonly ref struct ExtendedEvent
{
    private ExtendedEvent(ReadOnlySpan<byte> id, long deadlineMs)
    {
        Id = id;
        DeadlineMs = deadlineMs;
    }

    /// <summary>The hold's id.</summary>
    public ReadOnlySpan<byte> Id { get; }

    /// <summary>The new deadline, unix milliseconds.</summary>
    public long DeadlineMs { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, ReadOnlySpan<byte> id, long deadlineMs)
    {
        int start = output.Begin(EventType.Extended, 0);
        output.Text(id);
        output.VarUInt((ulong)deadlineMs);
        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static ExtendedEvent Read(ref EventReader reader) => new(reader.Text(), reader.VarLong());
}

/// <summary>Consumed units came back: a quantity (0 or more) for each of the hold's lines in their order.</summary>
public readonly ref struct ReturnedEvent
{
    private ReturnedEvent(ReadOnlySpan<byte> id, ReadOnlySpan<byte> returnId, ReadOnlySpan<byte> reason, int lineCount, ReadOnlySpan<byte> quantities)
    {
        Id = id;
        ReturnId = returnId;
        Reason = reason;
        LineCount = lineCount;
        _quantities = quantities;
    }

    private readonly ReadOnlySpan<byte> _quantities;

    /// <summary>The hold's id.</summary>
    public ReadOnlySpan<byte> Id { get; }

    /// <summary>The return's id, unique within the hold.</summary>
    public ReadOnlySpan<byte> ReturnId { get; }

    /// <summary>Why.</summary>
    public ReadOnlySpan<byte> Reason { get; }

    /// <summary>Number of the hold's lines.</summary>
    public int LineCount { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, ReturnUnits command, ReadOnlySpan<long> quantities)
    {
        int start = output.Begin(EventType.Returned, 0);
        output.Text(command.IdBytes);
        output.Text(command.Bytes(command.ReturnId));
        output.Text(command.Bytes(command.Reason));
        output.Byte((byte)quantities.Length);
        foreach (long quantity in quantities)
        {
            output.VarUInt((ulong)quantity);
        }

        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static ReturnedEvent Read(ref EventReader reader)
    {
        ReadOnlySpan<byte> id = reader.Text(), returnId = reader.Text(), reason = reader.Text();
        int count = reader.Byte();
        return new ReturnedEvent(id, returnId, reason, count, reader.Numbers(count));
    }

    /// <summary>Copies the quantities, one a line, into <paramref name="target"/>.</summary>
    public void CopyQuantities(Span<long> target)
    {
        int at = 0;
        for (int i = 0; i < LineCount; i++)
        {
            target[i] = (long)Varint.Read(_quantities, ref at);
        }
    }
}

/// <summary>The oldest <see cref="Count"/> finished holds, or adjustment ids, left memory.</summary>
public readonly ref struct ForgottenEvent
{
    private ForgottenEvent(int count) => Count = count;

    /// <summary>How many.</summary>
    public int Count { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, EventType type, int count)
    {
        int start = output.Begin(type, 0);
        output.VarUInt((ulong)count);
        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static ForgottenEvent Read(ref EventReader reader) => new((int)reader.VarUInt());
}

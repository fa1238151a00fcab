using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>
/// All known holds. A hold is in exactly one list: its deadline's bucket while it is held, the queue of finished ones
/// afterwards, until it is forgotten.
/// </summary>
internal sealed class HoldTable(AccountTable accounts, RecordArena arena, SlabLease lease, NameHasher hasher)
{
    private readonly ChunkedList<HoldSlot> _slots = new(lease);
    private readonly NameIndex _index = new(lease);
    private readonly byte[] _scratch = new byte[HoldRecord.MaxBytes];
    private int _oldestFinished = -1;
    private int _newestFinished = -1;
    private long? _epochMs; // the first hold's creation: records count from there

    public DeadlineWheel Wheel { get; } = new();

    /// <summary>Known holds, finished ones included.</summary>
    public int Count => _slots.Count;

    /// <summary>Holds that are held now.</summary>
    public int Live { get; private set; }

    public int OldestFinished => _oldestFinished;

    public int End => _slots.End;

    /// <summary>Returns that were booked on a hold; few holds have any.</summary>
    public Dictionary<int, List<KnownReturn>> Returns { get; } = [];

    public ref HoldSlot this[int slot] => ref _slots[slot];

    /// <summary>The slot of a hold, or -1.</summary>
    public int Find(ulong hash, ReadOnlySpan<byte> id)
    {
        NameIndex.Probe probe = _index.Find(hash);
        while (probe.Next(out int slot))
        {
            if (id.SequenceEqual(IdOf(slot)))
            {
                return slot;
            }
        }

        return -1;
    }

    public void Prefetch(ulong hash) => _index.Prefetch(hash);

    public ReadOnlySpan<byte> IdOf(int slot) => HoldRecord.IdOf(arena.At(_slots[slot].Record));

    public HoldHeader HeaderOf(int slot) => HoldRecord.ReadHeader(arena.At(_slots[slot].Record), _epochMs ?? 0, out _);

    public bool IsHeld(int slot) => _slots[slot].State == HoldState.Held;

    /// <summary>The owner, or nothing.</summary>
    public ReadOnlySpan<byte> OwnerOf(int slot)
    {
        ReadOnlySpan<byte> record = arena.At(_slots[slot].Record);
        HoldHeader header = HoldRecord.ReadHeader(record, _epochMs ?? 0, out int at);
        if (header.LineCount == 0)
        {
            return [];
        }

        LineState line = HoldRecord.ReadLine(record, header.Detailed, ref at);
        return line.Account < 0 ? [] : accounts.OwnerOf(line.Account);
    }

    /// <summary>Reads a hold's lines whole, whichever form they are kept in. Returns the header.</summary>
    public HoldHeader ReadLines(int slot, Span<LineState> target)
    {
        ReadOnlySpan<byte> record = arena.At(_slots[slot].Record);
        HoldState state = _slots[slot].State;
        HoldHeader header = HoldRecord.ReadHeader(record, _epochMs ?? 0, out int at);
        for (int i = 0; i < header.LineCount; i++)
        {
            LineState line = HoldRecord.ReadLine(record, header.Detailed, ref at);
            if (line.Account >= 0)
            {
                line.Resource = accounts[line.Account].Resource;
            }

            if (!header.Detailed)
            {
                line.Held = state == HoldState.Held ? line.Quantity : 0;
                line.Consumed = state == HoldState.Confirmed ? line.Quantity : 0;
                line.LastConfirmed = line.Consumed;
            }

            target[i] = line;
        }

        return header;
    }

    /// <summary>Adds a hold in state held, linked to its deadline.</summary>
    public int AddHeld(ulong hash, ReadOnlySpan<byte> id, HoldHeader header, ReadOnlySpan<LineState> lines)
    {
        int slot = Add(hash, id, header, lines);
        _slots[slot].State = HoldState.Held;
        _slots[slot].TimeMs = header.DeadlineMs;
        Wheel.Link(_slots, slot);
        Live++;
        return slot;
    }

    /// <summary>Adds a hold that is finished from the start: a tombstone, or one read from a snapshot.</summary>
    public int AddFinished(ulong hash, ReadOnlySpan<byte> id, HoldHeader header, ReadOnlySpan<LineState> lines, HoldState state, long finishedAtMs)
    {
        int slot = Add(hash, id, header, lines);
        Enqueue(slot, state, finishedAtMs);
        return slot;
    }

    /// <summary>Ends a live hold's life.</summary>
    public void Finish(int slot, HoldState state, long nowMs)
    {
        Wheel.Unlink(_slots, slot);
        Live--;
        Enqueue(slot, state, nowMs);
    }

    /// <summary>Replaces the lines (and so the form) of a hold.</summary>
    public void Rewrite(int slot, HoldHeader header, ReadOnlySpan<LineState> lines)
    {
        Span<byte> id = stackalloc byte[Name.MaxBytes];
        ReadOnlySpan<byte> old = arena.At(_slots[slot].Record);
        ReadOnlySpan<byte> oldId = HoldRecord.IdOf(old);
        oldId.CopyTo(id);
        id = id[..oldId.Length];
        arena.Free(_slots[slot].Record, HoldRecord.Length(old));
        _slots[slot].Record = Store(id, header, lines);
    }

    /// <summary>Moves a live hold to a new deadline.</summary>
    public void Extend(int slot, long deadlineMs, Span<LineState> scratch)
    {
        HoldHeader header = ReadLines(slot, scratch);
        Wheel.Unlink(_slots, slot);
        Rewrite(slot, header with { LifeMs = deadlineMs - header.CreatedAtMs }, scratch[..header.LineCount]);
        _slots[slot].TimeMs = deadlineMs;
        Wheel.Link(_slots, slot);
    }

    /// <summary>Removes the oldest finished hold from memory. Its accounts keep what was consumed.</summary>
    public void ForgetOldest(Span<LineState> scratch)
    {
        int slot = _oldestFinished;
        HoldHeader header = ReadLines(slot, scratch);
        _oldestFinished = _slots[slot].Next;
        if (_oldestFinished < 0)
        {
            _newestFinished = -1;
        }

        for (int i = 0; i < header.LineCount; i++)
        {
            if (scratch[i].Account >= 0)
            {
                accounts.Release(scratch[i].Account, slot);
            }
        }

        ReadOnlySpan<byte> record = arena.At(_slots[slot].Record);
        _index.Remove(hasher.Hash(HoldRecord.IdOf(record)), slot);
        arena.Free(_slots[slot].Record, HoldRecord.Length(record));
        Returns.Remove(slot);
        _slots[slot] = default;
        _slots.Free(slot);
    }

    /// <summary>The next live hold whose deadline has passed, examining at most <paramref name="budget"/> holds; -1 when there is none.</summary>
    public int NextDue(long nowMs, ref int budget) => Wheel.NextDue(_slots, nowMs, ref budget);

    private int Add(ulong hash, ReadOnlySpan<byte> id, HoldHeader header, ReadOnlySpan<LineState> lines)
    {
        int slot = _slots.Add();
        _slots[slot].Record = Store(id, header, lines);
        _index.Add(hash, slot);
        return slot;
    }

    private uint Store(ReadOnlySpan<byte> id, HoldHeader header, ReadOnlySpan<LineState> lines)
    {
        Span<byte> bytes = _scratch;
        int length = HoldRecord.Write(bytes, id, header, _epochMs ??= header.CreatedAtMs, lines);
        uint record = arena.Allocate(length);
        bytes[..length].CopyTo(arena.At(record));
        return record;
    }

    private void Enqueue(int slot, HoldState state, long finishedAtMs)
    {
        ref HoldSlot hold = ref _slots[slot];
        hold.State = state;
        hold.TimeMs = finishedAtMs;
        hold.Next = -1;
        hold.Previous = -1;
        if (_newestFinished < 0)
        {
            _oldestFinished = slot;
        }
        else
        {
            _slots[_newestFinished].Next = slot;
        }

        _newestFinished = slot;
    }
}

/// <summary>Twenty bytes a hold: time and state in one word, and links.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Pack = 4)]
internal struct HoldSlot : IFreeLink
{
    private ulong _timeAndState;

    /// <summary>The hold's record in the arena.</summary>
    public uint Record;
    public int Next;
    public int Previous;

    /// <summary>Held: the deadline. Finished: when it ended. Unix milliseconds.</summary>
    public long TimeMs
    {
        readonly get => (long)(_timeAndState >> 8);
        set => _timeAndState = ((ulong)value << 8) | (_timeAndState & 0xFF);
    }

    public HoldState State
    {
        readonly get => (HoldState)(_timeAndState & 0xFF);
        set => _timeAndState = (_timeAndState & ~0xFFUL) | (byte)value;
    }

    int IFreeLink.NextFree
    {
        readonly get => Next;
        set => Next = value;
    }
}

/// <summary>A return that was booked: its id and what it brought back, a quantity a line.</summary>
internal sealed record KnownReturn(string Id, long[] Quantities);

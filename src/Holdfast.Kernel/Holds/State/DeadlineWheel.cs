using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>
/// Live holds by deadline: 32,768 buckets of 64 ms (35 minutes a turn), each a doubly linked list through the slots.
/// Linking and unlinking touch neighbours only. A deadline more than a turn ahead is passed over once a turn.
/// </summary>
/// <remarks>
/// A hierarchy of wheels would have to move a whole bucket down at once, and a flash sale puts a million holds into one
/// bucket: that is a pause. Here every step is one hold, and the walk can stop anywhere.
/// </remarks>
internal sealed class DeadlineWheel
{
    private const int TickShift = 6;
    private const int Buckets = 1 << 15;
    private const int NotBegun = -2;

    private readonly int[] _heads = NewHeads();

    // The walk: the tick whose bucket is being looked through, and the next hold in it.
    private long _tick = long.MinValue;
    private int _at = NotBegun;

    public void Link(ChunkedList<HoldSlot> slots, int slot)
    {
        ref HoldSlot hold = ref slots[slot];
        ref int head = ref _heads[Bucket(hold.TimeMs)];
        hold.Previous = -1;
        hold.Next = head;
        if (head >= 0)
        {
            slots[head].Previous = slot;
        }

        head = slot;
    }

    public void Unlink(ChunkedList<HoldSlot> slots, int slot)
    {
        ref HoldSlot hold = ref slots[slot];
        if (_at == slot)
        {
            _at = hold.Next;
        }

        if (hold.Previous >= 0)
        {
            slots[hold.Previous].Next = hold.Next;
        }
        else
        {
            _heads[Bucket(hold.TimeMs)] = hold.Next;
        }

        if (hold.Next >= 0)
        {
            slots[hold.Next].Previous = hold.Previous;
        }
    }

    /// <summary>
    /// The next hold that is past its deadline, or -1 when the buckets whose time has passed are done or the budget of
    /// holds to look at is used up. Up to 64 ms late; a hold that is touched is judged by its exact deadline anyway.
    /// </summary>
    public int NextDue(ChunkedList<HoldSlot> slots, long nowMs, ref int budget)
    {
        long end = nowMs >> TickShift;
        if (_tick < end - Buckets)
        {
            // After a start or a long sleep one turn over all buckets finds everything.
            _tick = end - Buckets;
            _at = NotBegun;
        }

        while (_tick < end)
        {
            if (_at == NotBegun)
            {
                _at = _heads[(int)(_tick & (Buckets - 1))];
            }

            while (_at >= 0)
            {
                if (budget-- <= 0)
                {
                    return -1;
                }

                int slot = _at;
                _at = slots[slot].Next;
                if (slots[slot].TimeMs <= nowMs)
                {
                    return slot;
                }
            }

            _tick++;
            _at = NotBegun;
        }

        return -1;
    }

    private static int Bucket(long deadlineMs) => (int)((deadlineMs >> TickShift) & (Buckets - 1));

    private static int[] NewHeads()
    {
        int[] heads = new int[Buckets];
        Array.Fill(heads, -1);
        return heads;
    }
}

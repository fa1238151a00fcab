namespace Holdfast.Engine;

/// <summary>
/// Many askers, one loop: a bounded ring of references. An asker claims its places with one compare-and-swap and fills
/// them; the loop takes what is filled, in order. A full queue refuses at once (E57: certainly not executed) and never
/// blocks. (A linked list through the requests costs the loop a cache miss for each before it knows the next.)
/// </summary>
internal sealed class RequestQueue
{
    private readonly Request?[] _ring;
    private readonly int _mask;
    private readonly int _capacity;
    private readonly int _publishEvery;
    private Positions _positions;

    // Set in the tail itself, so that no asker can claim a place after the queue was closed and drained.
    private const long Closed = 1L << 62;

    public RequestQueue(int capacity)
    {
        _capacity = capacity;
        _ring = new Request?[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity)];
        _mask = _ring.Length - 1;
        _publishEvery = Math.Clamp(capacity / 8, 1, 256);
    }

    /// <summary>Requests that the loop finds here now, those included that are claimed and not filled in yet. For the loop only.</summary>
    public int Arrived => (int)((Volatile.Read(ref _positions.Tail) & ~Closed) - _positions.Taken);

    /// <summary>Requests waiting, roughly; for anybody.</summary>
    public int Count => (int)((Volatile.Read(ref _positions.Tail) & ~Closed) - Volatile.Read(ref _positions.Head));

    /// <summary>Takes requests in, all or none; false when they don't fit or the queue is closed.</summary>
    public bool TryPush(ReadOnlySpan<Request> requests)
    {
        if (!TryClaim(requests.Length, out long at))
        {
            return false;
        }

        foreach (Request request in requests)
        {
            Volatile.Write(ref _ring[at++ & _mask], request);
        }

        Doorbell.Ring(at - 1);
        return true;
    }

    /// <summary>Takes one request in; false when the queue is full or closed.</summary>
    public bool TryPush(Request request)
    {
        if (!TryClaim(1, out long at))
        {
            return false;
        }

        Volatile.Write(ref _ring[at & _mask], request);
        Doorbell.Ring(at);
        return true;
    }

    /// <summary>Requests taken so far.</summary>
    public long Taken => _positions.Taken;

    /// <summary>The request that will be taken after <paramref name="ahead"/> others, if it is there already.</summary>
    public Request? Peek(int ahead) => Volatile.Read(ref _ring[(_positions.Taken + ahead) & _mask]);

    /// <summary>Takes the next request, or null when none is filled in. Its place is free for askers from the next <see cref="Publish"/> on, or a little earlier.</summary>
    public Request? Take()
    {
        ref Request? place = ref _ring[_positions.Taken & _mask];
        Request? request = Volatile.Read(ref place);
        if (request is not null)
        {
            place = null;
            if (++_positions.Taken - _positions.Head >= _publishEvery)
            {
                Publish();
            }
        }

        return request;
    }

    /// <summary>Lets askers have the places of all that was taken.</summary>
    public void Publish()
    {
        if (_positions.Head != _positions.Taken)
        {
            Volatile.Write(ref _positions.Head, _positions.Taken);
        }
    }

    /// <summary>Whether the queue was closed.</summary>
    public bool IsClosed => (Volatile.Read(ref _positions.Tail) & Closed) != 0;

    /// <summary>Rung at each arrival, with its number: how many were taken in before it.</summary>
    public Doorbell Doorbell { get; } = new();

    /// <summary>Waits until something arrives, somebody rings, or the time is up.</summary>
    public void Wait(int milliseconds) => Doorbell.Wait(() => Peek(0) is not null || IsClosed, milliseconds);

    /// <summary>Takes no more; what is queued can still be taken.</summary>
    public void Close()
    {
        Interlocked.Or(ref _positions.Tail, Closed);
        Doorbell.Ring();
    }

    /// <summary>Of a closed queue: takes the next request, waiting for one that is claimed but not filled in yet; null when it is empty for good.</summary>
    public Request? Drain()
    {
        var spin = default(SpinWait);
        while (Arrived > 0)
        {
            if (Take() is { } request)
            {
                return request;
            }

            spin.SpinOnce();
        }

        return null;
    }

    private bool TryClaim(int count, out long at)
    {
        long tail = Volatile.Read(ref _positions.Tail);
        while (true)
        {
            at = tail;
            if (tail + count - Volatile.Read(ref _positions.HeadSeen) > _capacity && !HasRoom(tail + count))
            {
                return false;
            }

            long before = Interlocked.CompareExchange(ref _positions.Tail, tail + count, tail);
            if (before == tail)
            {
                return true;
            }

            tail = before;
        }
    }

    /// <summary>Looks where the loop has really got to. What another asker saw earlier may overwrite it: it is only too cautious then.</summary>
    private bool HasRoom(long tail)
    {
        long head = Volatile.Read(ref _positions.Head);
        Volatile.Write(ref _positions.HeadSeen, head);
        return tail - head <= _capacity;
    }

    /// <summary>Both ends, far enough apart that the loop's writes don't take the askers' line from them.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 384)]
    private struct Positions
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        public long Head;

        // The loop's own position, which askers see in steps, as Head: each look of theirs takes the line from the loop's processor.
        [System.Runtime.InteropServices.FieldOffset(136)]
        public long Taken;

        [System.Runtime.InteropServices.FieldOffset(256)]
        public long Tail;

        // The askers' own memory of Head, beside what they write anyway.
        [System.Runtime.InteropServices.FieldOffset(264)]
        public long HeadSeen;
    }
}

namespace Holdfast.Engine;

/// <summary>
/// Many askers, one loop: a bounded stack that askers push onto with one compare-and-swap and the loop takes whole. A
/// full queue refuses at once (E57: certainly not executed) and never blocks.
/// </summary>
internal sealed class RequestQueue(int capacity)
{
    private readonly ManualResetEventSlim _arrived = new(false, 0);
    private Request? _newest;
    private int _count;
    private int _waiting;
    private volatile bool _closed;

    /// <summary>Requests waiting, roughly.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Pushes requests linked newest first (<paramref name="newest"/> … <paramref name="oldest"/>); false when full or closed.</summary>
    public bool TryPush(Request newest, Request oldest, int count)
    {
        if (_closed)
        {
            return false;
        }

        if (Interlocked.Add(ref _count, count) > capacity)
        {
            Interlocked.Add(ref _count, -count);
            return false;
        }

        Request? seen = Volatile.Read(ref _newest);
        while (true)
        {
            oldest.Next = seen;
            Request? before = Interlocked.CompareExchange(ref _newest, newest, seen);
            if (ReferenceEquals(before, seen))
            {
                break;
            }

            seen = before;
        }

        if (Volatile.Read(ref _waiting) != 0)
        {
            Wake();
        }

        return true;
    }

    /// <summary>Takes everything, oldest first.</summary>
    public Request? TakeAll(out int count)
    {
        count = 0;
        if (Volatile.Read(ref _newest) is null)
        {
            return null;
        }

        Request? request = Interlocked.Exchange(ref _newest, null);
        Request? oldestFirst = null;
        while (request is not null)
        {
            Request? next = request.Next;
            request.Next = oldestFirst;
            oldestFirst = request;
            request = next;
            count++;
        }

        Interlocked.Add(ref _count, -count);
        return oldestFirst;
    }

    /// <summary>Waits until something arrives, somebody wakes the loop, or the time is up.</summary>
    public void Wait(int milliseconds)
    {
        _arrived.Reset();

        // Announced first, looked second: an asker that pushed in between either is seen here or sees the flag.
        Interlocked.Exchange(ref _waiting, 1);
        if (Volatile.Read(ref _newest) is null && !_closed)
        {
            _arrived.Wait(milliseconds);
        }

        Volatile.Write(ref _waiting, 0);
    }

    /// <summary>Wakes the loop.</summary>
    public void Wake()
    {
        if (Interlocked.Exchange(ref _waiting, 0) != 0)
        {
            _arrived.Set();
        }
    }

    /// <summary>Takes no more; what is queued can still be taken.</summary>
    public void Close()
    {
        _closed = true;
        _arrived.Set();
    }
}

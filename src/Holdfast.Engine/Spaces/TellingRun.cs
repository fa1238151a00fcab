namespace Holdfast.Engine;

/// <summary>
/// Some of a batch's askers, told one after another by one pool thread, and what they ask next meanwhile, gathered so that it
/// is taken into the queue together: one compare-and-swap and one fence instead of one each, and the processor need
/// not wait for its writes to reach the other processor's cache before each of them.
/// </summary>
/// <remarks>
/// Askers are strangers' code: it may block, even for the answer to what it has just asked. Then the loop steals the run (see
/// <see cref="Teller.Rescue"/>): those not told yet, and the rest of the batch, go to another thread, what was gathered goes into the queue.
/// <para>
/// The thread of a run takes no lock and makes no fence for that. Step by step it first writes what it is about to do
/// (<c>_span</c>, <c>_gatheredCount</c>), then reads <c>_stolen</c>. The thief first writes <c>_stolen</c>, then has every
/// processor of this process pass a barrier, then reads. So for each step either the thief sees it, or the step sees the theft.
/// Who sees a theft goes to <see cref="Divide"/>, where the first to come settles, under a lock, what had been begun by
/// then; from there on nothing is left to the run but what it had begun.
/// </para>
/// </remarks>
internal sealed class TellingRun(Teller teller, Fan fan, Request[] requests)
{
    /// <summary>Most askers of a run, and most requests that it gathers.</summary>
    public const int Max = 16;

    [ThreadStatic]
    private static TellingRun? _current;

    private readonly Request[] _gathered = new Request[Max];
    private readonly Lock _division = new();

    // The index of the last asker begun (upper half) and the end of the part (lower half): read by the thief in one.
    private long _span = Span(-1, 0);
    private int _gatheredCount;
    private bool _stolen;

    // Of the run's own thread: it knows of the theft.
    private bool _over;

    // Set by Divide.
    private bool _divided;
    private long _spanAtDivision;
    private int _gatheredAtDivision;

    /// <summary>The run whose thread this is and which gathers, or null.</summary>
    public static TellingRun? Current => _current;

    /// <summary>Whose run it is.</summary>
    public Teller Teller => teller;

    /// <summary>When its present part was begun, as a timestamp of the teller's.</summary>
    public long BeganAt { get; private set; } = teller.Timestamp();

    /// <summary>Tells the askers from <paramref name="first"/> to before <paramref name="end"/>; false when the run was stolen: it is not to be used again.</summary>
    public bool Tell(int first, int end)
    {
        BeganAt = teller.Timestamp();
        Volatile.Write(ref _span, Span(first - 1, end));
        if (Volatile.Read(ref _stolen))
        {
            Divide();
            if (_spanAtDivision != Span(first - 1, end))
            {
                // The thief looked before this part was written.
                teller.TellByPool(requests[first..end]);
            }

            return false;
        }

        _current = this;
        for (int i = first; i < end && !_over; i++)
        {
            FetchAhead(i);
            Volatile.Write(ref _span, Span(i, end));
            if (Volatile.Read(ref _stolen) && !MayBegin(i))
            {
                break;
            }

            requests[i].Complete();
        }

        _current = null;
        return !_over && TakeInGathered();
    }

    /// <summary>Keeps a request that this thread asks, to take it in with others; false when it has to be taken in at once.</summary>
    public bool TryGather(Request request)
    {
        int place = _gatheredCount;
        if (_over || place == Max)
        {
            return false;
        }

        _gathered[place] = request;
        Volatile.Write(ref _gatheredCount, place + 1);
        if (!Volatile.Read(ref _stolen))
        {
            return true;
        }

        Divide();
        _over = true;
        return place < _gatheredAtDivision; // then it is in the queue
    }

    /// <summary>Says that the run is being stolen. A barrier on all processors must follow, then <see cref="Divide"/>.</summary>
    public void AnnounceTheft() => Volatile.Write(ref _stolen, true);

    /// <summary>Once: passes on what has not been begun, and what has been gathered. By the thief or by the run's thread, whoever is first.</summary>
    public void Divide()
    {
        lock (_division)
        {
            if (_divided)
            {
                return;
            }

            _divided = true;
            _spanAtDivision = Volatile.Read(ref _span);
            _gatheredAtDivision = Volatile.Read(ref _gatheredCount);
            teller.TellByPool(requests[(Begun(_spanAtDivision) + 1)..(int)_spanAtDivision]);
            teller.TakeIn(_gathered.AsSpan(0, _gatheredAtDivision));
            fan.GetHelp();
        }
    }

    private bool MayBegin(int asker)
    {
        Divide();
        _over = true;
        return asker <= Begun(_spanAtDivision);
    }

    private bool TakeInGathered()
    {
        int count = _gatheredCount;
        Volatile.Write(ref _gatheredCount, 0);
        if (Volatile.Read(ref _stolen))
        {
            Divide();
            _over = true;
            if (_gatheredAtDivision > 0)
            {
                return false; // the thief looked before, and has taken them
            }
        }

        teller.TakeIn(_gathered.AsSpan(0, count));
        Array.Clear(_gathered, 0, count);
        return !_over;
    }

    /// <summary>The loop, on another processor, wrote the answers, and read the commands that are filled anew next.</summary>
    private void FetchAhead(int asker)
    {
        const int requestAhead = 6, requestLines = 3, commandAhead = 3;
        if (!ProcessorCache.IsSupported)
        {
            return;
        }

        if (asker + requestAhead < requests.Length)
        {
            ProcessorCache.Fetch(requests[asker + requestAhead], requestLines);
        }

        if (asker + commandAhead < requests.Length)
        {
            ProcessorCache.Fetch(requests[asker + commandAhead].Command, ProcessorCache.CommandLines);
        }
    }

    private static long Span(int begun, int end) => ((long)begun << 32) | (uint)end;

    private static int Begun(long span) => (int)(span >> 32);
}

using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>Tells a space's askers that their answers are there, and takes in what they ask next.</summary>
/// <param name="queue">Where what they ask is taken in.</param>
/// <param name="time">Measures how long strangers' code has run, and nothing else: no answer and no event depends on it. It must not
/// stand still while that code runs.</param>
internal sealed class Teller(RequestQueue queue, TimeProvider time)
{
    /// <summary>How long a run may be held up before the loop takes over what it has.</summary>
    public const int PatienceMilliseconds = 1;

    private const int FansOneByOne = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(PatienceMilliseconds);

    private readonly List<TellingRun> _active = [];
    private int _activeCount;
    private int _fansOneByOne;
    private bool _ended;

    /// <summary>What a request is answered that a full queue doesn't take.</summary>
    public static Answer QueueFull => Answer.Refused(Code.Overloaded, "the queue is full: not executed, try again later");

    /// <summary>What a request is answered that the queue doesn't take, for whatever reason.</summary>
    public Func<Answer> NotTaken { get; init; } = static () => QueueFull;

    /// <summary>Where what is answered <c>unavailable</c> is counted.</summary>
    public SpaceMetrics Metrics { get; init; } = new();

    /// <summary>Whether strangers' code runs right now whose requests may be waiting in a run: see <see cref="Rescue"/>.</summary>
    public bool IsTelling => Volatile.Read(ref _activeCount) > 0;

    /// <summary>Whether this thread is in a run of this space's that takes the request in later, with others.</summary>
    public bool TryGather(Request request) =>
        TellingRun.Current is { } run && ReferenceEquals(run.Teller, this) && !Volatile.Read(ref _ended) && run.TryGather(request);

    /// <summary>
    /// Our own connections are told right here. Awaiting strangers go to the pool: their continuations may block, and
    /// must hold up neither the journal nor, for long, another's answer.
    /// </summary>
    public void Tell(RequestBatch own, RequestBatch awaited)
    {
        if (awaited.Count > 0)
        {
            TellByPool(awaited.Span.ToArray());
        }

        ReadOnlySpan<Request> requests = own.Span;
        for (int i = 0; i < requests.Length;)
        {
            // Neighbours of one group are counted off together.
            RequestGroup? group = requests[i].Group;
            if (group is null)
            {
                requests[i++].Complete();
                continue;
            }

            int first = i;
            while (i < requests.Length && ReferenceEquals(requests[i].Group, group))
            {
                i++;
            }

            group.CompleteSome(i - first);
        }
    }

    /// <summary>Tells one asker.</summary>
    public void Tell(Request request)
    {
        if (request.Group is { } group)
        {
            group.CompleteSome(1);
        }
        else if (request.CompletesInline)
        {
            request.Complete();
        }
        else
        {
            TellByPool([request]);
        }
    }

    /// <summary>Answers every request <c>unavailable</c>.</summary>
    public void Refuse(RequestBatch own, RequestBatch awaited, string why)
    {
        foreach (Request request in own.Span)
        {
            request.Answer = Answer.Refused(Code.Unavailable, why);
        }

        foreach (Request request in awaited.Span)
        {
            request.Answer = Answer.Refused(Code.Unavailable, why);
        }

        Metrics.Unavailable(own.Count + awaited.Count);
        Tell(own, awaited);
    }

    /// <summary>Answers one request <c>unavailable</c>.</summary>
    public void Refuse(Request request, string why)
    {
        request.Answer = Answer.Refused(Code.Unavailable, why);
        Metrics.Unavailable(1);
        Tell(request);
    }

    /// <summary>
    /// Where strangers' code has held a run up for too long, takes from it what it has not told yet, for another pool thread, and
    /// what it has gathered, for the queue. The loop calls this at least once in <see cref="PatienceMilliseconds"/> while
    /// <see cref="IsTelling"/>.
    /// </summary>
    public void Rescue()
    {
        if (!IsTelling)
        {
            return;
        }

        List<TellingRun>? late = null;
        lock (_active)
        {
            foreach (TellingRun run in _active)
            {
                if (Elapsed(run.BeganAt) >= Patience)
                {
                    (late ??= []).Add(run);
                }
            }
        }

        if (late is null)
        {
            return;
        }

        foreach (TellingRun run in late)
        {
            run.AnnounceTheft();
        }

        // The half of the fence that TellingRun leaves out.
        Interlocked.MemoryBarrierProcessWide();
        foreach (TellingRun run in late)
        {
            run.Divide();
            Remove(run);
        }
    }

    /// <summary>For when nobody will call <see cref="Rescue"/> any more: ends gathering, and returns when no run has anything left that waits for it.</summary>
    public void EndRuns()
    {
        Volatile.Write(ref _ended, true);
        while (true)
        {
            Rescue();
            lock (_active)
            {
                if (_active.Count == 0)
                {
                    return;
                }

                Monitor.Wait(_active, PatienceMilliseconds);
            }
        }
    }

    /// <summary>Puts gathered requests into the queue. What doesn't fit is answered so: certainly not executed (E57).</summary>
    internal void TakeIn(ReadOnlySpan<Request> gathered)
    {
        if (gathered.IsEmpty || queue.TryPush(gathered))
        {
            return;
        }

        foreach (Request request in gathered)
        {
            if (!queue.TryPush(request))
            {
                request.Answer = NotTaken();
                TellByPool([request]);
            }
        }
    }

    internal long Timestamp() => time.GetTimestamp();

    internal TimeSpan Elapsed(long since) => time.GetElapsedTime(since);

    internal void Add(TellingRun run)
    {
        lock (_active)
        {
            _active.Add(run);
            Volatile.Write(ref _activeCount, _active.Count);
        }
    }

    /// <summary>Ends a run's registration; does nothing when it was rescued meanwhile.</summary>
    internal void Remove(TellingRun run)
    {
        lock (_active)
        {
            _active.Remove(run);
            Volatile.Write(ref _activeCount, _active.Count);
            Monitor.PulseAll(_active);
        }
    }

    /// <summary>Has pool threads tell them.</summary>
    internal void TellByPool(Request[] requests)
    {
        if (requests.Length > 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Fan(this, requests), preferLocal: false);
        }
    }

    /// <summary>Whether strangers' code is worth runs: not for a while after it held one up.</summary>
    internal bool AskersAreQuick() => Volatile.Read(ref _fansOneByOne) <= 0 || Interlocked.Decrement(ref _fansOneByOne) < 0;

    /// <summary>A run took long: the next fans tell one by one.</summary>
    internal void AskersAreSlow() => Volatile.Write(ref _fansOneByOne, FansOneByOne);
}

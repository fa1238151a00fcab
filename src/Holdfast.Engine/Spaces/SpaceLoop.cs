using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// One turn after another: expire, take what arrived, decide each on its own merits, begin to write the batch; while the
/// journal has no room for another, the next batch stays open. Runs on the space's thread until the space stops or the
/// journal fails; passive otherwise.
/// </summary>
internal sealed class SpaceLoop(LoadedSpace loaded, JournalPipeline writer, RequestQueue queue, Teller teller, SpaceOptions options, TimeProvider time, SpaceMetrics metrics, bool makesCalls = false, bool makesPaymentCalls = false)
{
    private const int TickMilliseconds = 32;
    private const int IdleMilliseconds = 1000;
    private const int GatherMilliseconds = Teller.PatienceMilliseconds;
    private const int GatherMax = 128; // requests
    private const int CallsMax = 4096; // of one batch

    // Requests are fetched into the cache by the group: see FetchAhead.
    private const int FetchGroup = 16;
    private const int RequestLines = 2; // up to the answer's end

    private readonly SpaceMachine _machine = loaded.Machine;
    private readonly RequestBatch _ownAtOnce = new();
    private readonly RequestBatch _awaitedAtOnce = new();
    private long _sequence = loaded.Tail.Sequence;
    private bool _moreDue = true;
    private Batch _batch = writer.Rent();
    private int _enough = 1;
    private long _requestsFetched;
    private long _commandsFetched;
    private long _lookupsFetched;
    private Func<bool>? _hasWork; // made once: the loop sleeps between most batches

    /// <summary>Expires all that fell due while nobody served (E21): before the first answer.</summary>
    public void ExpireOverdue()
    {
        while (_moreDue && writer.Failure is null)
        {
            writer.Drain();
            Begin();
            HandOver();
        }

        writer.Drain();
    }

    /// <summary>Serves until <paramref name="stopping"/> (what is queued is still decided) or a failure of the journal.</summary>
    public void Serve(CancellationToken stopping)
    {
        while (writer.Failure is null && !(stopping.IsCancellationRequested && queue.Arrived == 0 && !_batch.IsBegun))
        {
            Turn(mayWait: true);
        }

        if (writer.Failure is not null)
        {
            Abandon("what it builds on could not be written: ask again with the same id");
        }
    }

    /// <summary>
    /// One turn: decides what arrived into the open batch, and hands the batch over if the journal has room. While it has
    /// none, the batch stays open for what arrives. Without waiting a turn is deterministic: the simulator calls it so.
    /// </summary>
    public void Turn(bool mayWait)
    {
        teller.Rescue();
        if (mayWait)
        {
            WaitForWork();
        }

        if (_batch.IsEmpty)
        {
            Begin();
        }

        Decide();
        TakeDueCalls();
        HandOverIfWanted();

        // Only now, so that what was just written is synced while these answers are sent.
        writer.FinishHere();
        if (_ownAtOnce.Count + _awaitedAtOnce.Count > 0)
        {
            teller.Tell(_ownAtOnce, _awaitedAtOnce);
            _ownAtOnce.Clear();
            _awaitedAtOnce.Clear();
        }
    }

    // A queue that was made small bounds the open batch too: what the journal doesn't take must end in "overloaded" (E57).
    private int BatchMax => Math.Min(options.MaxBatchCommands, options.QueueCapacity);

    private long NextDueMs => Math.Min(
        _machine.NextDeadlineMs,
        Math.Min(makesCalls ? _machine.NextCallMs : long.MaxValue, makesPaymentCalls ? _machine.NextPaymentCallMs : long.MaxValue));

    private void Begin()
    {
        _batch.Begin(Now());
        _machine.Settled = _batch.Settled;
        _machine.NewlyStuck = _batch.NewlyStuck;
        _machine.Alerts = _batch.Alerts;
        _moreDue = _machine.Tidy(_batch.TimeMs, _batch.Events);
    }

    private bool HasWork() => writer.Failure is not null || writer.HasEnded
        || (queue.Arrived >= _enough && queue.Peek(0) is not null && _batch.Requests < BatchMax)
        || (_batch.IsBegun ? writer.Wants(_batch.Requests) : _moreDue || queue.IsClosed || NextDueMs <= Now());

    /// <summary>Returns when there is something to decide or to hand over, or when holds may have fallen due.</summary>
    private void WaitForWork()
    {
        _enough = Enough();
        if (HasWork())
        {
            queue.Doorbell.Look();
        }
        else
        {
            queue.Doorbell.Wait(_hasWork ??= HasWork, WaitMilliseconds(), queue.Taken + _enough - 1);
        }

        // First what the journal may have been waiting for: what has come from sockets takes its time.
        if (!_batch.IsEmpty)
        {
            HandOverIfWanted();
        }

        queue.Doorbell.Guest?.Handle();
    }

    /// <summary>
    /// How many requests are worth a turn. While the journal is busy nothing is won by deciding each as it comes: the loop would be
    /// woken for it, and asker and loop would take the same cache lines from each other. So it lets a quarter of a
    /// batch gather, for a millisecond at most.
    /// </summary>
    private int Enough()
    {
        int inFlight = writer.RequestsInFlight;
        return writer.Wants(0) ? 1 : Math.Clamp(inFlight / 4, 1, GatherMax);
    }

    private int WaitMilliseconds()
    {
        if (_enough > 1 || teller.IsTelling)
        {
            return GatherMilliseconds;
        }

        if (_batch.IsBegun)
        {
            return IdleMilliseconds; // the journal rings when it has room
        }

        int idle = _machine.KnownHolds == 0 ? IdleMilliseconds : TickMilliseconds;
        long due = NextDueMs;
        return due == long.MaxValue ? idle : (int)Math.Clamp(due - Now(), 1, idle);
    }

    /// <summary>Calls of transactions that are due go with the open batch: what demands them is durable when it is.</summary>
    private void TakeDueCalls()
    {
        while (makesCalls && _batch.Calls.Count < CallsMax && _machine.TakeDueCall(_batch.TimeMs) is { } call)
        {
            _batch.Calls.Add(call);
        }

        while (makesPaymentCalls && _batch.PaymentCalls.Count < CallsMax && _machine.TakeDuePaymentCall(_batch.TimeMs) is { } call)
        {
            _batch.PaymentCalls.Add(call);
        }
    }

    private void Decide()
    {
        // Only what has arrived by now: a turn must end, however fast more arrives.
        int arrived = Math.Min(queue.Arrived, BatchMax - _batch.Requests);
        int half = HalfOfAll(arrived);
        for (int i = 0; i < arrived; i++)
        {
            if (_batch.Requests >= half && writer.HasRoom)
            {
                HandOver();
                Begin();
            }

            if (i % FetchGroup == 0)
            {
                FetchAhead();
            }

            Request? request = queue.Take();
            if (request is null)
            {
                break; // claimed, but not filled in yet
            }

            Answer answer;
            try
            {
                answer = _machine.Decide(request.Command, _batch.TimeMs, _batch.Events);
            }
            catch (Exception)
            {
                // A bug met by this command: its batch dies with it (the machine may be half changed), the rest goes on after a replay.
                _batch.Add(request);
                Abandon("the command met a defect: its batch was not executed");
                throw;
            }

            request.SetAnswer(in answer);
            metrics.Answered(answer.Code);
            if (answer.MustBeDurable)
            {
                _batch.Add(request);
            }
            else
            {
                (request.CompletesInline ? _ownAtOnce : _awaitedAtOnce).Add(request);
            }
        }

        queue.Publish();
    }

    /// <summary>
    /// How many requests a batch takes before it is handed over although more have arrived. When the disk was slow once, all
    /// askers wait for one batch, are told together and ask again together: from then on either they, or the loop, or the
    /// disk works, and the others wait. In two halves one is decided while the other is written.
    /// </summary>
    private int HalfOfAll(int arrived) => Math.Max(JournalPipeline.SmallBatch, (arrived + _batch.Requests + writer.RequestsInFlight + 1) / 2);

    /// <summary>
    /// Starts the cache misses of the next requests, a group at a time: their own memory, which another processor wrote, three
    /// groups ahead; their commands, two ahead; and what they will look up, one ahead. Each is a short loop in which the
    /// processor has many misses underway at once. (One request at a time, it waited for the translation of each address
    /// in turn: a third of all the time spent deciding.)
    /// </summary>
    private void FetchAhead()
    {
        if (!ProcessorCache.IsSupported)
        {
            return;
        }

        long next = queue.Taken;
        long end = next + Math.Min(queue.Arrived, 4 * FetchGroup);
        for (_requestsFetched = Math.Max(_requestsFetched, next); _requestsFetched < end; _requestsFetched++)
        {
            if (queue.Peek((int)(_requestsFetched - next)) is not { } request)
            {
                break; // claimed, but not filled in yet
            }

            ProcessorCache.Fetch(request, RequestLines);
        }

        end = Math.Min(_requestsFetched, next + (3 * FetchGroup));
        for (_commandsFetched = Math.Max(_commandsFetched, next); _commandsFetched < end; _commandsFetched++)
        {
            ProcessorCache.Fetch(queue.Peek((int)(_commandsFetched - next))!.Command, ProcessorCache.CommandLines);
        }

        end = Math.Min(_commandsFetched, next + (2 * FetchGroup));
        for (_lookupsFetched = Math.Max(_lookupsFetched, next); _lookupsFetched < end; _lookupsFetched++)
        {
            _machine.Prefetch(queue.Peek((int)(_lookupsFetched - next))!.Command);
        }
    }

    private void Abandon(string why)
    {
        teller.Refuse(_batch.Own, _batch.Awaited, why);
        teller.Refuse(_ownAtOnce, _awaitedAtOnce, why);
    }

    private void HandOverIfWanted()
    {
        writer.SettleHere();
        if (writer.Wants(_batch.Requests))
        {
            HandOver();
        }
    }

    private void HandOver()
    {
        Batch batch = _batch;
        if (batch.IsEmpty || (batch.Events.Count == 0 && writer.AllIsDurable))
        {
            // What these answers saw, if there are any, is durable already.
            writer.Release(batch);
            batch.Clear();
            return;
        }

        if (batch.Events.Count > 0)
        {
            batch.Sequence = ++_sequence;
            batch.Digest = _machine.Digest;
        }

        _batch = writer.Rent();
        writer.Write(batch);
    }

    /// <summary>Never before the last batch, whatever the clock does (E19).</summary>
    private long Now() => Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _machine.LastTimeMs);
}

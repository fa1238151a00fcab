using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// One turn after another: take what arrived, expire, decide each on its own merits, hand the batch to the journal's
/// thread. Runs on the space's thread until the space stops or the journal fails; passive otherwise.
/// </summary>
internal sealed class SpaceLoop(LoadedSpace loaded, JournalPipeline writer, RequestQueue queue, SpaceOptions options, TimeProvider time, SpaceMetrics metrics)
{
    private const int TickMilliseconds = 32;

    // How far ahead of deciding a request's own memory, and then what it will look up, is fetched.
    private const int FetchRequestAhead = 8;
    private const int FetchCommandAhead = 6;
    private const int FetchLookupsAhead = 3;

    private readonly HoldMachine _machine = loaded.Machine;
    private readonly RequestBatch _ownAtOnce = new();
    private readonly RequestBatch _awaitedAtOnce = new();
    private long _sequence = loaded.Tail.Sequence;
    private bool _moreDue = true;

    /// <summary>Expires all that fell due while nobody served (E21): before the first answer.</summary>
    public void ExpireOverdue()
    {
        while (_moreDue && writer.Failure is null)
        {
            Batch batch = writer.Rent();
            batch.TimeMs = Now();
            _moreDue = _machine.Tidy(batch.TimeMs, batch.Events);
            HandOver(batch);
        }
    }

    /// <summary>Serves until <paramref name="stopping"/> (what is queued is still decided) or a failure of the journal.</summary>
    public void Serve(CancellationToken stopping)
    {
        while (writer.Failure is null && !(stopping.IsCancellationRequested && queue.Count == 0))
        {
            Turn(mayWait: !stopping.IsCancellationRequested);
        }
    }

    /// <summary>One turn. Without waiting it is deterministic: the simulator calls it so.</summary>
    public void Turn(bool mayWait)
    {
        // The batch first, the queue second: while all batches are underway, requests gather.
        Batch batch = writer.Rent();
        if (mayWait && !_moreDue && queue.Peek(0) is null)
        {
            queue.Wait(_machine.KnownHolds > 0 ? TickMilliseconds : 1000);
        }

        batch.TimeMs = Now();
        _moreDue = _machine.Tidy(batch.TimeMs, batch.Events);
        Decide(batch);
        HandOver(batch);
        if (_ownAtOnce.Count + _awaitedAtOnce.Count > 0)
        {
            Completion.Tell(_ownAtOnce, _awaitedAtOnce);
            _ownAtOnce.Clear();
            _awaitedAtOnce.Clear();
        }
    }

    private void Decide(Batch batch)
    {
        // Only what has arrived by now: a turn must end, however fast more arrives.
        int arrived = Math.Min(queue.Count, options.MaxBatchCommands);
        for (int i = 0; i < arrived; i++)
        {
            FetchAhead();
            Request? request = queue.Take();
            if (request is null)
            {
                return; // claimed, but not filled in yet
            }

            try
            {
                request.Answer = _machine.Decide(request.Command, batch.TimeMs, batch.Events);
            }
            catch (Exception)
            {
                // A bug met by this command: its batch dies with it (the machine may be half changed), the rest goes on after a replay.
                batch.Add(request);
                Abandon(batch);
                throw;
            }

            metrics.Answered(request.Answer.Code);
            if (request.Answer.MustBeDurable)
            {
                batch.Add(request);
            }
            else
            {
                (request.CompletesInline ? _ownAtOnce : _awaitedAtOnce).Add(request);
            }
        }
    }

    /// <summary>Starts the cache misses of the next requests, so that they overlap with deciding this one.</summary>
    private unsafe void FetchAhead()
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        if (queue.Peek(FetchRequestAhead) is { } far)
        {
            Sse.Prefetch0(*(void**)Unsafe.AsPointer(ref far));
        }

        if (queue.Peek(FetchCommandAhead) is { } near)
        {
            Command command = near.Command;
            byte* at = *(byte**)Unsafe.AsPointer(ref command);
            Sse.Prefetch0(at);
            Sse.Prefetch0(at + 64);
            Sse.Prefetch0(at + 128);
            Sse.Prefetch0(at + 192);
        }

        if (queue.Peek(FetchLookupsAhead) is { } next)
        {
            _machine.Prefetch(next.Command);
        }
    }

    private void Abandon(Batch batch)
    {
        const string why = "the command met a defect: its batch was not executed";
        Completion.Refuse(batch.Own, batch.Awaited, Code.Unavailable, why);
        Completion.Refuse(_ownAtOnce, _awaitedAtOnce, Code.Unavailable, why);
        writer.Return(batch);
    }

    private void HandOver(Batch batch)
    {
        if (batch.Events.Count > 0)
        {
            batch.Sequence = ++_sequence;
            batch.Digest = _machine.Digest;
            writer.Write(batch);
        }
        else if (batch.IsEmpty)
        {
            writer.Return(batch);
        }
        else if (writer.AllIsDurable)
        {
            // What these answers saw is durable already.
            Completion.Tell(batch.Own, batch.Awaited);
            writer.Return(batch);
        }
        else
        {
            writer.Write(batch);
        }
    }

    /// <summary>Never before the last batch, whatever the clock does (E19).</summary>
    private long Now() => Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _machine.LastTimeMs);
}

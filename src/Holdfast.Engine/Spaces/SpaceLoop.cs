using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// One turn after another: take what arrived, expire, decide each on its own merits, hand the batch to the journal's
/// thread. Runs on the space's thread until the space stops or the journal fails.
/// </summary>
internal sealed class SpaceLoop(LoadedSpace loaded, JournalWriter writer, RequestQueue queue, SpaceOptions options, TimeProvider time, SpaceMetrics metrics)
{
    private const int TickMilliseconds = 32;

    private readonly HoldMachine _machine = loaded.Machine;
    private long _sequence = loaded.Tail.Sequence;
    private Request? _pending;
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

    /// <summary>Serves until <paramref name="stopping"/> or a failure of the journal; returns requests taken but not decided.</summary>
    public Request? Serve(CancellationToken stopping)
    {
        // Stopping closes the queue; what is in it is still decided.
        while (writer.Failure is null && !(stopping.IsCancellationRequested && _pending is null && queue.Count == 0))
        {
            Turn(stopping);
        }

        return _pending;
    }

    private void Turn(CancellationToken stopping)
    {
        // The batch first, the queue second: while all batches are underway, requests gather.
        Batch batch = writer.Rent();
        _pending ??= queue.TakeAll(out _);
        if (_pending is null && !_moreDue && !stopping.IsCancellationRequested)
        {
            queue.Wait(_machine.KnownHolds > 0 ? TickMilliseconds : 1000);
            _pending = queue.TakeAll(out _);
        }

        batch.TimeMs = Now();
        _moreDue = _machine.Tidy(batch.TimeMs, batch.Events);
        RequestList atOnce = default;
        for (int i = 0; i < options.MaxBatchCommands && _pending is { } request; i++)
        {
            _pending = request.Next;
            try
            {
                request.Answer = _machine.Decide(request.Command, batch.TimeMs, batch.Events);
            }
            catch (Exception)
            {
                // A bug met by this command: its batch dies with it (the machine may be half changed), the rest goes on after a replay.
                request.Next = null;
                batch.Durable.Add(request);
                Completion.TellAll(batch.Durable.TakeAll(), Code.Unavailable, "the command met a defect: its batch was not executed");
                Completion.TellAll(atOnce, Code.Unavailable, "the command met a defect: its batch was not executed");
                writer.Return(batch);
                throw;
            }

            metrics.Answered(request.Answer.Code);
            if (request.Answer.MustBeDurable)
            {
                batch.Durable.Add(request);
            }
            else
            {
                atOnce.Add(request);
            }
        }

        HandOver(batch);
        Completion.Tell(atOnce);
    }

    private void HandOver(Batch batch)
    {
        if (batch.Events.Count > 0)
        {
            batch.Sequence = ++_sequence;
            batch.Digest = _machine.Digest;
            writer.Write(batch);
        }
        else if (batch.Durable.Count == 0)
        {
            writer.Return(batch);
        }
        else if (writer.AllIsDurable)
        {
            // What these answers saw is durable already.
            RequestList askers = batch.Durable.TakeAll();
            writer.Return(batch);
            Completion.Tell(askers);
        }
        else
        {
            writer.Write(batch);
        }
    }

    /// <summary>Never before the last batch, whatever the clock does (E19).</summary>
    private long Now() => Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _machine.LastTimeMs);
}

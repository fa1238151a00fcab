using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>Rebuilds a machine from the newest snapshot and the frames behind it, verifying the chain on the way.</summary>
internal sealed partial class SpaceLoader(string space, IJournal journal, SpaceOptions options, NameHasher hasher, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(2);

    /// <summary>Opens the journal and replays it to its end.</summary>
    public async Task<LoadedSpace> LoadAsync(CancellationToken cancellationToken)
    {
        JournalTail tail = await journal.OpenAsync(cancellationToken);
        if (tail.TornRecordsDropped > 0)
        {
            TornRecordDropped(logger, space, tail.Sequence + 1);
        }

        (SpaceMachine machine, long events) = await ReplayAsync(tail.Sequence, tail.FirstSequence, cancellationToken);
        return new LoadedSpace(machine, tail, events);
    }

    /// <summary>A machine as it was right after <paramref name="throughSequence"/>, and how many events were replayed.</summary>
    public async Task<(SpaceMachine Machine, long Events)> ReplayAsync(long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        (SpaceMachine machine, long at) = await ReadSnapshotAsync(throughSequence, firstSequence, cancellationToken);
        try
        {
            return (machine, await ReplayAsync(machine, at, throughSequence, firstSequence, cancellationToken));
        }
        catch
        {
            machine.Dispose(); // not left to the collector: storage that fails is tried again every second
            throw;
        }
    }

    private async Task<long> ReplayAsync(SpaceMachine machine, long at, long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        if (at + 1 < firstSequence)
        {
            throw new JournalCorruptException(at + 1, $"The journal of space {space} begins at {firstSequence}, and no snapshot reaches up to there.");
        }

        long events = 0;
        if (at == throughSequence)
        {
            return events;
        }

        // The frame that the snapshot was taken after is read again where it still exists: the chain must hang on it.
        long from = Math.Max(Math.Max(at, 1), firstSequence);
        var chain = new ChainVerifier(from);
        long progressAt = time.GetTimestamp();
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(from, cancellationToken))
        {
            FrameView frame = chain.Next(bytes);
            if (frame.Sequence > at)
            {
                Evolve(machine, frame);
                events += frame.Count;
            }

            if (time.GetElapsedTime(progressAt) > ProgressEvery)
            {
                progressAt = time.GetTimestamp();
                Replaying(logger, space, frame.Sequence, throughSequence, events);
            }

            if (frame.Sequence == throughSequence)
            {
                break;
            }
        }

        return chain.LastSequence == throughSequence
            ? events
            : throw new JournalCorruptException(chain.LastSequence + 1, $"The journal of space {space} should reach {throughSequence} but ends at {chain.LastSequence}.");
    }

    /// <summary>
    /// The newest snapshot's machine, or an empty one where there is none. A damaged snapshot is no loss while every frame
    /// is there: then all are replayed, which only takes longer. Once frames were trimmed it stops the space: an older
    /// state is never taken silently. An operator who removes the damaged one starts from the one before, whose frames are kept.
    /// </summary>
    private async Task<(SpaceMachine Machine, long At)> ReadSnapshotAsync(long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        await using JournalSnapshot? snapshot = await OpenSnapshotAsync(firstSequence, cancellationToken);
        if (snapshot is null || snapshot.Sequence > throughSequence)
        {
            return (new SpaceMachine(options.Holds, hasher, options.Transactions, options.Checkouts), 0);
        }

        SpaceMachine? machine = null;
        try
        {
            machine = SpaceMachine.ReadSnapshot(snapshot.Content, options.Holds, hasher, options.Transactions, options.Checkouts);

            // To the end, so that the stream checks its hash.
            await snapshot.Content.CopyToAsync(Stream.Null, cancellationToken);
            return (machine, snapshot.Sequence);
        }
        catch (Exception e)
        {
            machine?.Dispose();
            if (e is OperationCanceledException or JournalException or OutOfMemoryException)
            {
                throw;
            }

            AcceptDamage(snapshot.Sequence, firstSequence, e);
            return (new SpaceMachine(options.Holds, hasher, options.Transactions, options.Checkouts), 0);
        }
    }

    private async Task<JournalSnapshot?> OpenSnapshotAsync(long firstSequence, CancellationToken cancellationToken)
    {
        try
        {
            return await journal.OpenSnapshotAsync(cancellationToken);
        }
        catch (JournalCorruptException e)
        {
            AcceptDamage(e.Sequence, firstSequence, e);
            return null;
        }
    }

    private void AcceptDamage(long sequence, long firstSequence, Exception damage)
    {
        if (firstSequence > 1)
        {
            throw new JournalCorruptException(
                sequence,
                $"The snapshot of {sequence} of space {space} is damaged ({damage.Message}), and the journal's frames begin at {firstSequence}. " +
                "Put it back from a backup; or remove it, and the space starts from the snapshot before it, whose frames are all kept.",
                damage);
        }

        SnapshotDamaged(logger, space, sequence, damage.Message);
    }

    private static void Evolve(SpaceMachine machine, FrameView frame)
    {
        try
        {
            machine.Evolve(frame.Payload.Span, frame.Count, frame.TimeMs);
        }
        catch (Exception e) when (e is InvalidDataException or IndexOutOfRangeException or ArgumentOutOfRangeException or InvalidOperationException)
        {
            throw new JournalCorruptException(frame.Sequence, $"The events of frame {frame.Sequence} don't fit the state before them: {e.Message}", e);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Space {Space}: frame {Sequence} was torn and is dropped; it was never acknowledged.")]
    private static partial void TornRecordDropped(ILogger logger, string space, long sequence);

    [LoggerMessage(3, LogLevel.Error, "Space {Space}: the snapshot of {Sequence} is damaged ({Reason}). All frames are there, so all are replayed; the next snapshot replaces it.")]
    private static partial void SnapshotDamaged(ILogger logger, string space, long sequence, string reason);

    [LoggerMessage(2, LogLevel.Information, "Space {Space}: replaying frame {Sequence} of {Through}, {Events} events so far.")]
    private static partial void Replaying(ILogger logger, string space, long sequence, long through, long events);
}

/// <summary>A machine that is where its journal is.</summary>
internal sealed record LoadedSpace(SpaceMachine Machine, JournalTail Tail, long EventsReplayed);

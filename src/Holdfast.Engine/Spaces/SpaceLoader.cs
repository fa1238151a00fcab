using System.Data.Common;
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

        if (tail.UnacknowledgedDropped > 0)
        {
            UnacknowledgedDropped(logger, space, tail.UnacknowledgedDropped, tail.UnacknowledgedFrom, tail.Sequence);
        }

        return await LoadAsync(tail, cancellationToken);
    }

    /// <summary>The same of storage that can only be read.</summary>
    public async Task<LoadedSpace> LoadForReadingAsync(CancellationToken cancellationToken) =>
        await LoadAsync(await journal.FindTailAsync(cancellationToken), cancellationToken);

    private async Task<LoadedSpace> LoadAsync(JournalTail tail, CancellationToken cancellationToken)
    {
        Replayed replayed = await ReplayAsync(tail.Sequence, tail.FirstSequence, cancellationToken);
        return new LoadedSpace(replayed.Machine, tail, replayed.Events);
    }

    /// <summary>A machine as it was right after <paramref name="throughSequence"/>.</summary>
    public async Task<Replayed> ReplayAsync(long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        Replayed start = await ReadSnapshotAsync(throughSequence, firstSequence, cancellationToken);
        try
        {
            return await ReplayAsync(start, throughSequence, firstSequence, cancellationToken);
        }
        catch
        {
            start.Machine.Dispose(); // not left to the collector: storage that fails is tried again every second
            throw;
        }
    }

    private async Task<Replayed> ReplayAsync(Replayed start, long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        long at = start.From;
        if (at + 1 < firstSequence)
        {
            throw new JournalCorruptException(at + 1, $"The journal of space {space} begins at {firstSequence}, and no snapshot reaches up to there.");
        }

        if (at == throughSequence)
        {
            return start;
        }

        // The frame that the snapshot was taken after is read again where it still exists; where not, the chain must hang on the
        // hash that the snapshot knows of it.
        long from = Math.Max(Math.Max(at, 1), firstSequence);
        ChainVerifier chain = from > at && !start.Hash.IsEmpty ? new ChainVerifier(from, start.Hash) : new ChainVerifier(from);
        long events = 0;
        long progressAt = time.GetTimestamp();
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(from, cancellationToken))
        {
            FrameView frame = chain.Next(bytes);
            if (frame.Sequence > at)
            {
                Evolve(start.Machine, frame);
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
            ? start with { Events = events, Hash = chain.LastHash.ToArray() }
            : throw new JournalCorruptException(chain.LastSequence + 1, $"The journal of space {space} should reach {throughSequence} but ends at {chain.LastSequence}.");
    }

    /// <summary>
    /// The newest snapshot's machine, or an empty one where there is none. A snapshot that is damaged, or isn't of this journal
    /// (an older copy of that was put back, or its last frames were lost), is no loss while every frame is there: it is put
    /// aside, for good, since the journal may grow past it; then the one before it is looked at, or all frames are replayed. Once
    /// frames were trimmed it stops the space: an older state is never taken silently. An operator who removes it starts from
    /// the one before, whose frames are kept.
    /// </summary>
    private async Task<Replayed> ReadSnapshotAsync(long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        while (true)
        {
            Replayed? start;
            try
            {
                start = await ReadNewestAsync(cancellationToken);
            }
            catch (JournalCorruptException e)
            {
                await PutAsideAsync(e.Sequence, firstSequence, e, cancellationToken);
                continue;
            }
            catch (Exception e) when (e is DbException or IOException)
            {
                // It may well be whole, and only couldn't be read.
                if (firstSequence > 1)
                {
                    throw new JournalException(JournalFault.NotWritten, $"The snapshot of space {space} can't be read: {e.Message}", e);
                }

                SnapshotUnreadable(logger, space, e.Message);
                return Beginning();
            }

            if (start is null)
            {
                return Beginning();
            }

            string? contradiction;
            try
            {
                contradiction = await SnapshotContent.FindContradictionAsync(journal, start.From, start.Hash, cancellationToken);
            }
            catch
            {
                start.Machine.Dispose();
                throw;
            }

            if (contradiction is null && start.From <= throughSequence)
            {
                return start;
            }

            start.Machine.Dispose();
            if (contradiction is null)
            {
                return Beginning(); // of this journal, but newer than what was asked for
            }

            await PutAsideAsync(start.From, firstSequence, contradiction, cancellationToken);
        }
    }

    private Replayed Beginning() => new(new SpaceMachine(options.Holds, hasher, options.Transactions, options.Checkouts), 0, default, 0);

    /// <exception cref="JournalCorruptException">It is damaged.</exception>
    private async Task<Replayed?> ReadNewestAsync(CancellationToken cancellationToken)
    {
        await using JournalSnapshot? snapshot = await journal.OpenSnapshotAsync(cancellationToken);
        if (snapshot is null)
        {
            return null;
        }

        SpaceMachine? machine = null;
        try
        {
            machine = SpaceMachine.ReadSnapshot(snapshot.Content, options.Holds, hasher, options.Transactions, options.Checkouts);
            return new Replayed(machine, snapshot.Sequence, await SnapshotContent.ReadStandAsync(snapshot.Content, cancellationToken), 0);
        }
        catch (Exception e)
        {
            machine?.Dispose();
            if (e is OperationCanceledException or JournalException or JournalCorruptException or OutOfMemoryException or DbException or (IOException and not EndOfStreamException))
            {
                throw;
            }

            throw new JournalCorruptException(snapshot.Sequence, e.Message, e);
        }
    }

    private async Task PutAsideAsync(long sequence, long firstSequence, Exception damage, CancellationToken cancellationToken)
    {
        if (firstSequence > 1)
        {
            throw new JournalCorruptException(
                sequence,
                $"The snapshot of {sequence} of space {space} is damaged ({damage.Message}), and the journal's frames begin at {firstSequence}. " +
                "Put it back from a backup; or remove it, and the space starts from the snapshot before it, whose frames are all kept.",
                damage);
        }

        await journal.PutSnapshotAsideAsync(sequence, cancellationToken);
        SnapshotDamaged(logger, space, sequence, damage.Message);
    }

    private async Task PutAsideAsync(long sequence, long firstSequence, string contradiction, CancellationToken cancellationToken)
    {
        if (firstSequence > 1)
        {
            throw new JournalCorruptException(
                sequence,
                $"The snapshot of {sequence} of space {space} isn't of this journal: {contradiction}. The journal's frames begin at {firstSequence}, so they " +
                "can't all be replayed. Put back the frames that are missing; or, where an older copy of the journal was put back on purpose, remove this snapshot.");
        }

        await journal.PutSnapshotAsideAsync(sequence, cancellationToken);
        SnapshotOfAnother(logger, space, sequence, contradiction);
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

    [LoggerMessage(6, LogLevel.Warning, "Space {Space}: the journal ends at {Sequence}; {Count} frame(s) from {From} on, which didn't follow it, are dropped. A crash, a lost connection or a second writer leaves such frames, never acknowledged. If there was none of these, a frame right behind {Sequence} was lost: look for it.")]
    private static partial void UnacknowledgedDropped(ILogger logger, string space, int count, long from, long sequence);

    [LoggerMessage(3, LogLevel.Error, "Space {Space}: the snapshot of {Sequence} is damaged ({Reason}). It is put aside; all frames are there, so nothing is lost, and the start only takes longer.")]
    private static partial void SnapshotDamaged(ILogger logger, string space, long sequence, string reason);

    [LoggerMessage(4, LogLevel.Warning, "Space {Space}: the snapshot of {Sequence} isn't of this journal: {Contradiction}. It is put aside and not used. Was an older copy of the journal put back? If not, its last frames are lost, and what they acknowledged with them: look for them before going on.")]
    private static partial void SnapshotOfAnother(ILogger logger, string space, long sequence, string contradiction);

    [LoggerMessage(5, LogLevel.Error, "Space {Space}: the snapshot can't be read ({Reason}). All frames are there, so all are replayed.")]
    private static partial void SnapshotUnreadable(ILogger logger, string space, string reason);

    [LoggerMessage(2, LogLevel.Information, "Space {Space}: replaying frame {Sequence} of {Through}, {Events} events so far.")]
    private static partial void Replaying(ILogger logger, string space, long sequence, long through, long events);
}

/// <summary>A machine after a replay.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="From">Sequence of the snapshot that the replay began with; 0: it began with the first frame.</param>
/// <param name="Hash">SHA-256 of the last frame in the machine; empty: not known, or there is none.</param>
/// <param name="Events">Events replayed.</param>
internal sealed record Replayed(SpaceMachine Machine, long From, ReadOnlyMemory<byte> Hash, long Events);

/// <summary>A machine that is where its journal is.</summary>
internal sealed record LoadedSpace(SpaceMachine Machine, JournalTail Tail, long EventsReplayed);

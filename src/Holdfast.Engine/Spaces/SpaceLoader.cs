using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>Rebuilds a machine from the newest snapshot and the frames behind it, verifying the chain on the way.</summary>
internal sealed partial class SpaceLoader(string space, IJournal journal, HoldOptions options, NameHasher hasher, TimeProvider time, ILogger logger)
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

        (HoldMachine machine, long events) = await ReplayAsync(tail.Sequence, tail.FirstSequence, cancellationToken);
        return new LoadedSpace(machine, tail, events);
    }

    /// <summary>A machine as it was right after <paramref name="throughSequence"/>, and how many events were replayed.</summary>
    public async Task<(HoldMachine Machine, long Events)> ReplayAsync(long throughSequence, long firstSequence, CancellationToken cancellationToken)
    {
        HoldMachine machine = new(options, hasher);
        long at = 0;
        await using (JournalSnapshot? snapshot = await journal.OpenSnapshotAsync(cancellationToken))
        {
            if (snapshot is not null && snapshot.Sequence <= throughSequence)
            {
                machine = HoldMachine.ReadSnapshot(snapshot.Content, options, hasher);
                at = snapshot.Sequence;

                // To the end, so that the stream checks its hash.
                await snapshot.Content.CopyToAsync(Stream.Null, cancellationToken);
            }
        }

        if (at + 1 < firstSequence)
        {
            throw new JournalCorruptException(at + 1, $"The journal of space {space} begins at {firstSequence}, and no snapshot reaches up to there.");
        }

        long events = 0;
        if (at == throughSequence)
        {
            return (machine, events);
        }

        // The frame that the snapshot was taken after is read again where it still exists: the chain must hang on it.
        long from = Math.Max(Math.Max(at, 1), firstSequence);
        var chain = new ChainVerifier(from, from == 1 ? new byte[Frame.FooterSize] : null);
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
            ? (machine, events)
            : throw new JournalCorruptException(chain.LastSequence + 1, $"The journal of space {space} should reach {throughSequence} but ends at {chain.LastSequence}.");
    }

    private static void Evolve(HoldMachine machine, FrameView frame)
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

    [LoggerMessage(2, LogLevel.Information, "Space {Space}: replaying frame {Sequence} of {Through}, {Events} events so far.")]
    private static partial void Replaying(ILogger logger, string space, long sequence, long through, long events);
}

/// <summary>A machine that is where its journal is.</summary>
internal sealed record LoadedSpace(HoldMachine Machine, JournalTail Tail, long EventsReplayed);

using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// Proves a space's journal from its bytes alone: the chain from the first stored frame to the last, a replay of all of
/// it, the same replay from the newest snapshot, and conservation. Reads only; a serving space may go on meanwhile.
/// </summary>
public static class SpaceVerifier
{
    /// <summary>Walks the journal to its end as it is when reached.</summary>
    /// <param name="journal">The journal; need not have been opened (and is not: opening would drop a torn record).</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <exception cref="JournalException">The journal can't be read.</exception>
    public static async Task<VerificationReport> VerifyAsync(IJournal journal, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(journal);

        // Which numbers seed the table of names changes neither state nor digest.
        using var walk = new VerificationWalk(new NameHasher(1, 2));
        try
        {
            await walk.ReadSnapshotAsync(journal, cancellationToken);
            await walk.WalkAsync(journal, cancellationToken);
            walk.Compare();
        }
        catch (JournalCorruptException e)
        {
            walk.Blame(e.Sequence, e.Message);
        }

        return walk.Report();
    }
}

/// <summary>What a verification found.</summary>
public sealed record VerificationReport
{
    /// <summary>Whether everything is as it was written and adds up.</summary>
    public bool IsGood => Problem is null;

    /// <summary>Frames found good.</summary>
    public required long Frames { get; init; }

    /// <summary>Sequence of the oldest stored frame; 1 unless the journal was trimmed.</summary>
    public required long FirstSequence { get; init; }

    /// <summary>Sequence of the last frame found good.</summary>
    public required long LastSequence { get; init; }

    /// <summary>Events in them.</summary>
    public required long Events { get; init; }

    /// <summary>The sequence at which it breaks; null when nothing does, or when the problem has no place (conservation).</summary>
    public long? FirstBadSequence { get; init; }

    /// <summary>What is wrong, in words; null when nothing is.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether the last record is cut short: what an interrupted write leaves. Never acknowledged, dropped by the next start, no problem.</summary>
    public bool TornTail { get; init; }

    /// <summary>A sequence that is missing while the last record, which is the next, is there: what two appends leave of which the second
    /// came first, while they are underway or after a crash. Never acknowledged, dropped by the next start, no problem; null: there is none.
    /// A lost second to last record looks the same.</summary>
    public long? MissingBeforeLast { get; init; }

    /// <summary>The newest snapshot's sequence; null when there is none.</summary>
    public long? SnapshotSequence { get; init; }

    /// <summary>Resources.</summary>
    public required int Resources { get; init; }

    /// <summary>Known holds, finished ones within the retention included.</summary>
    public required int KnownHolds { get; init; }

    /// <summary>Live holds.</summary>
    public required int LiveHolds { get; init; }

    /// <summary>The machine's digest at the end: equal wherever this journal is replayed.</summary>
    public required ulong Digest { get; init; }
}

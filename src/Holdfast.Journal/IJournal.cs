namespace Holdfast.Journal;

/// <summary>
/// One space's durable, ordered log of sealed frames (see <see cref="Frame"/>). Opaque bytes: the journal knows
/// sequence numbers and hashes, never what an event means.
/// </summary>
/// <remarks>
/// Appends are begun by one caller in sequence order, at most <see cref="MaxInFlight"/> unfinished at a time; reads,
/// snapshots and trims may run beside them. The key (space, sequence) is the fence: a second writer on the same journal
/// gets <see cref="JournalFault.Conflict"/> and so can never fork history.
/// After <see cref="JournalFault.Conflict"/> or <see cref="JournalFault.Unknown"/> call <see cref="OpenAsync"/> again
/// (with nothing in flight) before the next append; after the other faults the same append may simply be repeated.
/// </remarks>
public interface IJournal : IAsyncDisposable
{
    /// <summary>
    /// How many appends may be unfinished at once; 1 means await each before the next. When more than 1, append N + 1 may
    /// be begun before N has returned, and may return first; N + MaxInFlight is begun only after N returned without error. Acknowledge only the contiguous prefix, that is N + 1 only
    /// after N returned without error. If N fails, N + 1 counts as failed whatever it returned: await all, then reopen.
    /// </summary>
    int MaxInFlight => 1;

    /// <summary>Whether appends underway become durable beside each other, rather than one after another.</summary>
    bool AppendsInParallel => false;

    /// <summary>
    /// Prepares storage (creating it when missing), drops a torn last record and what writers left past the end without
    /// acknowledging it, and returns where the log ends.
    /// Must be called before anything else; may be called again after a failed append to learn the truth.
    /// </summary>
    /// <exception cref="JournalCorruptException">The last record is whole but its bytes don't match their hash, or more stands past
    /// the end than writers leave there.</exception>
    ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Where the log ends, found by reading alone, for storage that takes no writes now: <see cref="ReadAsync"/> may follow without
    /// <see cref="OpenAsync"/>, an append may not. What it returns is durable. What an opening would drop isn't counted, and stays.
    /// </summary>
    /// <exception cref="JournalException">It can't be read either, or there is no journal.</exception>
    ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Appends one sealed frame and returns when it is durable (survives power loss). What follows the await may run on the
    /// journal's own thread, where later appends wait for it: it must not block.
    /// </summary>
    /// <param name="sequence">The frame's sequence: one more than the last durable frame's.</param>
    /// <param name="frame">A frame made by <see cref="Frame.Seal"/>; must stay as it is until the append has returned, and is not kept afterwards.</param>
    /// <param name="cancellationToken">Cancelling leaves the outcome unknown.</param>
    /// <exception cref="JournalException">With <see cref="JournalException.Fault"/> telling what is known of the outcome.</exception>
    ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken);

    /// <summary>Reads sealed frames in order from <paramref name="fromSequence"/> to the end as it is when reached.
    /// Each memory is valid until the next step. Frames are not verified here: see <see cref="ChainVerifier"/>.</summary>
    IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, CancellationToken cancellationToken);

    /// <summary>Stores a snapshot of the state after <paramref name="sequence"/>. It becomes visible whole or not at all;
    /// older snapshots but the one before it are removed.</summary>
    ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken);

    /// <summary>Opens the newest whole snapshot, or null when there is none. The stream checks the snapshot's SHA-256 as
    /// it ends and throws <see cref="JournalCorruptException"/> on a difference.</summary>
    ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken);

    /// <summary>Puts the snapshot of <paramref name="sequence"/> where no <see cref="OpenSnapshotAsync"/> finds it any more: it isn't this
    /// journal's, or it is damaged. Kept there for whoever wants to look at it. Harmless when there is none.</summary>
    ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken);

    /// <summary>Removes frames up to and including <paramref name="throughSequence"/>, but never the newest <see cref="MaxInFlight"/>:
    /// they carry the chain on. Repeating it is harmless.</summary>
    /// <exception cref="ArgumentException">No snapshot at or after that sequence is stored, so the frames are still needed.</exception>
    ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken);
}

/// <summary>Where a log ends: the last durable frame. <c>Sequence</c> 0 and an all-zero hash mean an empty log.</summary>
/// <param name="Sequence">Sequence of the last durable frame.</param>
/// <param name="Hash">That frame's own SHA-256 (32 bytes).</param>
/// <param name="FirstSequence">Sequence of the oldest frame still stored (1 if never trimmed or empty).</param>
/// <param name="TornRecordsDropped">Incomplete last records removed by this open (0 or 1).</param>
public sealed record JournalTail(long Sequence, ReadOnlyMemory<byte> Hash, long FirstSequence, int TornRecordsDropped)
{
    /// <summary>Whole records behind a gap, or behind another writer's, that this open removed as never acknowledged.</summary>
    public int UnacknowledgedDropped { get; init; }

    /// <summary>Sequence of the first of them; 0: there was none.</summary>
    public long UnacknowledgedFrom { get; init; }
}

/// <summary>A stored snapshot: the state right after the frame <paramref name="Sequence"/>.</summary>
public sealed record JournalSnapshot(long Sequence, Stream Content) : IAsyncDisposable
{
    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Content.DisposeAsync();
}

/// <summary>Opens the journals of a storage place, one for each space.</summary>
public interface IJournalStore : IAsyncDisposable
{
    /// <summary>Names of the spaces that have a journal here, in ordinal order.</summary>
    ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken);

    /// <summary>The journal of a space; storage is created by <see cref="IJournal.OpenAsync"/>.
    /// Space names are 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter or digit.</summary>
    IJournal Get(string space);
}

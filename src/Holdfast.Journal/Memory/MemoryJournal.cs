using System.Runtime.CompilerServices;

namespace Holdfast.Journal.Memory;

/// <summary>
/// A journal in memory with the semantics of the durable ones, for tests and benchmarks. "Durable" means: as long as its
/// <see cref="MemoryJournalStore"/> lives. Several openers of one space share the log, and so can meet in a conflict.
/// </summary>
public sealed class MemoryJournal : IJournal
{
    private readonly MemoryLog _log;
    private bool _open;

    internal MemoryJournal(MemoryLog log) => _log = log;

    /// <inheritdoc/>
    public ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        JournalTail tail = _log.Open();
        _open = true;
        return ValueTask.FromResult(tail);
    }

    /// <inheritdoc/>
    public ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(_log.FindTail());
    }

    /// <inheritdoc/>
    public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ThrowIfNotOpen();
        Frame.CheckForAppend(frame.Span, sequence);
        if (!_log.TryAppend(sequence, frame.Span))
        {
            _open = false;
            throw new JournalException(JournalFault.Conflict, $"Sequence {sequence} isn't the next one: another writer was here.");
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await ValueTask.CompletedTask;
        for (long sequence = fromSequence; _log.ReadAtOrAfter(ref sequence) is { } frame; sequence++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return frame;
        }
    }

    /// <inheritdoc/>
    public async ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(write);
        using var content = new MemoryStream();
        await write(content, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        _log.PutSnapshot(sequence, content.ToArray());
    }

    /// <inheritdoc/>
    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_log.NewestSnapshot() is not { } newest)
        {
            return ValueTask.FromResult<JournalSnapshot?>(null);
        }

        var content = new VerifyingStream(new MemoryStream(newest.Bytes, writable: false), newest.Bytes.LongLength, newest.Hash, newest.Sequence);
        return ValueTask.FromResult<JournalSnapshot?>(new JournalSnapshot(newest.Sequence, content));
    }

    /// <inheritdoc/>
    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _log.RemoveSnapshot(sequence);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _log.Trim(throughSequence);
        return ValueTask.CompletedTask;
    }

    /// <summary>Forgets nothing: the log stays in its store.</summary>
    public ValueTask DisposeAsync()
    {
        _open = false;
        return ValueTask.CompletedTask;
    }

    private void ThrowIfNotOpen()
    {
        if (!_open)
        {
            throw new InvalidOperationException("Call OpenAsync first (also after a conflict or an unknown outcome).");
        }
    }
}

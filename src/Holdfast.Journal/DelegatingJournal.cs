namespace Holdfast.Journal;

/// <summary>A journal that hands everything on to another: override what is to differ.</summary>
public abstract class DelegatingJournal(IJournal inner) : IJournal
{
    /// <summary>The other one.</summary>
    protected IJournal Inner { get; } = inner;

    /// <inheritdoc/>
    public virtual int MaxInFlight => Inner.MaxInFlight;

    /// <inheritdoc/>
    public virtual bool AppendsInParallel => Inner.AppendsInParallel;

    /// <inheritdoc/>
    public virtual ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => Inner.OpenAsync(cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken) => Inner.FindTailAsync(cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) =>
        Inner.AppendAsync(sequence, frame, cancellationToken);

    /// <inheritdoc/>
    public virtual IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, CancellationToken cancellationToken) =>
        Inner.ReadAsync(fromSequence, cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        Inner.WriteSnapshotAsync(sequence, write, cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => Inner.OpenSnapshotAsync(cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => Inner.PutSnapshotAsideAsync(sequence, cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => Inner.TrimAsync(throughSequence, cancellationToken);

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Inner.DisposeAsync();
    }
}

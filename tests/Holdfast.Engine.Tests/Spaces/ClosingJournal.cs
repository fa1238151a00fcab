using Holdfast.Journal;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>Closes itself after an append whose outcome is unknown, as the durable journals do: it must be opened again before the next.</summary>
internal sealed class ClosingJournal(IJournal inner) : IJournal
{
    private bool _open;

    public int MaxInFlight => inner.MaxInFlight;

    public async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
    {
        JournalTail tail = await inner.OpenAsync(cancellationToken);
        _open = true;
        return tail;
    }

    public async ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (!_open)
        {
            throw new InvalidOperationException("Call OpenAsync first.");
        }

        try
        {
            await inner.AppendAsync(sequence, frame, cancellationToken);
        }
        catch (JournalException e) when (e.Fault is JournalFault.Unknown or JournalFault.Conflict)
        {
            _open = false;
            throw;
        }
    }

    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, CancellationToken cancellationToken) => inner.ReadAsync(fromSequence, cancellationToken);

    public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        inner.WriteSnapshotAsync(sequence, write, cancellationToken);

    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => inner.OpenSnapshotAsync(cancellationToken);

    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => inner.PutSnapshotAsideAsync(sequence, cancellationToken);

    public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => inner.TrimAsync(throughSequence, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}

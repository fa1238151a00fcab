using System.Runtime.CompilerServices;
using Holdfast.Journal;
using Holdfast.Journal.Memory;

namespace Holdfast.Server.Tests;

/// <summary>Journals in memory whose appends or opening wait while the gate is closed.</summary>
public sealed class GatedStore : IJournalStore
{
    private readonly MemoryJournalStore _inner = new();

    /// <summary>What a failure inside says, which nobody outside may read.</summary>
    public const string Secret = "the password is in the file at /etc/secret";

    /// <summary>Name of a space whose journal can't be had.</summary>
    public string? Refuses { get; init; }

    public Gate Appends { get; } = new();

    public Gate Opening { get; } = new();

    public ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken) => _inner.ListSpacesAsync(cancellationToken);

    public IJournal Get(string space) => space == Refuses ? throw new InvalidOperationException(Secret) : new GatedJournal(_inner.Get(space), this);

    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private sealed class GatedJournal(IJournal inner, GatedStore store) : IJournal
    {
        public int MaxInFlight => inner.MaxInFlight;

        public async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
        {
            await store.Opening.PassAsync(cancellationToken);
            return await inner.OpenAsync(cancellationToken);
        }

        public async ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
        {
            byte[] kept = frame.ToArray();
            await store.Appends.PassAsync(cancellationToken);
            await inner.AppendAsync(sequence, kept, cancellationToken);
        }

        public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await foreach (ReadOnlyMemory<byte> frame in inner.ReadAsync(fromSequence, cancellationToken))
            {
                yield return frame;
            }
        }

        public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
            inner.WriteSnapshotAsync(sequence, write, cancellationToken);

        public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => inner.OpenSnapshotAsync(cancellationToken);

        public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => inner.PutSnapshotAsideAsync(sequence, cancellationToken);

        public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => inner.TrimAsync(throughSequence, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}

/// <summary>Open until closed.</summary>
public sealed class Gate
{
    private volatile TaskCompletionSource? _closed;

    public void Close() => _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open()
    {
        TaskCompletionSource? closed = _closed;
        _closed = null;
        closed?.TrySetResult();
    }

    public Task PassAsync(CancellationToken cancellationToken) => _closed?.Task.WaitAsync(cancellationToken) ?? Task.CompletedTask;
}

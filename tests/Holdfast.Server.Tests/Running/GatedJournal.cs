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

    private sealed class GatedJournal(IJournal inner, GatedStore store) : DelegatingJournal(inner)
    {
        public override async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
        {
            await store.Opening.PassAsync(cancellationToken);
            return await Inner.OpenAsync(cancellationToken);
        }

        public override async ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
        {
            byte[] kept = frame.ToArray();
            await store.Appends.PassAsync(cancellationToken);
            await Inner.AppendAsync(sequence, kept, cancellationToken);
        }
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

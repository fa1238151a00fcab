using System.Runtime.CompilerServices;
using Holdfast.Journal;

namespace Holdfast.Cli.Verify;

/// <summary>A journal that is only read, and tells how far.</summary>
internal sealed class WatchedJournal(IJournal journal) : IJournal
{
    private long _frames;
    private long _bytes;

    /// <summary>Frames read so far.</summary>
    public long Frames => Volatile.Read(ref _frames);

    /// <summary>Bytes read so far.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    public int MaxInFlight => journal.MaxInFlight;

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(fromSequence, cancellationToken))
        {
            _frames++;
            _bytes += frame.Length;
            yield return frame;
        }
    }

    public ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken) => journal.FindTailAsync(cancellationToken);

    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => journal.OpenSnapshotAsync(cancellationToken);

    // Opening creates what is missing and drops a torn record: whoever verifies must leave everything as it is.
    public ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask DisposeAsync() => journal.DisposeAsync();

    private static NotSupportedException ReadOnly() => new("A verification only reads.");
}

using System.Runtime.CompilerServices;
using Holdfast.Engine.Projection;
using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>A journal for reading beside a busy loop: rests in between as <see cref="Pace"/> says.</summary>
internal sealed class PacedJournal(IJournal journal, Pace pace, TimeProvider time) : IJournal
{
    private static readonly TimeSpan WorkBetweenRests = TimeSpan.FromMilliseconds(10);

    public ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken) => throw new NotSupportedException();

    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long restedAt = time.GetTimestamp();
        await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(fromSequence, cancellationToken))
        {
            yield return frame;
            TimeSpan worked = time.GetElapsedTime(restedAt);
            if (worked > WorkBetweenRests)
            {
                await pace.RestAsync(worked, cancellationToken);
                restedAt = time.GetTimestamp();
            }
        }
    }

    public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => journal.OpenSnapshotAsync(cancellationToken);

    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => journal.PutSnapshotAsideAsync(sequence, cancellationToken);

    public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

using System.Runtime.CompilerServices;
using Holdfast.Engine.Projection;
using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>A journal for reading beside a busy loop: rests in between as <see cref="Pace"/> says.</summary>
internal sealed class PacedJournal(IJournal journal, Pace pace, TimeProvider time) : DelegatingJournal(journal)
{
    private static readonly TimeSpan WorkBetweenRests = TimeSpan.FromMilliseconds(10);

    public override async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long restedAt = time.GetTimestamp();
        await foreach (ReadOnlyMemory<byte> frame in Inner.ReadAsync(fromSequence, cancellationToken))
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

    /// <summary>The journal stays the space's.</summary>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

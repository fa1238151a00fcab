using System.Runtime.CompilerServices;
using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Snapshots;

/// <summary>
/// Planted nondeterminism: whoever reads while it lies gets another history, sealed and chained as if it were the true
/// one: the last hold's quantity is one more. What a machine that evolves differently the second time would look like.
/// </summary>
internal sealed class LyingJournalStore : IJournalStore
{
    private readonly MemoryJournalStore _inner = new();

    public bool Lies { get; set; }

    public ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken) => _inner.ListSpacesAsync(cancellationToken);

    public IJournal Get(string space) => new LyingJournal(this, _inner.Get(space));

    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private sealed class LyingJournal(LyingJournalStore store, IJournal inner) : DelegatingJournal(inner)
    {
        public override async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            byte[]? previous = null;
            await foreach (ReadOnlyMemory<byte> bytes in Inner.ReadAsync(fromSequence, cancellationToken))
            {
                if (!store.Lies)
                {
                    yield return bytes;
                    continue;
                }

                byte[] told = bytes.ToArray();
                FrameView frame = Frame.Read(told);
                if (frame.Count == 1 && (EventType)frame.Payload.Span[0] == EventType.Held)
                {
                    // The event's last byte is its last line's quantity.
                    told[^(Frame.FooterSize + 1)]++;
                }

                Frame.Seal(told, frame.Sequence, frame.TimeMs, frame.Count, previous ?? frame.PreviousHash.ToArray());
                previous = told[^Frame.FooterSize..];
                yield return told;
            }
        }
    }
}

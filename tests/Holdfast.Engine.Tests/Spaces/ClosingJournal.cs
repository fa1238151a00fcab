using Holdfast.Journal;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>Closes itself after an append whose outcome is unknown, as the durable journals do: it must be opened again before the next.</summary>
internal sealed class ClosingJournal(IJournal inner) : DelegatingJournal(inner)
{
    private bool _open;

    public override async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
    {
        JournalTail tail = await Inner.OpenAsync(cancellationToken);
        _open = true;
        return tail;
    }

    public override async ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (!_open)
        {
            throw new InvalidOperationException("Call OpenAsync first.");
        }

        try
        {
            await Inner.AppendAsync(sequence, frame, cancellationToken);
        }
        catch (JournalException e) when (e.Fault is JournalFault.Unknown or JournalFault.Conflict)
        {
            _open = false;
            throw;
        }
    }
}

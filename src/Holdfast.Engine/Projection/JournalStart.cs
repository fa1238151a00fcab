using Holdfast.Journal;

namespace Holdfast.Engine.Projection;

/// <summary>Where a journal's stored frames begin.</summary>
internal static class JournalStart
{
    /// <summary>Sequence of the oldest stored frame; 1 when there is none, or when a crash has cut it short.</summary>
    /// <exception cref="JournalCorruptException">It is damaged, so that nothing that it says of itself can be believed, its sequence least of all.</exception>
    public static async Task<long> FirstSequenceAsync(IJournal journal, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(1, cancellationToken))
        {
            return Frame.IsTorn(bytes.Span) ? 1 : SequenceOf(bytes);
        }

        return 1;
    }

    private static long SequenceOf(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            FrameView frame = Frame.Read(bytes);
            return Frame.Verify(bytes.Span)
                ? frame.Sequence
                : throw new JournalCorruptException(1, "The oldest frame doesn't match its SHA-256.");
        }
        catch (Exception e) when (e is InvalidDataException or NotSupportedException)
        {
            throw new JournalCorruptException(1, $"The oldest frame can't be read: {e.Message}", e);
        }
    }
}

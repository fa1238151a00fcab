using Holdfast.Journal;

namespace Holdfast.Engine.Projection;

/// <summary>Where a journal's stored frames begin.</summary>
internal static class JournalStart
{
    /// <summary>Sequence of the oldest stored frame; 1 when there is none.</summary>
    public static async Task<long> FirstSequenceAsync(IJournal journal, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(1, cancellationToken))
        {
            return Frame.Read(bytes).Sequence;
        }

        return 1;
    }
}

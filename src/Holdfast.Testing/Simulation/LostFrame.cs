using Holdfast.Journal;
using Holdfast.Journal.Memory;

namespace Holdfast.Testing;

/// <summary>A fault that both simulators plant: a restart finds a journal without its newest durable frame.</summary>
internal static class LostFrame
{
    /// <summary>A store with the journal's frames but the last; the first <paramref name="kept"/> stay in any case.</summary>
    public static MemoryJournalStore DropLast(IJournal journal, long kept)
    {
        long last = journal.OpenAsync(default).AsTask().Result.Sequence;
        var shorter = new MemoryJournalStore();
        IJournal target = shorter.Get("default");
        target.OpenAsync(default).AsTask().Wait();
        foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(1, default).ToBlockingEnumerable())
        {
            long sequence = Frame.Read(frame).Sequence;
            if (sequence < last || sequence <= kept)
            {
                target.AppendAsync(sequence, frame, default).AsTask().Wait();
            }
        }

        return shorter;
    }
}

using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>The journal's thread of a serving space: while it writes one batch, the loop decides the next.</summary>
internal sealed class JournalThread : IDisposable
{
    private readonly SemaphoreSlim _work = new(0);
    private readonly Thread _thread;
    private volatile bool _closed;

    /// <summary>Starts the thread.</summary>
    public JournalThread(string space, IJournal journal, JournalTail tail, Action<Batch> durable)
    {
        // The thread sleeps on one semaphore for both: new batches and finished appends.
        Pipeline = new JournalPipeline(journal, tail, durable, () => _work.Release());
        _thread = new Thread(Run) { IsBackground = true, Name = "holdfast journal " + space };
        _thread.Start();
    }

    /// <summary>What the thread works on.</summary>
    public JournalPipeline Pipeline { get; }

    /// <summary>Writes what was handed over, then ends the thread.</summary>
    public void Dispose()
    {
        _closed = true;
        _work.Release();
        _thread.Join();
        _work.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _work.Wait();
            bool moved;
            do
            {
                moved = Pipeline.FinishOldest();
                moved |= Pipeline.StartNext();
            }
            while (moved);

            if (_closed && Pipeline.IsIdle)
            {
                return;
            }
        }
    }
}

namespace Holdfast.Engine;

/// <summary>
/// A batch's awaited requests, told by pool threads: by one, in runs, while strangers' code is quick, and by more as soon as it
/// takes longer than waking another thread is worth. Whatever that code waits for, another thread goes on: the loop sees to
/// it (<see cref="Teller.Rescue"/>).
/// </summary>
internal sealed class Fan(Teller teller, Request[] requests) : IThreadPoolWorkItem
{
    // A second thread costs a wake-up, and takes the askers' memory to another processor. Where there are only two, it also
    // takes one of them from the loop or the journal, so a batch of quick askers is one thread's there: docs/decisions/0015.
    private static readonly TimeSpan AloneAtMost = TimeSpan.FromMilliseconds(Environment.ProcessorCount > 2 ? 0.2 : 3);
    private static readonly TimeSpan SlowRun = TimeSpan.FromMilliseconds(0.5);

    private int _next;

    public void Execute()
    {
        int size = Math.Min(TellingRun.Max, requests.Length / 4);
        if (size > 1 && teller.AskersAreQuick())
        {
            TellInRuns(size);
        }

        TellOneByOne();
    }

    /// <summary>Has another pool thread help with what nobody has begun to tell.</summary>
    public void GetHelp()
    {
        if (Volatile.Read(ref _next) < requests.Length)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    private void TellInRuns(int size)
    {
        var run = new TellingRun(teller, this, requests);
        long alone = run.BeganAt;
        teller.Add(run);
        int first;
        while ((first = Interlocked.Add(ref _next, size) - size) < requests.Length)
        {
            bool whole = run.Tell(first, Math.Min(first + size, requests.Length));
            if (!whole || teller.Elapsed(run.BeganAt) > SlowRun)
            {
                teller.AskersAreSlow();
                break;
            }

            if (alone != 0 && teller.Elapsed(alone) > AloneAtMost)
            {
                alone = 0;
                GetHelp();
            }
        }

        teller.Remove(run);
    }

    private void TellOneByOne()
    {
        bool alone = true;
        int mine;
        while ((mine = Interlocked.Increment(ref _next) - 1) < requests.Length)
        {
            if (alone)
            {
                alone = false;
                GetHelp(); // before a stranger's code runs that nobody watches
            }

            requests[mine].Complete();
        }
    }
}

namespace Holdfast.Engine;

/// <summary>
/// A batch's awaited requests, told by as many pool threads as have nothing else to do, a run at a time. Each thread that
/// begins puts the rest into the pool again before it runs a stranger's code: whatever that code waits for, another
/// thread goes on. (One work item for each request does the same and costs three times as much.)
/// </summary>
internal sealed class Fan(Teller teller, Request[] requests) : IThreadPoolWorkItem
{
    private static readonly TimeSpan SlowRun = TimeSpan.FromMilliseconds(0.5);
    private int _next;

    public void Execute()
    {
        if (Volatile.Read(ref _next) + 1 < requests.Length)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        int size = Math.Min(TellingRun.Max, requests.Length / 4);
        if (size > 1 && teller.AskersAreQuick())
        {
            TellInRuns(size);
        }

        TellOneByOne();
    }

    private void TellInRuns(int size)
    {
        var run = new TellingRun(teller, requests);
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
        }

        teller.Remove(run);
    }

    private void TellOneByOne()
    {
        int mine;
        while ((mine = Interlocked.Increment(ref _next) - 1) < requests.Length)
        {
            requests[mine].Complete();
        }
    }
}

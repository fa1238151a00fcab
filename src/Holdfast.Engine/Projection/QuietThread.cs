using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Holdfast.Engine.Projection;

/// <summary>
/// Runs asynchronous work, continuations included, on one thread that gives way to all others: what is done beside the
/// loop must not take its processor.
/// </summary>
internal sealed class QuietThread : SynchronizationContext
{
    // .NET's priorities have no effect on Linux; niceness has, is a thread's own there, and may always be raised.
    private const int Niceness = 10;

    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> _queue = [];

    private QuietThread()
    {
    }

    /// <summary>Starts the work on a thread of its own; the task ends with it.</summary>
    public static Task Run(string name, Func<Task> work)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var context = new QuietThread();
        var thread = new Thread(() => context.Pump(work, ended)) { IsBackground = true, Name = name, Priority = ThreadPriority.BelowNormal };
        thread.Start();
        return ended.Task;
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        try
        {
            _queue.Add((d, state));
        }
        catch (InvalidOperationException)
        {
            // The work has ended; what still comes is nobody's, and runs where it disturbs nobody.
            ThreadPool.QueueUserWorkItem(static w => w.d(w.state), (d, state), preferLocal: false);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

    /// <summary>Has the calling thread give way to all others from now on.</summary>
    public static void GiveWay()
    {
        if (OperatingSystem.IsLinux())
        {
            const int ofThread = 0;
            _ = SetPriority(ofThread, 0, Niceness);
        }
    }

    private void Pump(Func<Task> work, TaskCompletionSource ended)
    {
        SetSynchronizationContext(this);
        GiveWay();
        Task running = work();
        _ = running.ContinueWith(_ => _queue.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        foreach ((SendOrPostCallback callback, object? state) in _queue.GetConsumingEnumerable())
        {
            callback(state);
        }

        ended.TrySetFromTask(running);
    }

    [DllImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetPriority(int which, uint who, int priority);
}

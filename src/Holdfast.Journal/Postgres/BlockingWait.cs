namespace Holdfast.Journal.Postgres;

/// <summary>
/// Waits for asynchronous work where the caller (a stream's synchronous method) can't await it. The work runs on the pool: were it
/// begun here, on a thread whose context brings continuations back to it, as that of the snapshots does, it would wait for this thread, and this thread
/// for it.
/// </summary>
internal static class BlockingWait
{
    public static void For(Func<Task> work) => Task.Run(work).GetAwaiter().GetResult();

    public static T For<T>(Func<Task<T>> work) => Task.Run(work).GetAwaiter().GetResult();
}

using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>Tells askers that their answers are there.</summary>
internal static class Completion
{
    /// <summary>
    /// Our own connections are told right here. Awaiting strangers go to the pool: their continuations may block, and
    /// must hold up neither the journal nor another's answer.
    /// </summary>
    public static void Tell(RequestBatch own, RequestBatch awaited)
    {
        if (awaited.Count > 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Fan(awaited.Span.ToArray()), preferLocal: false);
        }

        ReadOnlySpan<Request> requests = own.Span;
        for (int i = 0; i < requests.Length;)
        {
            // Neighbours of one group are counted off together.
            RequestGroup? group = requests[i].Group;
            if (group is null)
            {
                requests[i++].Complete();
                continue;
            }

            int first = i;
            while (i < requests.Length && ReferenceEquals(requests[i].Group, group))
            {
                i++;
            }

            group.CompleteSome(i - first);
        }
    }

    /// <summary>Tells one asker.</summary>
    public static void Tell(Request request)
    {
        if (request.Group is { } group)
        {
            group.CompleteSome(1);
        }
        else if (request.CompletesInline)
        {
            request.Complete();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Fan([request]), preferLocal: false);
        }
    }

    /// <summary>Gives every request the same refusal.</summary>
    public static void Refuse(RequestBatch own, RequestBatch awaited, Code code, string why)
    {
        foreach (Request request in own.Span)
        {
            request.Answer = Answer.Refused(code, why);
        }

        foreach (Request request in awaited.Span)
        {
            request.Answer = Answer.Refused(code, why);
        }

        Tell(own, awaited);
    }

    /// <summary>
    /// A batch's awaited requests, completed one by one by as many pool threads as have nothing else to do. Each thread
    /// that begins puts the rest into the pool again before it runs a stranger's code: whatever that code waits for,
    /// another thread goes on. (One work item for each request does the same and costs three times as much.)
    /// </summary>
    private sealed class Fan(Request[] requests) : IThreadPoolWorkItem
    {
        private const int RequestAhead = 6;
        private const int RequestLines = 3;
        private const int CommandAhead = 3;
        private const int CommandLines = 5;

        private int _next;

        public void Execute()
        {
            if (Volatile.Read(ref _next) + 1 < requests.Length)
            {
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }

            while (true)
            {
                int mine = Interlocked.Increment(ref _next) - 1;
                if (mine >= requests.Length)
                {
                    return;
                }

                FetchAhead(mine);
                requests[mine].Complete();
            }
        }

        /// <summary>The loop, on another processor, wrote the answers, and read the commands that are asked next.</summary>
        private void FetchAhead(int done)
        {
            if (!ProcessorCache.IsSupported)
            {
                return;
            }

            if (done + RequestAhead < requests.Length)
            {
                ProcessorCache.Fetch(requests[done + RequestAhead], RequestLines);
            }

            if (done + CommandAhead < requests.Length)
            {
                ProcessorCache.Fetch(requests[done + CommandAhead].Command, CommandLines);
            }
        }
    }
}

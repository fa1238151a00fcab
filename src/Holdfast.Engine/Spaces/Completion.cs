using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>Tells the askers of a list of requests.</summary>
internal static class Completion
{
    /// <summary>
    /// Our own connections are told right here. Awaiting strangers go to the pool, one work item each (a continuation
    /// may block, and must not hold up another's answer), but the journal's thread queues only one for them all.
    /// </summary>
    public static void Tell(RequestList requests)
    {
        Request? request = requests.First;
        RequestList awaited = default;
        while (request is not null)
        {
            Request? next = request.Next; // a completed request may be in use again at once
            if (request.CompletesInline)
            {
                request.Complete();
            }
            else
            {
                awaited.Add(request);
            }

            request = next;
        }

        if (awaited.First is not null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Fan(awaited.First), preferLocal: false);
        }
    }

    /// <summary>Gives every request of a list the same refusal.</summary>
    public static void TellAll(RequestList requests, Code code, string why)
    {
        for (Request? request = requests.First; request is not null; request = request.Next)
        {
            request.Answer = Answer.Refused(code, why);
        }

        Tell(requests);
    }

    private sealed class Fan(Request first) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            Request? request = first;
            while (request is not null)
            {
                Request? next = request.Next;
                if (next is null)
                {
                    // The last one needs no other thread.
                    request.Complete();
                }
                else if (request is IThreadPoolWorkItem item)
                {
                    ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: true);
                }
                else
                {
                    request.Complete();
                }

                request = next;
            }
        }
    }
}

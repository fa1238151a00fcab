namespace Holdfast.Engine;

/// <summary>Those who wait for a transaction's end.</summary>
internal sealed class EndWaiters
{
    private readonly Dictionary<string, List<TaskCompletionSource<bool>>> _waiting = new(StringComparer.Ordinal);
    private volatile int _count;
    private bool _over;

    public async Task<bool> WaitAsync(string transaction, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        var ended = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiting)
        {
            if (_over)
            {
                return false;
            }

            if (!_waiting.TryGetValue(transaction, out List<TaskCompletionSource<bool>>? others))
            {
                _waiting[transaction] = others = [];
            }

            others.Add(ended);
            _count++;
        }

        try
        {
            return await ended.Task.WaitAsync(atMost, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            Forget(transaction, ended);
        }
    }

    /// <summary>Tells of transactions that ended or got stuck.</summary>
    public void Tell(List<string> transactions)
    {
        if (_count == 0)
        {
            return;
        }

        lock (_waiting)
        {
            foreach (string transaction in transactions)
            {
                foreach (TaskCompletionSource<bool> waiter in _waiting.GetValueOrDefault(transaction) ?? [])
                {
                    waiter.TrySetResult(true);
                }
            }
        }
    }

    /// <summary>For when nothing will end here any more: lets all go, and whoever comes later.</summary>
    public void End()
    {
        lock (_waiting)
        {
            _over = true;
            foreach (TaskCompletionSource<bool> waiter in _waiting.Values.SelectMany(w => w))
            {
                waiter.TrySetResult(false);
            }
        }
    }

    private void Forget(string transaction, TaskCompletionSource<bool> ended)
    {
        lock (_waiting)
        {
            List<TaskCompletionSource<bool>> others = _waiting[transaction];
            others.Remove(ended);
            _count--;
            if (others.Count == 0)
            {
                _waiting.Remove(transaction);
            }
        }
    }
}

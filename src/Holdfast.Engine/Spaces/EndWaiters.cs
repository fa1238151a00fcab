namespace Holdfast.Engine;

/// <summary>Those who wait for a transaction's end.</summary>
internal sealed class EndWaiters
{
    private readonly Dictionary<string, List<TaskCompletionSource>> _waiting = new(StringComparer.Ordinal);
    private volatile int _count;

    public async Task<bool> WaitAsync(string transaction, TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiting)
        {
            if (!_waiting.TryGetValue(transaction, out List<TaskCompletionSource>? others))
            {
                _waiting[transaction] = others = [];
            }

            others.Add(ended);
            _count++;
        }

        try
        {
            await ended.Task.WaitAsync(atMost, time, cancellationToken);
            return true;
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
                foreach (TaskCompletionSource waiter in _waiting.GetValueOrDefault(transaction) ?? [])
                {
                    waiter.TrySetResult();
                }
            }
        }
    }

    private void Forget(string transaction, TaskCompletionSource ended)
    {
        lock (_waiting)
        {
            List<TaskCompletionSource> others = _waiting[transaction];
            others.Remove(ended);
            _count--;
            if (others.Count == 0)
            {
                _waiting.Remove(transaction);
            }
        }
    }
}

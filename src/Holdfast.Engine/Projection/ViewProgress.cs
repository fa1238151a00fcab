using Holdfast.Engine.Projection;

namespace Holdfast.Engine;

/// <summary>How far a space's views are. Written by the projector, read by anybody.</summary>
public sealed class ViewProgress
{
    private readonly Space _space;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly List<(long Sequence, TaskCompletionSource Reached)> _waiting = [];
    private readonly TaskCompletionSource _setUpTried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _position;
    private long _shownFrom;
    private long _events;
    private long _failures;
    private volatile string? _trouble;

    internal ViewProgress(Space space, TimeProvider time)
    {
        _space = space;
        _time = time;
    }

    /// <summary>The last sequence that the views show.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>Durable batches that the views don't show yet.</summary>
    public long LagSequences => Math.Max(0, _space.Durable.Sequence - Position);

    /// <summary>Events projected by this process.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Attempts that failed and were made again.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Why the views don't move, in words; null while all is well.</summary>
    public string? Trouble => _trouble;

    /// <summary>
    /// Whether what the views show is this journal's, and not a beginning only: this process has looked whether they belong to it, and
    /// views that it had to build anew have reached where the journal ended then.
    /// </summary>
    internal bool IsSetUp { get; private set; }

    /// <summary>Waits until it is so, or setting up has failed, or the time is over.</summary>
    internal async Task SetUpTriedAsync(TimeSpan atMost, CancellationToken cancellationToken) =>
        await _setUpTried.Task.WaitAsync(atMost, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    internal async Task<bool> WaitForAsync(long sequence, TimeSpan timeout, CancellationToken cancellationToken)
    {
        TaskCompletionSource reached;
        lock (_lock)
        {
            if (_position >= sequence)
            {
                return true;
            }

            reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((sequence, reached));
        }

        try
        {
            await reached.Task.WaitAsync(timeout, _time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            lock (_lock)
            {
                _waiting.RemoveAll(w => w.Reached == reached);
            }
        }
    }

    /// <summary>The views stand at <paramref name="position"/>, and may be read once they have reached <paramref name="shownFrom"/>.</summary>
    internal void Began(long position, long shownFrom)
    {
        lock (_lock)
        {
            IsSetUp = false;
            _shownFrom = shownFrom;
        }

        Moved(position, 0);
    }

    internal void Moved(long position, int events)
    {
        lock (_lock)
        {
            Volatile.Write(ref _position, position);
            Volatile.Write(ref _events, _events + events);
            _trouble = null;
            IsSetUp |= position >= _shownFrom;
            foreach ((long sequence, TaskCompletionSource reached) in _waiting)
            {
                if (sequence <= position)
                {
                    reached.TrySetResult();
                }
            }
        }

        if (IsSetUp)
        {
            _setUpTried.TrySetResult();
        }
    }

    internal void Failed(string why)
    {
        Interlocked.Increment(ref _failures);
        _trouble = why;
        _setUpTried.TrySetResult();
    }
}

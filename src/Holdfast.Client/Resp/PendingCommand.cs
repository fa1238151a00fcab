using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;

namespace Holdfast.Client.Resp;

internal enum CompletionKind
{
    /// <summary>The server answered.</summary>
    Reply,

    /// <summary>The connection ended first; the command may or may not have been executed.</summary>
    Lost,

    /// <summary>Not sent: too many commands are waiting, or the connection had already ended.</summary>
    NotSent,
}

internal readonly struct Completion(CompletionKind kind, RespValue reply, string? reason = null, Exception? cause = null)
{
    public CompletionKind Kind { get; } = kind;

    public RespValue Reply { get; } = reply;

    public string? Reason { get; } = reason;

    public Exception? Cause { get; } = cause;
}

/// <summary>
/// A command's place in the line of answers, pooled. It has two owners, the waiting caller and the connection, and goes
/// back to the pool when both have let go: a caller that gives up leaves its place in the line, so that its late answer is
/// taken out there and everybody else still gets their own.
/// </summary>
internal sealed class PendingCommand : IValueTaskSource<Completion>
{
    private readonly Pool _pool;
    private ManualResetValueTaskSourceCore<Completion> _core;
    private CancellationTokenRegistration _registration;
    private int _settled;
    private int _owners = 2;

    // Continuations never run on the reader loop: a caller's code there would hold up everybody's answers.
    private PendingCommand(Pool pool)
    {
        _pool = pool;
        _core.RunContinuationsAsynchronously = true;
    }

    /// <summary>Timestamp (TimeProvider) at which it was put in line.</summary>
    public long EnqueuedAt { get; set; }

    /// <summary>The caller's side. Await exactly once: that lets go of the caller's share.</summary>
    public ValueTask<Completion> WaitAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(
                static (state, token) => ((PendingCommand)state!).Abandon(token), this);
        }

        return new ValueTask<Completion>(this, _core.Version);
    }

    /// <summary>The connection's side: gives the outcome (unless the caller has gone) and lets go of its share.</summary>
    public void Complete(in Completion completion)
    {
        if (Interlocked.Exchange(ref _settled, 1) == 0)
        {
            _core.SetResult(completion);
        }

        Release();
    }

    Completion IValueTaskSource<Completion>.GetResult(short token)
    {
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            // Waits for a callback that is running right now, so that it can't hit the next user of this object.
            _registration.Dispose();
            _registration = default;
            Release();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<Completion>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<Completion>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Abandon(CancellationToken token)
    {
        if (Interlocked.Exchange(ref _settled, 1) == 0)
        {
            _core.SetException(new OperationCanceledException(token));
        }
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            _core.Reset();
            _settled = 0;
            _owners = 2;
            _pool.Return(this);
        }
    }

    /// <summary>Keeps at most as many as can be waiting at once.</summary>
    internal sealed class Pool(int max)
    {
        private readonly ConcurrentQueue<PendingCommand> _free = new();
        private int _count;

        public PendingCommand Rent()
        {
            if (_free.TryDequeue(out var command))
            {
                Interlocked.Decrement(ref _count);
                return command;
            }

            return new PendingCommand(this);
        }

        public void Return(PendingCommand command)
        {
            if (Interlocked.Increment(ref _count) <= max)
            {
                _free.Enqueue(command);
            }
            else
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }
}

using System.IO.Pipelines;
using System.Threading.Tasks.Sources;

namespace Holdfast.Server.Transport;

/// <summary>
/// What a connection sends: written into one buffer, sent by whoever flushes, on the spot. When the client doesn't read, the
/// flush waits until the system has taken everything.
/// </summary>
internal sealed class EpollOutput(EpollConnection connection) : PipeWriter, IValueTaskSource<FlushResult>
{
    private const int FirstBufferBytes = 4096;
    private const int KeptBufferBytes = 64 * 1024;

    private const int Idle = 0;
    private const int Waiting = 1;

    private ManualResetValueTaskSourceCore<FlushResult> _flush;
    private byte[] _buffer = new byte[FirstBufferBytes];
    private int _sent;
    private int _filled;
    private bool _broken;
    private int _state;
    private int _cancelled;

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _filled - _sent;

    /// <summary>The socket takes bytes again, or the connection was aborted: a waiting flush goes on.</summary>
    public void MayWrite()
    {
        if (Volatile.Read(ref _state) == Waiting && Interlocked.CompareExchange(ref _state, Idle, Waiting) == Waiting)
        {
            Resume();
        }
    }

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        MakeRoom(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_filled);
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        MakeRoom(Math.Max(sizeHint, 1));
        return _buffer.AsSpan(_filled);
    }

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _filled);
        _filled += bytes;
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (TrySend())
        {
            return ValueTask.FromResult(Result());
        }

        ValueTask<FlushResult> waiting = Wait();
        return cancellationToken.CanBeCanceled ? CancellableAsync(waiting, cancellationToken) : waiting;
    }

    /// <inheritdoc/>
    public override void CancelPendingFlush()
    {
        Interlocked.Exchange(ref _cancelled, 1);
        if (Interlocked.CompareExchange(ref _state, Idle, Waiting) == Waiting)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static output => output.Resume(), this, preferLocal: false);
        }
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        if (exception is null && Volatile.Read(ref _state) == Idle)
        {
            TrySend();
        }
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _flush.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _flush.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _flush.OnCompleted(continuation, state, token, flags);

    private ValueTask<FlushResult> Wait()
    {
        _flush.Reset();
        var waiting = new ValueTask<FlushResult>(this, _flush.Version);
        if (!Park())
        {
            Resume();
        }

        return waiting;
    }

    private async ValueTask<FlushResult> CancellableAsync(ValueTask<FlushResult> waiting, CancellationToken cancellationToken)
    {
        await using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static output => ((EpollOutput)output!).CancelPendingFlush(), this);
        FlushResult result = await waiting;
        if (result.IsCanceled)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        return result;
    }

    /// <summary>Ends a wait, or goes on with it: whoever took the state out of <see cref="Waiting"/>, and nobody else, calls it.</summary>
    private void Resume()
    {
        while (!TrySend() && Volatile.Read(ref _cancelled) == 0)
        {
            if (Park())
            {
                return;
            }
        }

        _flush.SetResult(Result());
    }

    /// <summary>Begins to wait; false when there is no reason to.</summary>
    private bool Park()
    {
        Volatile.Write(ref _state, Waiting);

        // Asked after it was said that somebody waits: the word that bytes are taken again may have come before.
        bool stays = Volatile.Read(ref _cancelled) == 0 && connection.Aborted is null && !Epoll.CanSend(connection.Descriptor);
        return stays || Interlocked.CompareExchange(ref _state, Idle, Waiting) != Waiting;
    }

    private FlushResult Result() => new(Interlocked.Exchange(ref _cancelled, 0) != 0, _broken);

    /// <summary>Sends what there is; false when the system took only a part. A broken connection takes everything, for nobody.</summary>
    private bool TrySend()
    {
        while (_sent < _filled && !_broken)
        {
            int count = connection.Aborted is null ? Epoll.Send(connection.Descriptor, _buffer.AsSpan(_sent, _filled - _sent)) : -1;
            if (count >= 0)
            {
                _sent += count;
            }
            else if (count == -Epoll.Again)
            {
                return false;
            }
            else if (count != -Epoll.Interrupted)
            {
                _broken = true;
                connection.SayClosed();
            }
        }

        _sent = _filled = 0;
        if (_buffer.Length > KeptBufferBytes)
        {
            _buffer = new byte[FirstBufferBytes];
        }

        return true;
    }

    private void MakeRoom(int bytes)
    {
        if (_buffer.Length - _filled >= bytes)
        {
            return;
        }

        int kept = _filled - _sent;
        int size = _buffer.Length;
        while (size - kept < bytes)
        {
            size *= 2;
        }

        byte[] larger = new byte[size];
        _buffer.AsSpan(_sent, kept).CopyTo(larger);
        _buffer = larger;
        _sent = 0;
        _filled = kept;
    }
}

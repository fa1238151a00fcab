using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Microsoft.AspNetCore.Connections;

namespace Holdfast.Server.Transport;

/// <summary>
/// What a connection receives. Reads from the socket only when its reader has nothing left to look at: a client that sends
/// faster than it is answered fills the system's buffers, not ours.
/// </summary>
internal sealed class EpollInput(EpollConnection connection) : PipeReader, IValueTaskSource<ReadResult>
{
    private const int FirstBufferBytes = 4096;
    private const int KeptBufferBytes = 32 * 1024;
    private const int ReadsInARow = 16;

    // What the loop and the reader tell each other.
    private const int Quiet = 0; // nothing to read, nobody waits
    private const int Ready = 1; // the socket has, or may have, something
    private const int Waiting = 2; // the reader waits

    private ManualResetValueTaskSourceCore<ReadResult> _read;
    private Segment _buffer = new(new byte[FirstBufferBytes]);
    private int _start;
    private int _end;
    private bool _allExamined = true;
    private bool _filledWhole; // by the last receive
    private bool _ended;
    private int _state;
    private int _cancelled;
    private int _inARow;

    /// <summary>Whether the client has finished, and all it sent was received.</summary>
    public bool HasEnded => _ended;

    /// <summary>The socket may have something, or the connection was aborted: a waiting reader looks.</summary>
    public void MayRead()
    {
        while (true)
        {
            int before = Volatile.Read(ref _state);
            if (before == Ready || Interlocked.CompareExchange(ref _state, Ready, before) == before)
            {
                if (before == Waiting)
                {
                    Resume();
                }

                return;
            }
        }
    }

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();

        // A client that sends faster than it is served would never let another one in.
        bool letOthers = _allExamined && !_ended && ++_inARow > ReadsInARow;
        if (!letOthers && TryRead(out ReadResult result))
        {
            return ValueTask.FromResult(result);
        }

        ValueTask<ReadResult> waiting = Wait(letOthers);
        return cancellationToken.CanBeCanceled ? CancellableAsync(waiting, cancellationToken) : waiting;
    }

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result)
    {
        while (true)
        {
            if (Interlocked.Exchange(ref _cancelled, 0) != 0)
            {
                result = Result(isCanceled: true);
                return true;
            }

            if (!_allExamined || _ended)
            {
                result = Result(isCanceled: false);
                return true;
            }

            if (Interlocked.CompareExchange(ref _state, Quiet, Ready) != Ready)
            {
                result = default;
                return false;
            }

            Receive();
        }
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (consumed.GetObject() is null)
        {
            return; // of an empty result
        }

        _start = consumed.GetInteger();
        _allExamined = examined.GetInteger() >= _end;
        if (_start == _end)
        {
            _start = _end = 0;
            _allExamined = true;
            int size = _buffer.Array.Length;
            if (_filledWhole && size < KeptBufferBytes)
            {
                _buffer = new Segment(new byte[size * 2]); // much is coming: fewer calls
            }
            else if (size > KeptBufferBytes)
            {
                _buffer = new Segment(new byte[FirstBufferBytes]);
            }
        }
    }

    /// <inheritdoc/>
    public override void CancelPendingRead()
    {
        Interlocked.Exchange(ref _cancelled, 1);
        if (Interlocked.CompareExchange(ref _state, Quiet, Waiting) == Waiting)
        {
            // Whoever waited goes on on the pool: who cancels may hold a lock.
            ThreadPool.UnsafeQueueUserWorkItem(static input => input.Resume(), this, preferLocal: false);
        }
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        // What is in the buffer is for nobody; the socket is closed when the connection is let go.
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _read.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _read.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _read.OnCompleted(continuation, state, token, flags);

    private ValueTask<ReadResult> Wait(bool letOthers)
    {
        _inARow = 0;
        _read.Reset();
        var waiting = new ValueTask<ReadResult>(this, _read.Version);
        if (letOthers)
        {
            Interlocked.Exchange(ref _state, Waiting);
            connection.ReadLater();
        }
        else if (!Park())
        {
            Resume();
        }

        return waiting;
    }

    private async ValueTask<ReadResult> CancellableAsync(ValueTask<ReadResult> waiting, CancellationToken cancellationToken)
    {
        await using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static input => ((EpollInput)input!).CancelPendingRead(), this);
        ReadResult result = await waiting;
        if (result.IsCanceled)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        return result;
    }

    /// <summary>Ends a wait: whoever took the state out of <see cref="Waiting"/>, and nobody else, calls it.</summary>
    private void Resume()
    {
        ReadResult result;
        try
        {
            while (!TryRead(out result))
            {
                if (Park())
                {
                    return; // a false alarm
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _read.SetException(e);
            return;
        }

        _read.SetResult(result);
    }

    /// <summary>Begins to wait; false when something has come since one looked.</summary>
    private bool Park() =>
        Interlocked.CompareExchange(ref _state, Waiting, Quiet) == Quiet

        // A cancellation that came before it could see that somebody waits.
        && (Volatile.Read(ref _cancelled) == 0 || Interlocked.CompareExchange(ref _state, Quiet, Waiting) != Waiting);

    private void Receive()
    {
        if (connection.Aborted is { } aborted)
        {
            throw aborted;
        }

        MakeRoom();
        Span<byte> room = _buffer.Array.AsSpan(_end);
        int received = Epoll.Receive(connection.Descriptor, room);
        if (received > 0)
        {
            _end += received;
            _allExamined = false;
            _filledWhole = received == room.Length;
            if (_filledWhole || connection.IsFinishing)
            {
                // There may be more, or the end; and of what was there already nothing is told again.
                Interlocked.CompareExchange(ref _state, Ready, Quiet);
            }

            connection.NoticeEnd();
        }
        else if (received == 0)
        {
            _ended = true;
            connection.SayClosed();
        }
        else if (received is not (-Epoll.Again or -Epoll.Interrupted))
        {
            connection.SayClosed();
            var reason = new SocketException(-received);
            throw new ConnectionResetException(reason.Message, reason);
        }
        else if (received == -Epoll.Interrupted)
        {
            Interlocked.CompareExchange(ref _state, Ready, Quiet);
        }
    }

    private void MakeRoom()
    {
        byte[] array = _buffer.Array;
        if (_end < array.Length)
        {
            return;
        }

        // Nobody looks at it while the reader waits, so what is left may move.
        int kept = _end - _start;
        byte[] roomy = kept > array.Length / 2 ? new byte[array.Length * 2] : array;
        array.AsSpan(_start, kept).CopyTo(roomy);
        if (!ReferenceEquals(roomy, array))
        {
            _buffer = new Segment(roomy);
        }

        _start = 0;
        _end = kept;
    }

    private ReadResult Result(bool isCanceled) =>
        new(new ReadOnlySequence<byte>(_buffer, _start, _buffer, _end), isCanceled, _ended);

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(byte[] array)
        {
            Array = array;
            Memory = array;
        }

        public byte[] Array { get; }
    }
}

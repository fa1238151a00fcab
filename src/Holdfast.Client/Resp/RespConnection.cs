using System.Net;
using System.Net.Sockets;

namespace Holdfast.Client.Resp;

/// <summary>
/// One live TCP connection that pipelines by itself. Callers write their command into the filling buffer and take their
/// place in the line of answers under one lock, so the order of bytes and of places can't differ. Whoever finds no flush
/// running starts one; it sends all that has gathered as one write and repeats until nothing is left.
/// </summary>
internal sealed class RespConnection : IThreadPoolWorkItem, IDisposable
{
    // Bytes that may wait to be sent; beyond, a command is not accepted (the server or the network is not keeping up).
    private const int UnsentBytesMax = 16 * 1024 * 1024;
    private const int ReceiveBytes = 64 * 1024;

    private readonly Socket _socket;
    private readonly int _pendingMax;
    private readonly TimeSpan _attemptTimeout;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly Queue<PendingCommand> _line = new();
    private readonly ITimer _watch;
    private RespWriter _filling = new();
    private RespWriter _sending = new();
    private bool _flushing;
    private Exception? _endedBy;

    private RespConnection(Socket socket, HoldfastClientOptions options)
    {
        _socket = socket;
        _pendingMax = options.PendingCommandsMax;
        _attemptTimeout = new TimeSpan(Math.Min(options.Retry.AttemptTimeout.Ticks, options.Retry.OverallTimeout.Ticks));
        _time = options.TimeProvider;
        var period = TimeSpan.FromTicks(Math.Max(_attemptTimeout.Ticks / 8, TimeSpan.TicksPerMillisecond * 10));
        _watch = _time.CreateTimer(static state => ((RespConnection)state!).EndIfStalled(), this, period, period);
    }

    public bool IsOpen => Volatile.Read(ref _endedBy) is null;

    /// <summary>Socket writes begun; fewer than commands is what pipelining saves.</summary>
    public long Writes { get; private set; }

    public static async Task<RespConnection> OpenAsync(EndPoint endPoint, HoldfastClientOptions options, CancellationToken cancellationToken)
    {
        var socket = endPoint is IPEndPoint ip
            ? new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // Batches are made here; Nagle's algorithm would only hold the last one back.
            socket.NoDelay = true;
            await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        var connection = new RespConnection(socket, options);
        _ = connection.ReadLoopAsync();
        return connection;
    }

    /// <summary>Puts the command in line. The outcome, "not sent" included, arrives at <paramref name="pending"/>.</summary>
    public void Enqueue<TCommand>(in TCommand command, PendingCommand pending)
        where TCommand : struct, IRespCommand
    {
        Completion rejected;
        lock (_gate)
        {
            if (_endedBy is not null)
            {
                rejected = new Completion(CompletionKind.NotSent, default, "connection lost", _endedBy);
            }
            else if (_line.Count >= _pendingMax || _filling.Length >= UnsentBytesMax)
            {
                rejected = new Completion(CompletionKind.NotSent, default, $"the client's own queue is full ({_line.Count} commands waiting)");
            }
            else
            {
                var start = _filling.Length;
                try
                {
                    command.Write(_filling);
                }
                catch
                {
                    _filling.Truncate(start);
                    throw;
                }

                pending.EnqueuedAt = _time.GetTimestamp();
                _line.Enqueue(pending);
                if (!_flushing)
                {
                    _flushing = true;
                    // Not at once on this thread: callers that are about to enqueue get the chance to share the write.
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                }

                return;
            }
        }

        pending.Complete(rejected);
    }

    void IThreadPoolWorkItem.Execute() => _ = FlushAsync();

    public void Dispose() => End(new ObjectDisposedException(nameof(RespHoldfastClient)));

    private async Task FlushAsync()
    {
        try
        {
            while (true)
            {
                lock (_gate)
                {
                    if (_filling.Length == 0 || _endedBy is not null)
                    {
                        _flushing = false;
                        return;
                    }

                    (_filling, _sending) = (_sending, _filling);
                    Writes++;
                }

                for (var rest = _sending.Written; !rest.IsEmpty;)
                {
                    rest = rest[await _socket.SendAsync(rest, SocketFlags.None).ConfigureAwait(false)..];
                }

                _sending.Clear();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            End(e);
        }
    }

    private async Task ReadLoopAsync()
    {
        var buffer = new byte[ReceiveBytes];
        var start = 0;
        var end = 0;
        try
        {
            while (true)
            {
                // The reader's bound on a value ends this growth: it throws before the buffer passes it twice.
                if (end == buffer.Length)
                {
                    var target = start == 0 ? new byte[buffer.Length * 2] : buffer;
                    buffer.AsSpan(start, end - start).CopyTo(target);
                    (buffer, end, start) = (target, end - start, 0);
                }

                var received = await _socket.ReceiveAsync(buffer.AsMemory(end), SocketFlags.None).ConfigureAwait(false);
                if (received == 0)
                {
                    throw new IOException("The server closed the connection.");
                }

                end += received;
                while (start < end && RespReader.TryRead(buffer.AsSpan(start, end - start), out var value, out var consumed))
                {
                    start += consumed;
                    Answer(value);
                }

                if (start == end)
                {
                    start = end = 0;
                }
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or OperationCanceledException or RespFormatException)
        {
            End(e);
        }
    }

    private void Answer(in RespValue value)
    {
        PendingCommand? pending;
        lock (_gate)
        {
            if (!_line.TryDequeue(out pending))
            {
                if (_endedBy is not null)
                {
                    return;
                }

                throw new RespFormatException($"answer without a question: {value}");
            }
        }

        pending.Complete(new Completion(CompletionKind.Reply, value));
    }

    // Answers come in order, so the oldest place in line waits longest: looking at it alone bounds everybody's wait,
    // and no timer is needed for each command.
    private void EndIfStalled()
    {
        bool stalled;
        lock (_gate)
        {
            stalled = _line.TryPeek(out var oldest) && _time.GetElapsedTime(oldest.EnqueuedAt) >= _attemptTimeout;
        }

        if (stalled)
        {
            End(new TimeoutException($"no answer within {_attemptTimeout.TotalSeconds:0.###} s"));
        }
    }

    private void End(Exception because)
    {
        PendingCommand[] lost;
        lock (_gate)
        {
            if (_endedBy is not null)
            {
                return;
            }

            Volatile.Write(ref _endedBy, because);
            lost = [.. _line];
            _line.Clear();
        }

        _watch.Dispose();
        _socket.Dispose();
        var completion = new Completion(CompletionKind.Lost, default, $"connection lost ({because.Message})", because);
        foreach (var pending in lost)
        {
            pending.Complete(completion);
        }
    }
}

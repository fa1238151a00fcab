using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Server.Transport;

/// <summary>One accepted connection, as Kestrel sees it.</summary>
internal sealed class EpollConnection : ConnectionContext, IDuplexPipe, IConnectionIdFeature, IConnectionItemsFeature,
    IConnectionTransportFeature, IConnectionLifetimeFeature, IConnectionEndPointFeature
{
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);
    private static long _lastId;

    private readonly EpollLoop _loop;
    private readonly Socket _socket;
    private readonly EpollInput _input;
    private readonly EpollOutput _output;
    private readonly CancellationTokenSource _closed = new();
    private IDictionary<object, object?>? _items;
    private string? _id;
    private int _saidClosed;
    private int _disposed;
    private volatile bool _finishing;
    private volatile bool _over; // for both sides
    private volatile bool _lingering; // let go on this side, and waiting for the client to end

    private EpollConnection(Socket socket, EpollLoop loop)
    {
        _loop = loop;
        _socket = socket;
        Descriptor = (int)socket.Handle;
        LocalEndPoint = socket.LocalEndPoint;
        RemoteEndPoint = socket.RemoteEndPoint;
        _input = new EpollInput(this);
        _output = new EpollOutput(this);
        Transport = this;
        ConnectionClosed = _closed.Token;
        Features = new FeatureCollection(8);
        Features.Set<IConnectionIdFeature>(this);
        Features.Set<IConnectionItemsFeature>(this);
        Features.Set<IConnectionTransportFeature>(this);
        Features.Set<IConnectionLifetimeFeature>(this);
        Features.Set<IConnectionEndPointFeature>(this);
    }

    /// <summary>The loop's name for it.</summary>
    public ulong Token { get; set; }

    /// <summary>The socket's number.</summary>
    public int Descriptor { get; }

    /// <summary>Whether the client sends no more; what it sent may not have been received yet.</summary>
    public bool IsFinishing => _finishing;

    /// <summary>Why it was aborted on this side, or null.</summary>
    public ConnectionAbortedException? Aborted { get; private set; }

    /// <inheritdoc/>
    public override IDuplexPipe Transport { get; set; }

    /// <inheritdoc/>
    public override string ConnectionId
    {
        get => _id ??= "H" + Interlocked.Increment(ref _lastId).ToString(System.Globalization.CultureInfo.InvariantCulture);
        set => _id = value;
    }

    /// <inheritdoc/>
    public override IFeatureCollection Features { get; }

    /// <inheritdoc/>
    public override IDictionary<object, object?> Items
    {
        get => _items ??= new ConnectionItems();
        set => _items = value;
    }

    /// <inheritdoc/>
    public override CancellationToken ConnectionClosed { get; set; }

    /// <inheritdoc/>
    public override EndPoint? LocalEndPoint { get; set; }

    /// <inheritdoc/>
    public override EndPoint? RemoteEndPoint { get; set; }

    PipeReader IDuplexPipe.Input => _input;

    PipeWriter IDuplexPipe.Output => _output;

    /// <summary>Takes an accepted socket over and watches it.</summary>
    public static EpollConnection Begin(Socket socket, EpollLoop loop)
    {
        var connection = new EpollConnection(socket, loop);
        loop.Watch(connection);
        return connection;
    }

    /// <inheritdoc/>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        Aborted ??= abortReason;
        ShutDown(SocketShutdown.Both);
        SayClosed();

        // Whoever waits goes on on the pool: who aborts may hold a lock.
        ThreadPool.UnsafeQueueUserWorkItem(
            static connection =>
            {
                connection._input.MayRead();
                connection._output.MayWrite();
            },
            this,
            preferLocal: false);
    }

    /// <inheritdoc/>
    public override void Abort() => Abort(new ConnectionAbortedException("The connection was aborted by the server."));

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            // A socket closed over bytes that nobody took resets the connection, and the client may lose the answer that says
            // why. So what it still sends is thrown away for a while, unless it is to be cut off.
            bool linger = Aborted is null && !_input.HasEnded && !_over;
            ShutDown(linger ? SocketShutdown.Send : SocketShutdown.Both);
            if (linger)
            {
                _lingering = true;
                _ = CloseLaterAsync();
            }
            else
            {
                _loop.Close(this);
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Reads on when all other connections have had their turn.</summary>
    public void ReadLater() => _loop.ReadLater(this);

    /// <summary>On the loop's thread: something may be read, written, or is over.</summary>
    public void Happened(uint events)
    {
        bool over = (events & (Epoll.Err | Epoll.Hup)) != 0;
        if (over)
        {
            _over = true;
        }

        if (_lingering)
        {
            if (over || Epoll.Discard(Descriptor))
            {
                _loop.Close(this);
            }

            return;
        }

        if (over || (events & Epoll.PeerClosed) != 0)
        {
            _finishing = true;
        }

        if (over || (events & (Epoll.In | Epoll.PeerClosed)) != 0)
        {
            _input.MayRead();
        }

        if (over || (events & Epoll.Out) != 0)
        {
            _output.MayWrite();
        }

        if (over)
        {
            SayClosed();
        }
        else if ((events & Epoll.PeerClosed) != 0)
        {
            NoticeEnd();
        }
    }

    /// <summary>Tells who serves this connection that the client has finished, as soon as all it sent was received.</summary>
    public void NoticeEnd()
    {
        if (IsFinishing && Volatile.Read(ref _saidClosed) == 0 && Epoll.IsAtEnd(Descriptor))
        {
            SayClosed();
        }
    }

    /// <summary>Says, once, that the connection is over; whoever listens is told on the pool.</summary>
    public void SayClosed()
    {
        if (Interlocked.Exchange(ref _saidClosed, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static c => c._closed.Cancel(), this, preferLocal: false);
        }
    }

    /// <summary>On the loop's thread, after everybody has let go.</summary>
    public void CloseSocket()
    {
        SayClosed();
        _socket.Dispose();
    }

    private async Task CloseLaterAsync()
    {
        _loop.ReadLater(this); // of what has come already no event tells
        await Task.Delay(Linger);
        _loop.Close(this);
    }

    private void ShutDown(SocketShutdown which)
    {
        try
        {
            _socket.Shutdown(which);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over already.
        }
    }
}

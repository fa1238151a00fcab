using System.Collections.Concurrent;
using Holdfast.Engine;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Server.Transport;

/// <summary>
/// Waits for all connections of a server at once, and runs what was waited for right there: a command is received, taken
/// apart and on its way with one system call and without another thread. Nothing that runs here may block. It has a thread
/// for the time in which no space's thread does it.
/// </summary>
internal sealed class EpollLoop : ILoopGuest, IDisposable
{
    private const uint Interest = Epoll.In | Epoll.Out | Epoll.PeerClosed | Epoll.EdgeTriggered;
    private const int EventsAtOnce = 256;
    private const int Forever = -1;
    private const ulong WakeUpToken = ulong.MaxValue;

    private readonly SafeFileHandle _epollHandle = Epoll.Create();
    private readonly SafeFileHandle _wakeUpHandle = Epoll.CreateWakeUp();
    private readonly int _epoll;
    private readonly int _wakeUp;
    private readonly ConcurrentDictionary<ulong, EpollConnection> _connections = new();
    private readonly ConcurrentQueue<EpollConnection> _closing = new();
    private readonly ConcurrentQueue<EpollConnection> _again = new();
    private readonly byte[] _events = new byte[EventsAtOnce * Epoll.EventBytes];
    private readonly object _turn = new(); // held by the thread of its own while that waits and handles
    private int _came;
    private ulong _lastToken;
    private int _hosted;
    private volatile bool _stopping;

    public EpollLoop()
    {
        _epoll = (int)_epollHandle.DangerousGetHandle();
        _wakeUp = (int)_wakeUpHandle.DangerousGetHandle();
        Epoll.Add(_epoll, _wakeUp, Epoll.In, WakeUpToken);
        new Thread(Run) { IsBackground = true, Name = "holdfast sockets" }.Start();
    }

    /// <summary>Whether a space's thread does the work.</summary>
    public bool IsHosted => Volatile.Read(ref _hosted) != 0;

    /// <summary>Begins to watch a connection.</summary>
    public void Watch(EpollConnection connection)
    {
        ulong token = Interlocked.Increment(ref _lastToken);
        connection.Token = token;
        _connections[token] = connection;
        Epoll.Add(_epoll, connection.Descriptor, Interest, token);
    }

    /// <summary>Lets all others have their turn before this connection reads on.</summary>
    public void ReadLater(EpollConnection connection)
    {
        _again.Enqueue(connection);
        Wake();
    }

    /// <summary>Closes a connection's socket where events are handled: so that never touches a number that means another socket by now.</summary>
    public void Close(EpollConnection connection)
    {
        _closing.Enqueue(connection);
        Wake();
    }

    /// <inheritdoc/>
    public bool Enter()
    {
        if (Interlocked.CompareExchange(ref _hosted, 1, 0) != 0)
        {
            return false;
        }

        Wake();
        lock (_turn)
        {
            return true; // the thread of its own is out
        }
    }

    /// <inheritdoc/>
    public void Leave()
    {
        lock (_turn)
        {
            Volatile.Write(ref _hosted, 0);
            Monitor.PulseAll(_turn);
        }
    }

    /// <inheritdoc/>
    public void Wait(int milliseconds) => _came = Epoll.Wait(_epoll, _events, milliseconds);

    /// <inheritdoc/>
    public void Handle()
    {
        int came = _came;
        _came = 0;
        for (int i = 0; i < came; i++)
        {
            (uint happened, ulong token) = Epoll.Event(_events, i);
            if (token == WakeUpToken)
            {
                Epoll.TakeWakeUp(_wakeUp);
            }
            else if (_connections.TryGetValue(token, out EpollConnection? connection))
            {
                connection.Happened(happened);
            }
        }

        // Only those that are there now: who reads on at once again is behind the next events.
        for (int waiting = _again.Count; waiting > 0 && _again.TryDequeue(out EpollConnection? connection); waiting--)
        {
            if (_connections.ContainsKey(connection.Token))
            {
                connection.Happened(Epoll.In);
            }
        }

        CloseSockets();
    }

    /// <inheritdoc/>
    public void Wake() => Epoll.WakeUp(_wakeUp);

    /// <summary>Ends its thread. Connections must have been let go before, and no space's thread be here.</summary>
    public void Dispose()
    {
        _stopping = true;
        Wake();
    }

    private void CloseSockets()
    {
        while (_closing.TryDequeue(out EpollConnection? closing))
        {
            if (_connections.TryRemove(closing.Token, out _))
            {
                closing.CloseSocket();
            }
        }
    }

    private void Run()
    {
        lock (_turn)
        {
            while (!_stopping)
            {
                if (Volatile.Read(ref _hosted) != 0)
                {
                    Monitor.Wait(_turn);
                    continue;
                }

                Wait(Forever);
                Handle();
            }
        }

        CloseSockets();
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Holdfast.Server.Transport;

/// <summary>
/// Kestrel's connections on <see cref="EpollLoop"/>s. Those of RESP are on the one that shares the default space's thread.
/// Those of HTTP too where there are two processors; where there are more, taking HTTP apart has threads of its own.
/// Elsewhere than on Linux Kestrel's own transport serves.
/// </summary>
internal sealed class EpollTransport(EpollLoop shared, int ownLoops) : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private const int Backlog = 4096;
    private const int OwnLoopsMax = 4;

    private readonly EpollLoop[] _own = [.. Enumerable.Range(0, ownLoops).Select(static _ => new EpollLoop())];

    /// <summary>How many threads should take HTTP apart beside the space's: none where it would only take a processor from that one.</summary>
    public static int OwnLoopsFor(int processors) => processors <= 2 ? 0 : Math.Min(processors / 2, OwnLoopsMax);

    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => Epoll.IsSupported && endpoint is IPEndPoint;

    /// <inheritdoc/>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint is IPEndPoint { Address: var address } && address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(endpoint);
            socket.Listen(Backlog);
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw e.SocketErrorCode == SocketError.AddressAlreadyInUse ? new AddressInUseException(e.Message, e) : e;
        }

        return ValueTask.FromResult<IConnectionListener>(new Listener(socket, endpoint is RespEndPoint || _own.Length == 0 ? [shared] : _own));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (EpollLoop loop in _own)
        {
            loop.Dispose();
        }
    }

    private sealed class Listener(Socket socket, EpollLoop[] loops) : IConnectionListener
    {
        private static readonly TimeSpan NoSocketLeft = TimeSpan.FromMilliseconds(100);
        private volatile bool _unbound;
        private uint _accepted;

        public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                Socket? accepted = null;
                try
                {
                    accepted = await socket.AcceptAsync(cancellationToken);
                    accepted.NoDelay = true;
                    accepted.Blocking = false;
                    return EpollConnection.Begin(accepted, loops[_accepted++ % loops.Length]);
                }
                catch (Exception) when (_unbound)
                {
                    accepted?.Dispose();
                    return null; // no more
                }
                catch (Exception e) when (e is SocketException or IOException && accepted is not null)
                {
                    accepted.Dispose(); // gone before it was here
                }
                catch (SocketException e)
                {
                    // Gone before it was accepted, or the process has no number left for it: then others must close first.
                    if (e.SocketErrorCode == SocketError.TooManyOpenSockets)
                    {
                        await Task.Delay(NoSocketLeft, cancellationToken);
                    }
                }
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _unbound = true;
            socket.Dispose();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}

/// <summary>Where RESP listens.</summary>
internal sealed class RespEndPoint(IPEndPoint endpoint) : IPEndPoint(endpoint.Address, endpoint.Port);

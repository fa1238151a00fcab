using System.Net;
using System.Net.Sockets;

namespace Holdfast.Journal.Tests;

/// <summary>
/// A TCP proxy on loopback that can let a request through and cut the line before its reply: the server has done the work,
/// the client can't know.
/// </summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _targetPort;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private volatile bool _cutReplies;
    private volatile bool _refuse;

    public CuttingProxy(int targetPort)
    {
        _targetPort = targetPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>From now on a connection is closed when the server's next reply arrives, before it is passed on.</summary>
    public bool CutReplies
    {
        get => _cutReplies;
        set => _cutReplies = value;
    }

    /// <summary>From now on new connections are closed at once.</summary>
    public bool Refuse
    {
        get => _refuse;
        set => _refuse = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _ = ServeAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using TcpClient down = client;
        if (_refuse)
        {
            return;
        }

        using var up = new TcpClient();
        try
        {
            await up.ConnectAsync(IPAddress.Loopback, _targetPort, _stop.Token);
            Task toServer = CopyAsync(down.GetStream(), up.GetStream(), replies: false);
            Task toClient = CopyAsync(up.GetStream(), down.GetStream(), replies: true);
            await Task.WhenAny(toServer, toClient);
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or IOException)
        {
            // The line is cut: that is this class's work.
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, bool replies)
    {
        byte[] buffer = new byte[1 << 16];
        try
        {
            while (await from.ReadAsync(buffer, _stop.Token) is var read and > 0 && !(replies && _cutReplies))
            {
                await to.WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
        {
            // Cut.
        }
    }
}

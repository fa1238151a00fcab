using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Server.Tests;

/// <summary>Bytes on a socket, however wrong.</summary>
public sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private RawClient()
    {
    }

    public static async Task<RawClient> ConnectAsync(IPEndPoint endpoint)
    {
        var client = new RawClient();
        await client._socket.ConnectAsync(endpoint);
        return client;
    }

    public static string Post(string path, string body) =>
        $"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes);

    /// <summary>What the server says until it closes, or until the time is up (then null).</summary>
    public async Task<string?> ReadToEndAsync(TimeSpan timeout)
    {
        using var end = new CancellationTokenSource(timeout);
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                int read = await _socket.ReceiveAsync(buffer, end.Token);
                if (read == 0)
                {
                    return text.ToString();
                }

                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (SocketException)
        {
            return text.ToString();
        }
    }

    /// <summary>Hangs up, with a reset if asked.</summary>
    public void Leave(bool reset)
    {
        if (reset)
        {
            _socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }

        _socket.Close();
    }

    public void Dispose() => _socket.Dispose();
}

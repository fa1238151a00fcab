using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Client.Resp;

namespace Holdfast.Client.Tests;

/// <summary>A RESP server that answers what a test tells it to, for behaviour that the real server won't show on demand.</summary>
internal sealed class ScriptedRespServer : IAsyncDisposable
{
    /// <summary>As an answer: close the connection instead.</summary>
    public const string Hangup = "\0hangup";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<string[], int, Task<string>> _answer;
    private readonly CancellationTokenSource _stop = new();
    private int _connections;

    /// <param name="answer">From a command and its connection's number (1 is the first) to the raw answer; empty: none.</param>
    public ScriptedRespServer(Func<string[], int, Task<string>> answer)
    {
        _answer = answer;
        _listener.Start();
        _ = AcceptAsync();
    }

    public ScriptedRespServer(Func<string[], int, string> answer)
        : this((command, connection) => Task.FromResult(answer(command, connection)))
    {
    }

    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public ConcurrentQueue<(int Connection, string[] Command)> Received { get; } = new();

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Bytes an answer is cut into; 0 sends it whole.</summary>
    public int ChunkBytes { get; init; }

    public RespHoldfastClient Client(Action<HoldfastClientOptions>? configure = null)
    {
        var options = new HoldfastClientOptions { RespAddress = Address, Retry = { BaseDelay = TimeSpan.FromMilliseconds(1) } };
        configure?.Invoke(options);
        return new RespHoldfastClient(options);
    }

    /// <summary>Waits until so many commands have arrived in all.</summary>
    public async Task ReceivesAsync(int commands)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (Received.Count < commands)
        {
            await Task.Delay(5, patience.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                socket.NoDelay = true;
                _ = ServeAsync(socket, Interlocked.Increment(ref _connections));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(Socket socket, int number)
    {
        using var owned = socket;
        var buffer = new byte[1 << 20];
        var filled = 0;
        try
        {
            while (true)
            {
                var received = await socket.ReceiveAsync(buffer.AsMemory(filled), _stop.Token);
                if (received == 0)
                {
                    return;
                }

                filled += received;
                while (filled > 0 && RespReader.TryRead(buffer.AsSpan(0, filled), out var value, out var consumed))
                {
                    buffer.AsSpan(consumed, filled - consumed).CopyTo(buffer);
                    filled -= consumed;
                    var command = Array.ConvertAll(value.Items, item => item.Text!);
                    Received.Enqueue((number, command));
                    var answer = await _answer(command, number);
                    if (string.Equals(answer, Hangup, StringComparison.Ordinal))
                    {
                        return;
                    }

                    await SendAsync(socket, Encoding.UTF8.GetBytes(answer));
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task SendAsync(Socket socket, byte[] bytes)
    {
        var chunk = ChunkBytes == 0 ? Math.Max(bytes.Length, 1) : ChunkBytes;
        for (var at = 0; at < bytes.Length; at += chunk)
        {
            await socket.SendAsync(bytes.AsMemory(at, Math.Min(chunk, bytes.Length - at)), _stop.Token);
            if (ChunkBytes != 0)
            {
                await Task.Yield();
            }
        }
    }
}

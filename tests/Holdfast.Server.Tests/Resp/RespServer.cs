using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server.Tests.Resp;

/// <summary>A real server with its RESP port open, raw sockets to it, and the tools of Redis.</summary>
internal sealed class RespServer : IAsyncDisposable
{
    private RespServer(RunningServer server)
    {
        Running = server;
        Endpoint = new IPEndPoint(IPAddress.Loopback, HoldfastServer.RespEndpoint(server.App)!.Port);
    }

    public RunningServer Running { get; }

    public IPEndPoint Endpoint { get; }

    public static async Task<RespServer> StartAsync(ServerSettings? settings = null, long units = 1_000_000)
    {
        settings ??= RunningServer.Settings;
        RunningServer running = await RunningServer.StartAsync(settings with { Resp = new IPEndPoint(IPAddress.Loopback, 0) });
        var server = new RespServer(running);
        IHoldfast calls = running.Spaces.Use(running.Spaces.Default);
        (await calls.PutResourceAsync("sku-1", ResourcePolicy.Default)).IsOk.ShouldBeTrue();
        (await calls.AdjustAsync("sku-1", new SupplyAdjustment("opening", "test") { Delta = units })).IsOk.ShouldBeTrue();
        return server;
    }

    public async Task<ResourceView> StockAsync() =>
        (await Running.Spaces.Use(Running.Spaces.Default).GetResourceAsync("sku-1")).Value!;

    /// <summary>Sends bytes on a new connection, closes its sending half, and returns all that comes back.</summary>
    public async Task<string> ExchangeAsync(byte[] bytes, bool byteByByte = false)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(Endpoint);
        try
        {
            for (int at = 0; at < bytes.Length;)
            {
                int part = byteByByte ? 1 : bytes.Length;
                await socket.SendAsync(bytes.AsMemory(at, Math.Min(part, bytes.Length - at)));
                at += part;
            }

            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // It was refused before all of it was sent: what was said is still to be read.
        }

        var answer = new StringBuilder();
        byte[] buffer = new byte[64 * 1024];
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            for (int read; (read = await socket.ReceiveAsync(buffer, patience.Token)) > 0;)
            {
                answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
        }
        catch (SocketException)
        {
            // Reset: bytes of ours were still unread when it closed.
        }

        return answer.ToString();
    }

    public Task<string> ExchangeAsync(params string[] commands) => ExchangeAsync(Encode(commands));

    /// <summary>Commands, their words apart by blanks, as arrays of bulk strings.</summary>
    public static byte[] Encode(params string[] commands)
    {
        var text = new StringBuilder();
        foreach (string command in commands)
        {
            string[] words = command.Split(' ');
            text.Append('*').Append(words.Length).Append("\r\n");
            foreach (string word in words)
            {
                text.Append('$').Append(Encoding.UTF8.GetByteCount(word)).Append("\r\n").Append(word).Append("\r\n");
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Runs a tool of Redis against this server.</summary>
    public async Task<(int ExitCode, string Output)> RunAsync(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, ["-p", Endpoint.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return (process.ExitCode, output + await error);
    }

    public ValueTask DisposeAsync() => Running.DisposeAsync();
}

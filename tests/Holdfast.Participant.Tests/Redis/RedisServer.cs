using System.Diagnostics;
using System.Globalization;
using Holdfast.Cli.Demo;
using Holdfast.TestKit;

namespace Holdfast.Participant.Tests;

/// <summary>A private redis-server on a free loopback port, and redis-cli to look at it.</summary>
public sealed class RedisServer : IAsyncLifetime
{
    private readonly TempFolder _folder = new("holdfast-redis-");
    private Process? _server;
    private int _port;

    public string Address => "127.0.0.1:" + _port.ToString(CultureInfo.InvariantCulture);

    public async ValueTask InitializeAsync()
    {
        _port = FreePort.Next();
        _server = Process.Start(new ProcessStartInfo(
            "redis-server", ["--bind", "127.0.0.1", "--port", _port.ToString(CultureInfo.InvariantCulture), "--dir", _folder.Path, "--save", "", "--loglevel", "warning"])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        _server.OutputDataReceived += (_, _) => { };
        _server.BeginOutputReadLine();
        for (int i = 0; i < 200; i++)
        {
            if ((await CliAsync("PING")).Trim() == "PONG")
            {
                return;
            }

            await Task.Delay(50);
        }

        throw new TimeoutException("redis-server did not start.");
    }

    public async Task<string> CliAsync(params string[] command)
    {
        using Process cli = Process.Start(new ProcessStartInfo("redis-cli", ["-p", _port.ToString(CultureInfo.InvariantCulture), .. command])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        string said = await cli.StandardOutput.ReadToEndAsync();
        await cli.WaitForExitAsync();
        return said;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            _server.Kill();
            await _server.WaitForExitAsync();
        }

        _server?.Dispose();
        _folder.Dispose();
    }
}

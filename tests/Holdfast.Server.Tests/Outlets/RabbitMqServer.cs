using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Holdfast.Cli.Demo;

namespace Holdfast.Server.Tests.Outlets;

/// <summary>A real broker on free loopback ports, with a folder of its own.</summary>
internal sealed class RabbitMqServer : IAsyncDisposable
{
    private readonly TestKit.TempFolder _folder = new();
    private readonly int _port = FreePort.Next();
    private readonly int _distributionPort = FreePort.Next();
    private readonly int _mapperPort = FreePort.Next();
    private Process? _process;

    public string Uri => $"amqp://guest:guest@127.0.0.1:{_port}/";

    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("/usr/lib/rabbitmq/bin/rabbitmq-server") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        await File.WriteAllTextAsync(_folder.File("rabbitmq.conf"), $"listeners.tcp.default = 127.0.0.1:{_port}\nvm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 10MB\n");
        await File.WriteAllTextAsync(_folder.File("plugins"), "[].");
        Set(start, "RABBITMQ_NODENAME", $"holdfast-test-{_port}@localhost");
        Set(start, "RABBITMQ_CONFIG_FILE", _folder.File("rabbitmq.conf"));
        Set(start, "RABBITMQ_ENABLED_PLUGINS_FILE", _folder.File("plugins"));
        Set(start, "RABBITMQ_MNESIA_BASE", _folder.File("data"));
        Set(start, "RABBITMQ_LOG_BASE", _folder.File("log"));
        Set(start, "RABBITMQ_DIST_PORT", _distributionPort.ToString());
        Set(start, "ERL_EPMD_PORT", _mapperPort.ToString());
        Set(start, "ERL_EPMD_ADDRESS", "127.0.0.1");
        Set(start, "HOME", _folder.Path);
        Set(start, "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1");
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        for (int i = 0; i < 600; i++)
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException("rabbitmq-server ended: see " + _folder.File("log"));
            }

            if (await AnswersAsync())
            {
                return;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException("rabbitmq-server didn't start within a minute");
    }

    public async Task KillAsync()
    {
        _process!.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        foreach (Process mapper in Process.GetProcessesByName("epmd"))
        {
            // Only the port mapper that this broker started: it outlives it.
            using (mapper)
            {
                string environment = $"/proc/{mapper.Id}/environ";
                if (File.Exists(environment) && (await File.ReadAllTextAsync(environment)).Contains("ERL_EPMD_PORT=" + _mapperPort, StringComparison.Ordinal))
                {
                    mapper.Kill();
                }
            }
        }

        _folder.Dispose();
    }

    private static void Set(ProcessStartInfo start, string name, string value) => start.Environment[name] = value;

    /// <summary>An AMQP handshake, not only an open port.</summary>
    private async Task<bool> AnswersAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, _port);
            await client.GetStream().WriteAsync(new byte[] { (byte)'A', (byte)'M', (byte)'Q', (byte)'P', 0, 0, 9, 1 });
            using var late = new CancellationTokenSource(2_000);
            return await client.GetStream().ReadAsync(new byte[8], late.Token) > 0;
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }
}

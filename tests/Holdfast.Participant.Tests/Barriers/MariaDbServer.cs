using System.Diagnostics;
using System.Globalization;
using Holdfast.Cli.Demo;
using Holdfast.TestKit;
using MySqlConnector;

namespace Holdfast.Participant.Tests;

/// <summary>A private MariaDB server: own data folder, free port, loopback only. As root it is run as the user "mysql" that its package creates.</summary>
public sealed class MariaDbServer : IAsyncLifetime
{
    private const string User = "mysql";
    private readonly TempFolder _folder = new("holdfast-maria-");
    private Process? _server;
    private int _port;
    private int _databases;

    public async Task<string> CreateDatabaseAsync()
    {
        string name = "t" + Interlocked.Increment(ref _databases).ToString(CultureInfo.InvariantCulture);
        await using var connection = new MySqlConnection(To("mysql"));
        await connection.OpenAsync();
        await using MySqlCommand command = connection.CreateCommand();
        command.CommandText = "create database " + name;
        await command.ExecuteNonQueryAsync();
        return To(name);
    }

    public async ValueTask InitializeAsync()
    {
        string data = Path.Join(_folder.Path, "data");
        List<string> asUser = Environment.IsPrivilegedProcess ? ["--user=" + User] : [];
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", [User, _folder.Path]);
        }

        await RunAsync("mariadb-install-db", [.. asUser, "--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=normal", "--skip-test-db"]);
        _port = FreePort.Next();
        _server = Process.Start(new ProcessStartInfo(
            File.Exists("/usr/sbin/mariadbd") ? "/usr/sbin/mariadbd" : "mariadbd",
            ["--no-defaults", .. asUser, "--datadir=" + data, "--port=" + _port.ToString(CultureInfo.InvariantCulture), "--bind-address=127.0.0.1",
                "--socket=" + Path.Join(_folder.Path, "s"), "--pid-file=" + Path.Join(_folder.Path, "pid"), "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci", "--innodb-buffer-pool-size=32M"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        _server.ErrorDataReceived += (_, _) => { };
        _server.OutputDataReceived += (_, _) => { };
        _server.BeginErrorReadLine();
        _server.BeginOutputReadLine();
        for (int i = 0; ; i++)
        {
            try
            {
                await using var connection = new MySqlConnection(To("mysql"));
                await connection.OpenAsync();
                return;
            }
            catch (MySqlException) when (i < 300 && !_server.HasExited)
            {
                await Task.Delay(100);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false })
        {
            await RunAsync("kill", ["-TERM", _server.Id.ToString(CultureInfo.InvariantCulture)]);
            await _server.WaitForExitAsync();
        }

        _server?.Dispose();
        _folder.Dispose();
    }

    private string To(string database) =>
        $"Server=127.0.0.1;Port={_port.ToString(CultureInfo.InvariantCulture)};Uid=root;Database={database};SslMode=None;CharSet=utf8mb4;Pooling=false";

    private static async Task RunAsync(string program, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {error} {await output}");
        }
    }
}

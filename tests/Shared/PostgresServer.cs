using System.Diagnostics;
using System.Globalization;
using Holdfast.Cli.Demo;
using Xunit;

namespace Holdfast.TestKit;

/// <summary>
/// A private PostgreSQL server for the tests of a class or collection (an xunit fixture): own data folder, free port,
/// loopback only, fsync as shipped. Stopped by its own process id at the end.
/// </summary>
/// <remarks>
/// The server refuses to run as root, so as root it is run as the user "postgres" that its package creates.
/// </remarks>
public sealed class PostgresServer : IAsyncLifetime
{
    private const string User = "postgres";
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

    private readonly TempFolder _folder = new("holdfast-pg-");
    private Process? _server;

    public int Port { get; private set; }

    /// <summary>For Npgsql: the database "postgres" as superuser.</summary>
    public string ConnectionString => ConnectionStringTo(Port);

    private string Data => Path.Join(_folder.Path, "data");

    /// <summary>A database of this server, also through another port, e.g. a proxy's.</summary>
    public static string ConnectionStringTo(int port, string database = "postgres") =>
        $"Host=127.0.0.1;Port={port.ToString(CultureInfo.InvariantCulture)};Username={User};Database={database};Timeout=10";

    /// <summary>Makes an empty database of its own, for one test, and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        string name = "t" + Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture);
        await RunAsPostgresAsync("createdb", ["-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", User, name]);
        return ConnectionStringTo(Port, name);
    }

    public async ValueTask InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            await RunAsync("chown", [User, _folder.Path]);
        }

        await RunAsPostgresAsync("initdb", ["-D", Data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions"]);

        // A port found free can be taken before the server binds it; then another is tried.
        for (int attempt = 1; ; attempt++)
        {
            Port = FreePort.Next();
            try
            {
                await StartAsync();
                return;
            }
            catch (InvalidOperationException) when (attempt < 3)
            {
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is { HasExited: false } && ServerPid() is { } pid)
        {
            // SIGQUIT-like haste isn't needed: "fast" (SIGINT) ends sessions and leaves.
            await RunAsync("kill", ["-INT", pid.ToString(CultureInfo.InvariantCulture)]);
            using var timeout = new CancellationTokenSource(StopTimeout);
            try
            {
                await _server.WaitForExitAsync(timeout.Token);
            }
            catch (OperationCanceledException)
            {
                _server.Kill(entireProcessTree: true);
            }
        }

        _server?.Dispose();
        _folder.Dispose();
    }

    /// <summary>Where Debian, and most others, put the newest installed server's programs.</summary>
    private static string Binary(string name)
    {
        const string Root = "/usr/lib/postgresql";
        string? folder = Directory.Exists(Root)
            ? Directory.GetDirectories(Root).OrderByDescending(d => int.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out int v) ? v : 0).FirstOrDefault()
            : null;
        return folder is null ? name : Path.Join(folder, "bin", name);
    }

    private static ProcessStartInfo AsPostgres(string binary, string[] arguments)
    {
        bool root = Environment.IsPrivilegedProcess;
        return new ProcessStartInfo(root ? "runuser" : Binary(binary), root ? ["-u", User, "--", Binary(binary), .. arguments] : arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
    }

    private static Task RunAsPostgresAsync(string binary, string[] arguments) => RunAsync(AsPostgres(binary, arguments));

    private static Task RunAsync(string program, string[] arguments) =>
        RunAsync(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false });

    private static async Task RunAsync(ProcessStartInfo start)
    {
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{start.FileName} ended with {process.ExitCode}: {error} {await output}");
        }
    }

    private async Task StartAsync()
    {
        string log = "";
        _server = Process.Start(AsPostgres(
            "postgres",
            ["-D", Data, "-p", Port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"]))!;

        // The pipes are drained for as long as it runs: a full pipe would stop the server.
        _server.ErrorDataReceived += (_, line) => log = line.Data ?? log;
        _server.OutputDataReceived += (_, _) => { };
        _server.BeginErrorReadLine();
        _server.BeginOutputReadLine();

        var waited = Stopwatch.StartNew();
        while (!await AnswersAsync())
        {
            if (_server.HasExited || waited.Elapsed > StartTimeout)
            {
                throw new InvalidOperationException($"The PostgreSQL server didn't start: {log}");
            }

            await Task.Delay(50);
        }
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await RunAsPostgresAsync("pg_isready", ["-q", "-h", "127.0.0.1", "-p", Port.ToString(CultureInfo.InvariantCulture)]);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The server's own process id, from the first line of the file that it keeps while it runs.</summary>
    private int? ServerPid()
    {
        string file = Path.Join(Data, "postmaster.pid");
        return File.Exists(file) && int.TryParse(File.ReadLines(file).First(), CultureInfo.InvariantCulture, out int pid) ? pid : null;
    }
}

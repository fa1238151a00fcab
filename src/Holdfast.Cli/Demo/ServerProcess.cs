using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Holdfast.Cli.Serve;

namespace Holdfast.Cli.Demo;

/// <summary>
/// A real server in a process of its own, on a folder and two ports that stay the same over restarts. It has nothing of
/// what is set up where this program was started: neither the holdfast.json there nor settings in the environment, which
/// may mean a shop's real database. It ends when this process does, however that ends.
/// </summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private const int LogLinesMax = 100;
    private const int SignalTerm = 15;
    private static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(60);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    private readonly ConcurrentQueue<string> _log = new();
    private Process? _process;

    public ServerProcess(string data, int httpPort, int respPort)
    {
        Data = Path.GetFullPath(data);
        HttpAddress = new Uri($"http://127.0.0.1:{httpPort}");
        RespAddress = $"127.0.0.1:{respPort}";
    }

    public string Data { get; }

    /// <summary>Its settings by the environment, over restarts; of this process's own it gets none.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    public Uri HttpAddress { get; }

    public string RespAddress { get; }

    /// <summary>The process's id; null while there is none.</summary>
    public int? Id => _process is { HasExited: false } process ? process.Id : null;

    /// <summary>What it printed last.</summary>
    public string Log => string.Join(System.Environment.NewLine, _log);

    /// <summary>Starts it, without waiting.</summary>
    public void Start()
    {
        (string program, string[] before) = Self();
        Directory.CreateDirectory(Data);
        var start = new ProcessStartInfo(
            program, [.. before, "serve", "--data", Data, "--http", HttpAddress.Authority, "--resp", RespAddress, "--journal", "sqlite", ServeCommand.UntilInputEnds])
        {
            WorkingDirectory = Data,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string name in start.Environment.Keys.Where(IsSetting).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach ((string name, string value) in Environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;

        // Drained for as long as it runs: a full pipe would stop the server.
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits until it serves.</summary>
    /// <exception cref="InvalidOperationException">It ended, or didn't serve within a minute.</exception>
    public async Task WaitReadyAsync(CancellationToken cancellationToken = default)
    {
        var waited = Stopwatch.StartNew();
        while (!await IsReadyAsync(cancellationToken))
        {
            if (_process!.HasExited || waited.Elapsed > StartTimeout)
            {
                throw new InvalidOperationException($"The server didn't become ready:{System.Environment.NewLine}{Log}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    /// <summary>Ends it at once, as a power cut would: SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
            _process = null;
        }
    }

    /// <summary>Asks it to drain and end: SIGTERM.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        Process process = _process ?? throw new InvalidOperationException("The server isn't running.");
        if (OperatingSystem.IsWindows())
        {
            process.Kill();
        }
        else
        {
            _ = Signal(process.Id, SignalTerm);
        }

        using var timeout = new CancellationTokenSource(StopTimeout);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new InvalidOperationException($"The server didn't stop within {StopTimeout.TotalSeconds} s of SIGTERM:{System.Environment.NewLine}{Log}", e);
        }

        int code = process.ExitCode;
        process.Dispose();
        _process = null;
        return code;
    }

    /// <summary>Waits until it ends by itself.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> WaitForExitAsync(CancellationToken cancellationToken)
    {
        await _process!.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync() => await KillAsync();

    // In any case of letters, as the server reads them.
    private static bool IsSetting(string variable) =>
        variable.StartsWith("HOLDFAST_", StringComparison.OrdinalIgnoreCase) || variable.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase);

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            using HttpResponseMessage answer = await Http.GetAsync(new Uri(HttpAddress, "/health/ready"), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        _log.Enqueue(line);
        while (_log.Count > LogLinesMax)
        {
            _log.TryDequeue(out _);
        }
    }

    /// <summary>This very program: its own executable, or the runtime with this program's library.</summary>
    private static (string Program, string[] Before) Self()
    {
        string folder = AppContext.BaseDirectory;
        string own = Path.Join(folder, "holdfast" + (OperatingSystem.IsWindows() ? ".exe" : ""));
        if (File.Exists(own))
        {
            return (own, []);
        }

        string runtime = System.Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
        return (runtime, [Path.Join(folder, "holdfast.dll")]);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int id, int signal);
}

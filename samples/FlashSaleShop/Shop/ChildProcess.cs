using System.Diagnostics;

namespace FlashSaleShop.Shop;

/// <summary>Another process of this program.</summary>
internal sealed class ChildProcess(string name, string health, params string[] arguments) : IDisposable
{
    private readonly Lock _starting = new();
    private Process? _process;
    private bool _ended;

    /// <summary>The program that it runs.</summary>
    public string Program { get; init; } = Environment.ProcessPath!;

    public async Task StartAsync()
    {
        string[] own = Path.GetFileNameWithoutExtension(Program) == "dotnet" ? [typeof(ChildProcess).Assembly.Location] : [];
        Process process;
        lock (_starting)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            process = Process.Start(new ProcessStartInfo(Program, [.. own, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            _process = process;
        }

        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrWhiteSpace(line.Data))
            {
                Console.Error.WriteLine($"{name}: {line.Data}");
            }
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        for (int i = 0; i < 600; i++)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{name} ended with {process.ExitCode} before it answered.");
            }

            try
            {
                if ((await http.GetAsync(health)).IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // Not listening yet.
            }

            await Task.Delay(50);
        }

        throw new TimeoutException($"{name} did not answer {health} within 30 seconds.");
    }

    /// <summary>SIGKILL: no goodbye.</summary>
    public void Kill()
    {
        lock (_starting)
        {
            _process?.Kill();
            _process?.WaitForExit();
            _process?.Dispose();
            _process = null;
        }
    }

    /// <summary>Kills it for good: it can't be started again by who still meant to.</summary>
    public void Dispose()
    {
        lock (_starting)
        {
            _ended = true;
            Kill();
        }
    }
}

using System.Diagnostics;

namespace FlashSaleShop.Shop;

/// <summary>Another process of this program.</summary>
internal sealed class ChildProcess(string name, string health, params string[] arguments) : IDisposable
{
    private Process? _process;

    /// <summary>The program that it runs.</summary>
    public string Program { get; init; } = Environment.ProcessPath!;

    public async Task StartAsync()
    {
        string[] own = Path.GetFileNameWithoutExtension(Program) == "dotnet" ? [typeof(ChildProcess).Assembly.Location] : [];
        _process = Process.Start(new ProcessStartInfo(Program, [.. own, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrWhiteSpace(line.Data))
            {
                Console.Error.WriteLine($"{name}: {line.Data}");
            }
        };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        for (int i = 0; i < 600; i++)
        {
            if (_process.HasExited)
            {
                throw new InvalidOperationException($"{name} ended with {_process.ExitCode} before it answered.");
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
        _process?.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
        _process = null;
    }

    public void Dispose() => Kill();
}

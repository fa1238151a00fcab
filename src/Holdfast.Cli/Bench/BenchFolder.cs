using System.Globalization;
using System.Runtime.InteropServices;

namespace Holdfast.Cli.Bench;

/// <summary>The bench's own folder for its files. It goes with the bench, and also when the bench is interrupted.</summary>
internal sealed class BenchFolder : IDisposable
{
    private const int RemoveAttempts = 10;
    private readonly PosixSignalRegistration[] _signals;

    /// <summary>Makes it.</summary>
    /// <param name="name">What the bench is called.</param>
    /// <param name="under">Where; null: in the system's temporary folder.</param>
    public BenchFolder(string name, string? under)
    {
        Path = System.IO.Path.Join(System.IO.Path.GetFullPath(under ?? System.IO.Path.GetTempPath()), "holdfast-" + name);
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(s => PosixSignalRegistration.Create(s, Leave))];
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    /// <summary>A name that no other bench has.</summary>
    public static string NewName() => string.Create(CultureInfo.InvariantCulture, $"bench-{Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..8]}");

    public void Dispose()
    {
        Remove();
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }
    }

    /// <summary>What runs isn't waited for: its numbers are worth nothing any more.</summary>
    private void Leave(PosixSignalContext context)
    {
        context.Cancel = true;
        Remove();
        Print.Error("stopped before the end");
        Environment.Exit(ExitCode.Bad);
    }

    private void Remove()
    {
        for (int attempt = 1; Directory.Exists(Path); attempt++)
        {
            try
            {
                Directory.Delete(Path, recursive: true);
            }
            catch (IOException) when (attempt < RemoveAttempts)
            {
                // The space that still runs made another file meanwhile.
            }
        }
    }
}

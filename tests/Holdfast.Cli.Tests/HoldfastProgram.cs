using System.Diagnostics;

namespace Holdfast.Cli.Tests;

/// <summary>Runs the real program as a user does, and waits for its end.</summary>
internal static class HoldfastProgram
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    public static string Path { get; } = System.IO.Path.Join(AppContext.BaseDirectory, "holdfast");

    public static Task<ProgramRun> RunAsync(params string[] arguments) => RunAsync(new ProcessStartInfo(Path, arguments));

    /// <summary>Runs it in the folder and the environment that <paramref name="start"/> names.</summary>
    public static async Task<ProgramRun> RunAsync(ProcessStartInfo start)
    {
        using Process process = Start(start);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new ProgramRun(process.ExitCode, await output, await error);
    }

    /// <summary>Starts it; its output is the caller's to read.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.UseShellExecute = false;
        return Process.Start(start)!;
    }
}

internal sealed record ProgramRun(int ExitCode, string Output, string Error)
{
    /// <summary>The number of the line <c>name: number</c>.</summary>
    public double Number(string name)
    {
        string line = Output.Split('\n').SingleOrDefault(l => l.StartsWith(name + ": ", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"There is no single line '{name}: ...' in:\n{Output}\n{Error}");
        return double.Parse(line[(name.Length + 2)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}

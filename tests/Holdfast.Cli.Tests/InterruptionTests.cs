using System.Diagnostics;
using System.Globalization;
using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

/// <summary>A demo or a bench that is ended before its end leaves neither a server nor a folder behind.</summary>
public sealed class InterruptionTests : IDisposable
{
    // Far above what an end takes: only a process that would stay for ever is given up.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData(Signal.HangUp)]
    [InlineData(Signal.Interrupt)]
    [InlineData(Signal.Terminate)]
    public async Task A_demo_that_is_stopped_takes_its_server_and_its_folder_along(int signal)
    {
        InheritedSignals.SkipWhenIgnored(signal);
        using Process demo = Start("demo", "--kills", "0");
        Task<string> errors = demo.StandardError.ReadToEndAsync();
        Process server = await ServerOfAsync(demo);
        try
        {
            Signal.Send(demo.Id, signal);
            await demo.WaitForExitAsync().WaitAsync(Patience);
            await server.WaitForExitAsync().WaitAsync(Patience);
            demo.ExitCode.ShouldBe(1);
            (await errors).ShouldContain("stopped before the end");
            Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty();
        }
        finally
        {
            End(demo, server);
        }
    }

    [Fact]
    public async Task The_server_of_a_demo_that_was_killed_ends_by_itself()
    {
        using Process demo = Start("demo", "--kills", "0");
        Process server = await ServerOfAsync(demo);
        try
        {
            Signal.Send(demo.Id, Signal.Kill);
            await demo.WaitForExitAsync().WaitAsync(Patience);
            await server.WaitForExitAsync().WaitAsync(Patience);
        }
        finally
        {
            End(demo, server);
        }
    }

    [Theory]
    [InlineData(Signal.HangUp, "round 1", "bench", "--callers", "64")]
    [InlineData(Signal.Interrupt, "round 1", "bench", "--callers", "64")]
    [InlineData(Signal.Terminate, "round 1", "bench", "--callers", "64")]
    [InlineData(Signal.Terminate, "checkouts", "bench", "--payments", "callbacks", "--callers", "64")]
    public async Task A_bench_that_is_stopped_takes_its_folder_along(int signal, string at, params string[] arguments)
    {
        InheritedSignals.SkipWhenIgnored(signal);
        using Process bench = Start([.. arguments, "--count", "200000", "--data", _folder.Path]);
        Task<string> errors = bench.StandardError.ReadToEndAsync();
        try
        {
            await LineAsync(bench, at);
            Directory.EnumerateFileSystemEntries(_folder.Path).ShouldNotBeEmpty();
            Signal.Send(bench.Id, signal);
            await bench.WaitForExitAsync().WaitAsync(Patience);
            bench.ExitCode.ShouldBe(1);
            (await errors).ShouldContain("stopped before the end");
            Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty();
        }
        finally
        {
            End(bench);
        }
    }

    public void Dispose() => _folder.Dispose();

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(HoldfastProgram.Path, arguments);
        start.Environment["TMPDIR"] = _folder.Path;
        start.Environment["DOTNET_EnableDiagnostics"] = "0"; // the runtime's own files in the temporary folder
        return HoldfastProgram.Start(start);
    }

    /// <summary>The demo's server, once shoppers are at it.</summary>
    private static async Task<Process> ServerOfAsync(Process demo)
    {
        await LineAsync(demo, "rush: ");
        string children = await File.ReadAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"/proc/{demo.Id}/task/{demo.Id}/children"));
        foreach (string thread in Directory.GetDirectories(string.Create(CultureInfo.InvariantCulture, $"/proc/{demo.Id}/task")))
        {
            children += " " + await File.ReadAllTextAsync(Path.Join(thread, "children"));
        }

        int id = children.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(c => int.Parse(c, CultureInfo.InvariantCulture)).Distinct().ShouldHaveSingleItem();
        return Process.GetProcessById(id);
    }

    /// <summary>Reads what it prints up to a line, and the rest in the background.</summary>
    private static async Task LineAsync(Process process, string start)
    {
        while (true)
        {
            string? line = await process.StandardOutput.ReadLineAsync();
            line.ShouldNotBeNull($"it ended before it said '{start}...'");
            if (line.StartsWith(start, StringComparison.Ordinal))
            {
                break;
            }
        }

        _ = process.StandardOutput.ReadToEndAsync();
    }

    private static void End(params Process[] processes)
    {
        foreach (Process process in processes.Where(p => !p.HasExited))
        {
            process.Kill();
        }
    }
}

using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

public sealed class BenchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    [Fact]
    public async Task Prints_its_lines_and_leaves_nothing_behind()
    {
        ProgramRun run = await HoldfastProgram.RunAsync("bench", "--callers", "64", "--count", "20000", "--data", _folder.Path, "--latency", "--replay");

        run.ExitCode.ShouldBe(0, run.Error);
        run.Number("callers").ShouldBe(64);
        foreach (string name in new[]
                 {
                     "holds per second", "round 1 holds per second", "round 3 holds per second", "refusals per second", "batch size mean",
                     "bytes per live hold", "allocated bytes per hold", "cpu cores used", "latency p50 ms", "latency p99 ms", "latency p99.9 ms",
                     "latency max ms", "half load holds per second", "half load latency p99 ms", "half load latency max ms", "replay events per second",
                 })
        {
            run.Number(name).ShouldBeGreaterThan(0, name);
        }

        run.Number("batch size mean").ShouldBeLessThanOrEqualTo(64, "no caller has two requests underway");
        run.Number("latency p99 ms").ShouldBeGreaterThanOrEqualTo(run.Number("latency p50 ms"));
        run.Number("journal writes while sold out").ShouldBe(0);

        // A put, its supply and every hold of every round; nothing else writes.
        run.Number("replay events").ShouldBeGreaterThan(65_000);
        Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty();
    }

    [Fact]
    public async Task Measures_transactions()
    {
        ProgramRun holds = await HoldfastProgram.RunAsync("bench", "--transactions", "holds", "--callers", "32", "--count", "2000", "--data", _folder.Path);
        holds.ExitCode.ShouldBe(0, holds.Error);
        holds.Number("transactions per second").ShouldBeGreaterThan(0);
        ProgramRun http = await HoldfastProgram.RunAsync("bench", "--transactions", "http", "--callers", "32", "--count", "500", "--data", _folder.Path);
        http.ExitCode.ShouldBe(0, http.Error);
        http.Number("share of bare calls").ShouldBeGreaterThan(0);
        (await HoldfastProgram.RunAsync("bench", "--transactions", "sql")).ExitCode.ShouldBe(2);
    }

    [Fact]
    public async Task Grows_to_the_live_holds_asked_for()
    {
        ProgramRun run = await HoldfastProgram.RunAsync("bench", "--callers", "64", "--live", "30000", "--data", _folder.Path, "--no-views");

        run.ExitCode.ShouldBe(0, run.Error);
        run.Number("live holds").ShouldBe(30_000);
        run.Number("rate at 10000 live").ShouldBeGreaterThan(0);
        run.Number("rate at 30000 live").ShouldBeGreaterThan(0);
        run.Number("rate ratio").ShouldBeGreaterThan(0);
        run.Number("longest pause ms").ShouldBeGreaterThan(0);
        run.Number("longest sleep of a thread that only sleeps 1 ms at a time, ms").ShouldBeGreaterThanOrEqualTo(1);
        run.Number("bytes per live hold").ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Payments_are_measured_in_a_folder_of_their_own()
    {
        ProgramRun run = await HoldfastProgram.RunAsync("bench", "--payments", "callbacks", "--callers", "4", "--count", "20", "--data", _folder.Path);
        run.ExitCode.ShouldBe(0, run.Error);
        run.Number("stripe callbacks per second").ShouldBeGreaterThan(0);
        Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty("a folder named by --data may be a shop's");
    }

    [Theory]
    [InlineData("--callers", "0")]
    [InlineData("--count", "x")]
    [InlineData("--journal", "paper")]
    [InlineData("--journal", "postgres")]
    public async Task A_bad_argument_is_refused(string option, string value) =>
        (await HoldfastProgram.RunAsync("bench", option, value)).ExitCode.ShouldBe(2);

    public void Dispose() => _folder.Dispose();
}

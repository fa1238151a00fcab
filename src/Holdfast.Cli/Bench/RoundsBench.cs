using System.Diagnostics;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Cli.Bench;

/// <summary>Rounds of new holds, then of refusals; then, when asked for, latency at half load and replay.</summary>
internal sealed class RoundsBench(BenchSettings settings)
{
    private const int Rounds = 3;
    private const long PlentyOfUnits = 1_000_000_000_000;
    private static readonly TimeSpan OpenLoopLength = TimeSpan.FromSeconds(10);

    private long _nextNumber;

    public async Task<int> RunAsync()
    {
        await using BenchSpace bench = await BenchSpace.OpenAsync(settings);
        Space space = bench.Space;
        byte[][] resources = await Task.WhenAll(Enumerable.Range(1, settings.Resources).Select(i => bench.SupplyAsync($"sku-{i}", PlentyOfUnits)));
        long memoryBefore = BenchSpace.MemoryBytes();
        var loop = new ClosedLoop(space, resources, settings.Callers);
        int warmUp = Math.Clamp(settings.Count / 4, 1, 500_000);
        LoopRun first = await loop.RunAsync(Take(warmUp), warmUp);
        Print.Value("warm-up holds per second", first.PerSecond);

        double perSecond = await HoldsAsync(loop);
        Print.Value("bytes per live hold", await bench.BytesPerLiveHoldAsync(memoryBefore), 1);
        Print.Value("live holds", space.Metrics.LiveHolds);
        Print.Value("hold id bytes", HoldIds.IdBytes);

        bool quiet = await RefusalsAsync(bench);
        if (settings.Latency)
        {
            await LatencyAsync(space, resources, perSecond / 2);
        }

        if (settings.Replay)
        {
            await bench.CloseAsync();
            await ReplayAsync(bench);
        }

        return quiet ? ExitCode.Good : ExitCode.Bad;
    }

    private async Task<double> HoldsAsync(ClosedLoop loop)
    {
        var runs = new List<LoopRun>();
        var waits = new Percentiles();
        for (int round = 1; round <= Rounds; round++)
        {
            LoopRun run = await loop.RunAsync(Take(settings.Count), settings.Count);
            Print.Value($"round {round} holds per second", run.PerSecond);
            waits.Add(run.Samples);
            runs.Add(run);
        }

        LoopRun median = runs.OrderBy(r => r.PerSecond).ElementAt(Rounds / 2);
        Print.Value("holds per second", median.PerSecond);
        waits.Print("latency");
        Print.Value("batch size mean", median.Count / (double)Math.Max(1, median.Batches));
        Print.Value("allocated bytes per hold", median.AllocatedBytes / (double)median.Count, 1);
        Print.Value("cpu cores used", median.CpuCores, 2);
        return median.PerSecond;
    }

    /// <summary>The same loop against a resource that is sold out: refusals must not touch the journal.</summary>
    private async Task<bool> RefusalsAsync(BenchSpace bench)
    {
        byte[] soldOut = await bench.SupplyAsync("sold-out", 1);
        var loop = new ClosedLoop(bench.Space, [soldOut], settings.Callers);
        await loop.RunAsync(Take(1), 1);
        int warmUp = Math.Clamp(settings.Count / 10, 1, 100_000);
        await loop.RunAsync(Take(warmUp), warmUp, Code.Insufficient);

        var runs = new List<LoopRun>();
        for (int round = 1; round <= Rounds; round++)
        {
            LoopRun run = await loop.RunAsync(Take(settings.Count), settings.Count, Code.Insufficient);
            Print.Value($"round {round} refusals per second", run.PerSecond);
            runs.Add(run);
        }

        long batches = runs.Sum(r => r.Batches);
        Print.Value("refusals per second", runs.OrderBy(r => r.PerSecond).ElementAt(Rounds / 2).PerSecond);
        Print.Value("journal writes while sold out", batches);
        if (batches > 0)
        {
            Print.Error("refusals wrote to the journal");
        }

        return batches == 0;
    }

    private async Task LatencyAsync(Space space, byte[][] resources, double perSecond)
    {
        // Once as a warm-up: this loop's own code is new to the compiler.
        var warmUp = new OpenLoop(space, resources, perSecond, TimeSpan.FromSeconds(1));
        await warmUp.RunAsync(Take((int)perSecond));

        var loop = new OpenLoop(space, resources, perSecond, OpenLoopLength);
        var waits = new Percentiles();
        TimeSpan paused = GC.GetTotalPauseDuration();
        int collections = GC.CollectionCount(0);
        waits.Add(await loop.RunAsync(Take((int)(perSecond * OpenLoopLength.TotalSeconds))));
        paused = GC.GetTotalPauseDuration() - paused;
        collections = GC.CollectionCount(0) - collections;
        Print.Value("half load holds per second", perSecond);
        waits.Print("half load latency");
        Print.Value("half load collections", collections);
        Print.Value("half load collections' mean pause ms", paused.TotalMilliseconds / Math.Max(1, collections), 2);
        Print.Value("half load arrivals that had to wait for a place", loop.Blocked);
    }

    private async Task ReplayAsync(BenchSpace bench)
    {
        (Space space, IJournalStore store) = bench.Reopen(settings);
        await using (store)
        await using (space)
        {
            long began = Stopwatch.GetTimestamp();
            await space.StartAsync();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
            long events = space.Durable.Events;
            Print.Value("replay events", events);
            Print.Value("replay seconds", elapsed.TotalSeconds, 2);
            Print.Value("replay events per second", events / elapsed.TotalSeconds);
        }
    }

    private long Take(int count)
    {
        long first = _nextNumber;

        // An even number, so that no two runs share an owner.
        _nextNumber += count + (count % 2) + 2;
        return first;
    }
}

using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Cli.Bench;

/// <summary>
/// Grows to many live holds and looks for stalls on the way; then compares the rate at that size with the rate at ten
/// thousand.
/// </summary>
/// <remarks>
/// The rate at a size is measured with a try and a cancel for each hold, so that the size stays; both count. Ids are
/// forgotten at once here (a retention of a millisecond instead of a day), or ten thousand live holds would soon stand
/// among millions of finished ones.
/// </remarks>
internal sealed class LiveBench(BenchSettings settings)
{
    private const int Small = 10_000;
    private const int Step = 1_000_000;
    private const int ChurnMax = 500_000;
    private const int ChurnRounds = 3;
    private static readonly HoldOptions ForgetsAtOnce = new() { RetentionMs = 1 };

    private readonly int _churn = Math.Min(ChurnMax, Math.Max(Small, settings.Live));
    private long _nextNumber;

    public async Task<int> RunAsync()
    {
        await using BenchSpace bench = await BenchSpace.OpenAsync(settings, ForgetsAtOnce);
        byte[] resource = await bench.SupplyAsync("sku-1", 1_000_000_000_000);
        var loop = new ClosedLoop(bench.Space, [resource], settings.Callers);
        long memoryBefore = BenchSpace.MemoryBytes();

        int small = Math.Min(Small, settings.Live);
        await loop.RunAsync(Take(small), small);
        await loop.RunAsync(Take(_churn), _churn, cancelEach: true);
        double rateWhenSmall = await RateAsync(loop, small);

        // The last cancelled holds are forgotten by a batch of its own; it must not count as the beginning of the load.
        await Task.Delay(TimeSpan.FromMilliseconds(250));
        await GrowAsync(bench.Space, loop, small);
        Print.Value("bytes per live hold", await bench.BytesPerLiveHoldAsync(memoryBefore), 1);

        if (settings.Views)
        {
            Print.Note("waiting for the views, which follow at their own pace");
            TimeSpan? caughtUp = await bench.CatchUpAsync(TimeSpan.FromMinutes(10));
            Print.Value("views caught up after s", caughtUp is { } t ? t.TotalSeconds.ToString("F1", System.Globalization.CultureInfo.InvariantCulture) : "not within ten minutes");
        }

        double rateWhenLarge = await RateAsync(loop, settings.Live);
        Print.Value("rate ratio", rateWhenLarge / rateWhenSmall, 3);
        Print.Value("live holds", bench.Space.Metrics.LiveHolds);
        return ExitCode.Good;
    }

    /// <summary>Both watches end with the growth: the rates at both sizes are measured without them.</summary>
    private async Task GrowAsync(Space space, ClosedLoop loop, int small)
    {
        using var pauses = new PauseWatch(space);
        using var bystander = new Bystander();
        var waits = new Percentiles();
        for (int live = small; live < settings.Live;)
        {
            int count = Math.Min(settings.Live, ((live / Step) + 1) * Step) - live;
            pauses.Begin();
            LoopRun run = await loop.RunAsync(Take(count), count);
            live += count;
            waits.Add(run.Samples);
            Print.Value($"growing to {live} live, holds per second", run.PerSecond);
        }

        Print.Value("longest pause ms", pauses.LongestMs, 1);
        Print.Value("longest sleep of a thread that only sleeps 1 ms at a time, ms", bystander.LongestMs, 1);
        Print.Value("longest answer ms", waits.Max, 1);
    }

    private async Task<double> RateAsync(ClosedLoop loop, int live)
    {
        var rates = new List<double>();
        for (int round = 0; round < ChurnRounds; round++)
        {
            // A try and a cancel each.
            rates.Add(2 * (await loop.RunAsync(Take(_churn), _churn, cancelEach: true)).PerSecond);
        }

        rates.Sort();
        Print.Value($"rate at {live} live", rates[ChurnRounds / 2]);
        return rates[ChurnRounds / 2];
    }

    private long Take(int count)
    {
        long first = _nextNumber;
        _nextNumber += count + (count % 2);
        return first;
    }
}

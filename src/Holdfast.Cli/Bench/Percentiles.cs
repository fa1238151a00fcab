using System.Diagnostics;
using HdrHistogram;

namespace Holdfast.Cli.Bench;

/// <summary>Percentiles of waits, in milliseconds.</summary>
internal sealed class Percentiles
{
    private static readonly long LongestTicks = Stopwatch.Frequency * 3600;
    private readonly LongHistogram _histogram = new(1, LongestTicks, 3);

    public void Add(ReadOnlySpan<long> ticks)
    {
        foreach (long wait in ticks)
        {
            _histogram.RecordValue(Math.Clamp(wait, 1, LongestTicks));
        }
    }

    public double At(double percentile) => Milliseconds(_histogram.GetValueAtPercentile(percentile));

    public double Max => Milliseconds(_histogram.GetMaxValue());

    /// <summary>Prints p50, p99, p99.9 and max, each on its line.</summary>
    public void Print(string name)
    {
        foreach ((string label, double percentile) in new[] { ("p50", 50), ("p99", 99), ("p99.9", 99.9) })
        {
            Cli.Print.Value($"{name} {label} ms", At(percentile), 3);
        }

        Cli.Print.Value($"{name} max ms", Max, 3);
    }

    private static double Milliseconds(long ticks) => ticks * 1000.0 / Stopwatch.Frequency;
}

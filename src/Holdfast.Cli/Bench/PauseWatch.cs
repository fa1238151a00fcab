using System.Diagnostics;
using Holdfast.Engine;

namespace Holdfast.Cli.Bench;

/// <summary>The longest time between two batches that became durable one after the other, while load is on.</summary>
internal sealed class PauseWatch : IDisposable
{
    private readonly Space _space;
    private long _last;
    private long _longest;

    public PauseWatch(Space space)
    {
        _space = space;
        space.BatchDurable += OnBatch;
    }

    /// <summary>The longest pause so far.</summary>
    public double LongestMs => Volatile.Read(ref _longest) * 1000.0 / Stopwatch.Frequency;

    /// <summary>Load begins anew: what lies before is no pause.</summary>
    public void Begin() => Volatile.Write(ref _last, 0);

    public void Dispose() => _space.BatchDurable -= OnBatch;

    // On the journal's thread only.
    private void OnBatch(long sequence)
    {
        long now = Stopwatch.GetTimestamp();
        if (_last != 0 && now - _last > _longest)
        {
            Volatile.Write(ref _longest, now - _last);
        }

        _last = now;
    }
}

namespace Holdfast.Engine.Projection;

/// <summary>
/// How fast work beside the loop may go: at full speed while the space has little to do, and with long rests while it is
/// busy, so that it costs about an eighth of one processor then. What stays behind is caught up afterwards.
/// </summary>
internal sealed class Pace(Space space, TimeProvider time)
{
    private const int RestFactorWhileBusy = 7;
    private const double BusyEventsPerSecond = 1_000;
    private const int BusyQueueLength = 256;
    private static readonly TimeSpan MeasureEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(1);

    private long _measuredAt = time.GetTimestamp();
    private long _events = space.Metrics.Events;

    /// <summary>Whether the loop needs the processor.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Rests as long as is due after so much work; not at all while the space is idle.</summary>
    public async ValueTask RestAsync(TimeSpan worked, CancellationToken cancellationToken)
    {
        Measure();
        if (IsBusy)
        {
            TimeSpan rest = worked * RestFactorWhileBusy;
            await Task.Delay(rest < LongestRest ? rest : LongestRest, time, cancellationToken);
        }
    }

    private void Measure()
    {
        TimeSpan elapsed = time.GetElapsedTime(_measuredAt);
        if (elapsed >= MeasureEvery)
        {
            long events = space.Metrics.Events;
            IsBusy = (events - _events) / elapsed.TotalSeconds > BusyEventsPerSecond;
            _measuredAt = time.GetTimestamp();
            _events = events;
        }

        IsBusy |= space.QueueLength > BusyQueueLength;
    }
}

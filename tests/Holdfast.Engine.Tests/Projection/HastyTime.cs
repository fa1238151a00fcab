namespace Holdfast.Engine.Tests.Projection;

/// <summary>The real clock, but whoever waits is woken a hundred times sooner: for tests of what waits and tries again.</summary>
internal sealed class HastyTime : TimeProvider
{
    private const int Haste = 100;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Shorter(dueTime), Shorter(period));

    private static TimeSpan Shorter(TimeSpan time) => time <= TimeSpan.Zero ? time : time / Haste;
}

namespace Holdfast.Engine;

/// <summary>Wakes one sleeper. Ringing costs a fence and a read unless the sleeper sleeps.</summary>
internal sealed class Doorbell
{
    private const long Awake = long.MaxValue;

    private readonly ManualResetEventSlim _rung = new(false, 0);

    // From which visitor on the sleeper wants to be woken.
    private long _wakeAt = Awake;

    /// <summary>Who shares the sleeper's thread: it is waited for at the same time. Set by the sleeper.</summary>
    public ILoopGuest? Guest { get; set; }

    /// <summary>Wakes the sleeper, if it sleeps or is about to.</summary>
    public void Ring() => Ring(Awake - 1);

    /// <summary>The same, if the sleeper wants to be woken for this visitor or an earlier one. Visitors are numbered in their order.</summary>
    public void Ring(long visitor)
    {
        // The full fence orders what the sleeper is to find before the read of what it wants.
        Interlocked.MemoryBarrier();
        if (visitor >= Volatile.Read(ref _wakeAt) && Interlocked.Exchange(ref _wakeAt, Awake) != Awake)
        {
            if (Guest is { } guest)
            {
                guest.Wake();
            }
            else
            {
                _rung.Set();
            }
        }
    }

    /// <summary>Looks what has come for the guest, if there is one, without sleeping.</summary>
    public void Look() => Guest?.Wait(0);

    /// <summary>
    /// Sleeps until it is rung, the guest has something, or the time is up; not at all when what is waited for is there. What has come
    /// for the guest is not handled yet.
    /// </summary>
    /// <param name="ready">Looks for what is waited for; whoever brings it rings afterwards.</param>
    /// <param name="milliseconds">The longest sleep.</param>
    /// <param name="wakeAt">The first visitor to be woken for.</param>
    public void Wait(Func<bool> ready, int milliseconds, long wakeAt = 0)
    {
        _rung.Reset();

        // Announced first, looked second: what came in between either is seen here, or its bringer sees the announcement.
        Interlocked.Exchange(ref _wakeAt, wakeAt);
        bool isReady = ready();
        if (Guest is { } guest)
        {
            guest.Wait(isReady ? 0 : milliseconds);
        }
        else if (!isReady)
        {
            _rung.Wait(milliseconds);
        }

        Volatile.Write(ref _wakeAt, Awake);
    }
}

namespace Holdfast.Engine;

/// <summary>Wakes one sleeper. Ringing costs a fence and a read unless the sleeper sleeps.</summary>
internal sealed class Doorbell
{
    private readonly ManualResetEventSlim _rung = new(false, 0);
    private int _waiting;

    /// <summary>Who shares the sleeper's thread: it is waited for at the same time, and handled after each wait. Set by the sleeper.</summary>
    public ILoopGuest? Guest { get; set; }

    /// <summary>Wakes the sleeper, if it sleeps or is about to.</summary>
    public void Ring()
    {
        // The full fence orders what the sleeper is to find before the flag's read.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waiting) != 0 && Interlocked.Exchange(ref _waiting, 0) != 0)
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

    /// <summary>Lets the guest, if there is one, handle what has come, without sleeping.</summary>
    public void Look()
    {
        Guest?.Wait(0);
        Guest?.Handle();
    }

    /// <summary>Sleeps until it is rung, the guest has something, or the time is up; not at all when what is waited for is there.</summary>
    /// <param name="ready">Looks for what is waited for; whoever brings it rings afterwards.</param>
    /// <param name="milliseconds">The longest sleep.</param>
    public void Wait(Func<bool> ready, int milliseconds)
    {
        _rung.Reset();

        // Announced first, looked second: what came in between either is seen here, or its bringer sees the flag.
        Interlocked.Exchange(ref _waiting, 1);
        bool isReady = ready();
        if (Guest is { } guest)
        {
            guest.Wait(isReady ? 0 : milliseconds);
        }
        else if (!isReady)
        {
            _rung.Wait(milliseconds);
        }

        Volatile.Write(ref _waiting, 0);
        Guest?.Handle();
    }
}

namespace Holdfast.Engine;

/// <summary>Wakes one sleeper. Ringing costs a fence and a read unless the sleeper sleeps.</summary>
internal sealed class Doorbell
{
    private readonly ManualResetEventSlim _rung = new(false, 0);
    private int _waiting;

    /// <summary>Wakes the sleeper, if it sleeps or is about to.</summary>
    public void Ring()
    {
        // The full fence orders what the sleeper is to find before the flag's read.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waiting) != 0 && Interlocked.Exchange(ref _waiting, 0) != 0)
        {
            _rung.Set();
        }
    }

    /// <summary>Sleeps until it is rung or the time is up; not at all when what is waited for is there.</summary>
    /// <param name="ready">Looks for what is waited for; whoever brings it rings afterwards.</param>
    /// <param name="milliseconds">The longest sleep.</param>
    public void Wait(Func<bool> ready, int milliseconds)
    {
        _rung.Reset();

        // Announced first, looked second: what came in between either is seen here, or its bringer sees the flag.
        Interlocked.Exchange(ref _waiting, 1);
        if (!ready())
        {
            _rung.Wait(milliseconds);
        }

        Volatile.Write(ref _waiting, 0);
    }
}

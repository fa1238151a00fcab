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

    /// <summary>The sleeper's first step. What it waits for must be looked for again between this and <see cref="Sleep"/>.</summary>
    public void Prepare()
    {
        _rung.Reset();
        Interlocked.Exchange(ref _waiting, 1);
    }

    /// <summary>Sleeps until a ring since <see cref="Prepare"/> or until the time is up.</summary>
    public void Sleep(int milliseconds)
    {
        _rung.Wait(milliseconds);
        Volatile.Write(ref _waiting, 0);
    }

    /// <summary>Instead of <see cref="Sleep"/>, when what was waited for is there already.</summary>
    public void Stay() => Volatile.Write(ref _waiting, 0);
}

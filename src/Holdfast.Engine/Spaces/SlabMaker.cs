using Holdfast.Engine.Projection;
using Holdfast.Kernel.Memory;

namespace Holdfast.Engine;

/// <summary>The process's thread that makes memory ready for growing spaces, so that no loop waits for the system to find some.</summary>
internal static class SlabMaker
{
    private static readonly AutoResetEvent Wanted = new(initialState: false);
    private static int _started;

    /// <summary>Looks after the reserve from now on. The thread begins with the first space that has grown large.</summary>
    public static void Attach()
    {
        if (Interlocked.Exchange(ref _started, 1) == 0)
        {
            SlabReserve.Low += static () =>
            {
                if (Interlocked.Exchange(ref _started, 2) == 1)
                {
                    new Thread(Run) { IsBackground = true, Name = "holdfast memory" }.Start();
                }

                Wanted.Set();
            };
        }
    }

    private static void Run()
    {
        QuietThread.GiveWay(); // what is ready lasts for 170,000 holds: time enough
        while (true)
        {
            Wanted.WaitOne();
            SlabReserve.Prepare();
        }
    }
}

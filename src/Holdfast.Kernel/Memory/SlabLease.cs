using Microsoft.Win32.SafeHandles;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// The large slabs that one machine has from the <see cref="SlabReserve"/>. They go back when it is disposed of or, should
/// nobody do so, when the collector finds them: whoever works on their memory must keep the lease reachable until done.
/// </summary>
internal sealed unsafe class SlabLease : IDisposable
{
    private readonly List<Slab> _slabs = [];

    /// <summary>One more slab of <see cref="SlabReserve.SlabBytes"/>.</summary>
    public byte* Take()
    {
        var slab = new Slab();
        _slabs.Add(slab);
        return slab.Begin;
    }

    /// <summary>Gives all back. Nothing that stands in them may be used any more.</summary>
    public void Dispose()
    {
        foreach (Slab slab in _slabs)
        {
            slab.Dispose();
        }

        _slabs.Clear();
    }

    private sealed class Slab : SafeHandleZeroOrMinusOneIsInvalid
    {
        public Slab()
            : base(ownsHandle: true) => SetHandle((nint)SlabReserve.Take());

        public byte* Begin => (byte*)handle;

        protected override bool ReleaseHandle()
        {
            SlabReserve.GiveBack((byte*)handle);
            return true;
        }
    }
}

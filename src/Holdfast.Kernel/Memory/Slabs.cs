using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Memory for chunks of one size, taken from the runtime in ever larger arrays (up to 8 MiB), cleared, and never moved.
/// </summary>
/// <remarks>
/// Large, because then the system can back it with pages of 2 MiB: a state of a gigabyte is reached at random, and with
/// pages of 4 KiB most of its cache misses bring a miss of the page table along. Cleared chunk by chunk, because a fresh
/// page that is read before it is written is mapped twice, and the second time every core is stopped for it. From the
/// largest size on the arrays come out of the <see cref="SlabReserve"/>, touched beforehand.
/// docs/decisions/0008 and 0011 have what was measured.
/// </remarks>
internal sealed unsafe class Slabs(int chunkBytes)
{
    private const int FirstBytes = 64 << 10;

    // Keeps the arrays alive; pinned ones, so addresses stay.
    private readonly List<byte[]> _slabs = [];
    private byte* _next;
    private byte* _end;
    private int _slabBytes = Math.Max(FirstBytes, chunkBytes);

    /// <summary>A chunk of zeros that lives as long as this object.</summary>
    public byte* Allocate()
    {
        if (_end - _next < chunkBytes)
        {
            Grow();
        }

        byte* chunk = _next;
        _next += chunkBytes;
        NativeMemory.Clear(chunk, (nuint)chunkBytes);
        return chunk;
    }

    private void Grow()
    {
        byte[] slab = _slabBytes == SlabReserve.SlabBytes ? SlabReserve.Take() : SlabReserve.Make(_slabBytes);
        _slabs.Add(slab);
        _next = SlabReserve.Begin(slab);
        _end = _next + _slabBytes;
        _slabBytes = Math.Min(SlabReserve.SlabBytes, _slabBytes * 2);
    }
}

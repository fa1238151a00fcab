using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Memory for chunks of one size, taken in ever larger slabs (up to <see cref="SlabReserve.SlabBytes"/>), cleared, and never moved.
/// </summary>
/// <remarks>
/// Large, because then the system can back it with pages of 2 MiB: a state of a gigabyte is reached at random, and with
/// pages of 4 KiB most of its cache misses bring a miss of the page table along. Cleared chunk by chunk, because a fresh
/// page that is read before it is written is mapped twice, and the second time every core is stopped for it. A small space
/// lives in arrays of the runtime's; from the largest size on the slabs come out of the <see cref="SlabReserve"/>, touched
/// beforehand, and are leased. docs/decisions/0008 and 0011 have what was measured.
/// </remarks>
internal sealed unsafe class Slabs(int chunkBytes, SlabLease lease)
{
    private const int FirstBytes = 64 << 10;
    private const nuint Line = 64;

    // Keeps the arrays alive; pinned ones, so addresses stay.
    private readonly List<byte[]> _arrays = [];
    private byte* _next;
    private byte* _end;
    private int _slabBytes = Math.Max(FirstBytes, chunkBytes);

    /// <summary>A chunk of zeros that lives as long as this object and its lease.</summary>
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
        _next = _slabBytes == SlabReserve.SlabBytes ? lease.Take() : NewArray(_slabBytes);
        _end = _next + _slabBytes;
        _slabBytes = Math.Min(SlabReserve.SlabBytes, _slabBytes * 2);
    }

    /// <summary>Where an array's bytes begin, at a line of the cache, that has room for so many from there on.</summary>
    private byte* NewArray(int bytes)
    {
        byte[] array = GC.AllocateUninitializedArray<byte>(bytes + (int)Line, pinned: true);
        _arrays.Add(array);
        return (byte*)(((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) + Line - 1) & ~(Line - 1));
    }
}

using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Memory for chunks of one size, taken from the runtime in ever larger arrays (up to 8 MiB), cleared, and never moved.
/// </summary>
/// <remarks>
/// Large, because then the system can back it with pages of 2 MiB: a state of a gigabyte is reached at random, and with
/// pages of 4 KiB most of its cache misses bring a miss of the page table along. Cleared chunk by chunk, because a fresh
/// page that is read before it is written is mapped twice, and the second time every core is stopped for it.
/// docs/decisions/0008 has what was measured.
/// </remarks>
internal sealed unsafe partial class Slabs(int chunkBytes)
{
    private const int FirstBytes = 64 << 10;
    private const int LargestBytes = 8 << 20;
    private const int AdviseFrom = 4 << 20;
    private const int HugePages = 14; // MADV_HUGEPAGE
    private const nuint SystemPage = 4096;
    private const nuint Line = 64;

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
        byte[] slab = GC.AllocateUninitializedArray<byte>(_slabBytes + (int)Line, pinned: true);
        _slabs.Add(slab);
        _next = (byte*)(((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(slab, 0) + Line - 1) & ~(Line - 1));
        _end = _next + _slabBytes;
        if (_slabBytes >= AdviseFrom && OperatingSystem.IsLinux())
        {
            // A hint: where the system knows no large pages, or won't give them, all is as before.
            nuint from = ((nuint)_next + SystemPage - 1) & ~(SystemPage - 1);
            _ = Advise((void*)from, ((nuint)_end - from) & ~(SystemPage - 1), HugePages);
        }

        _slabBytes = Math.Min(LargestBytes, _slabBytes * 2);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* from, nuint bytes, int advice);
}

using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Large slabs made ready before they are needed: taken from the system, and touched. Whoever has a thread to spare calls
/// <see cref="Prepare"/>; while nobody does, or too rarely, each slab is made where it is needed, as slowly as that is.
/// </summary>
/// <remarks>
/// The first touch of a page of 2 MiB costs from 0.2 ms to, in a virtual machine whose host has to find the memory first,
/// 5 ms and more, and the loop decides nothing meanwhile. The slabs are the system's memory and not the runtime's: a state of a
/// gigabyte is none of the collector's business, and would make it collect more often and stop everybody for longer.
/// docs/decisions/0011 has what was measured.
/// </remarks>
public static unsafe partial class SlabReserve
{
    /// <summary>Bytes of a slab.</summary>
    internal const int SlabBytes = 8 << 20;

    /// <summary>How many are kept ready.</summary>
    internal const int Ready = 2;

    private const int HugePageBytes = 2 << 20;
    private const int HugePages = 14; // MADV_HUGEPAGE

    private static readonly ConcurrentQueue<nint> Slabs = new();
    private static int _wanted;
    private static long _bytes;

    /// <summary>Called when <see cref="Prepare"/> has something to do, on the thread of whoever took a slab: must not block.</summary>
    public static event Action? Low;

    /// <summary>Bytes that the process has from the system as slabs, those that are ready included. No collector knows of them.</summary>
    public static long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Makes slabs ready until there are enough. Nothing is made before somebody has needed a large slab.</summary>
    public static void Prepare()
    {
        while (Volatile.Read(ref _wanted) > 0)
        {
            byte* slab = Make();
            Touch(slab);
            Slabs.Enqueue((nint)slab);
            Interlocked.Decrement(ref _wanted);
        }
    }

    /// <summary>A slab of <see cref="SlabBytes"/>, at a page's beginning, its bytes anything; one that was prepared when there is one.</summary>
    internal static byte* Take()
    {
        bool ready = Slabs.TryDequeue(out nint slab);
        Volatile.Write(ref _wanted, Ready - Slabs.Count);
        Low?.Invoke();
        return ready ? (byte*)slab : Make();
    }

    /// <summary>Takes a slab back that nobody reads or writes any more.</summary>
    internal static void GiveBack(byte* slab)
    {
        if (Slabs.Count < Ready)
        {
            Slabs.Enqueue((nint)slab);
        }
        else
        {
            NativeMemory.AlignedFree(slab);
            Interlocked.Add(ref _bytes, -SlabBytes);
        }
    }

    private static byte* Make()
    {
        byte* slab = (byte*)NativeMemory.AlignedAlloc(SlabBytes, HugePageBytes);
        Interlocked.Add(ref _bytes, SlabBytes);
        if (OperatingSystem.IsLinux())
        {
            // A hint: where the system knows no large pages, or won't give them, all is as before.
            _ = Advise(slab, SlabBytes, HugePages);
        }

        return slab;
    }

    /// <summary>
    /// Has the system find the memory. In a call of the C library's, because a collection doesn't wait for the end of one, as it
    /// does for a clearing loop of the runtime's. (MADV_POPULATE_WRITE would do the same, but it holds the lock of the process's
    /// address space for all 8 MiB, and whoever's memory is mapped meanwhile waits: 15 ms.)
    /// </summary>
    private static void Touch(byte* slab)
    {
        if (OperatingSystem.IsLinux())
        {
            MemorySet(slab, 0, SlabBytes);
        }
        else
        {
            NativeMemory.Clear(slab, SlabBytes);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* from, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "memset")]
    private static partial void* MemorySet(void* from, int value, nuint bytes);
}

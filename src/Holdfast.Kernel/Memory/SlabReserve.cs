using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Large slabs made ready before they are needed: taken from the system, and touched. Whoever has a thread to spare calls
/// <see cref="Prepare"/>; while nobody does, or too rarely, each slab is made where it is needed, as slowly as that is.
/// </summary>
/// <remarks>
/// The first touch of a slab costs from 0.2 ms to, in a virtual machine whose host has to find the memory first,
/// 5 ms and more, and the loop decides nothing meanwhile. The slabs are the system's memory and not the runtime's: a state of a
/// gigabyte is none of the collector's business, and would make it collect more often and stop everybody for longer.
/// docs/decisions/0011 has what was measured.
/// </remarks>
public static unsafe partial class SlabReserve
{
    /// <summary>Bytes of a slab: one large page.</summary>
    internal const int SlabBytes = 2 << 20;

    /// <summary>How many are kept ready at most; while little is in use, a sixteenth of that, but at least <see cref="ReadyAtLeast"/>.</summary>
    internal const int Ready = 8;

    private const int ReadyAtLeast = 2;
    private const int HugePages = 14; // MADV_HUGEPAGE
    private const int ReadAndWrite = 3; // PROT_READ | PROT_WRITE
    private const int PrivateAndAnonymous = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS

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
        int worthwhile = Math.Clamp((int)(Bytes / SlabBytes / 16), ReadyAtLeast, Ready);
        Volatile.Write(ref _wanted, worthwhile - Slabs.Count);
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
            Unmake(slab);
            Interlocked.Add(ref _bytes, -SlabBytes);
        }
    }

    private static byte* Make()
    {
        byte* slab;
        if (OperatingSystem.IsLinux())
        {
            slab = Map();

            // A hint: where the system knows no large pages, or won't give them, all is as before.
            _ = Advise(slab, SlabBytes, HugePages);
        }
        else
        {
            slab = (byte*)NativeMemory.AlignedAlloc(SlabBytes, SlabBytes);
        }

        Interlocked.Add(ref _bytes, SlabBytes);
        return slab;
    }

    private static void Unmake(byte* slab)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = UnmapMemory(slab, SlabBytes);
        }
        else
        {
            NativeMemory.AlignedFree(slab);
        }
    }

    /// <summary>
    /// From the system itself: the C library's allocator would make each slab a mapping of its own (a process may have 65,530), and
    /// might keep what is given back. Twice the bytes have a slab that begins at a large page; the last one, so that slabs adjoin: the system maps
    /// downwards.
    /// </summary>
    private static byte* Map()
    {
        const nuint twice = 2 * SlabBytes;
        byte* all = (byte*)MapMemory(null, twice, ReadAndWrite, PrivateAndAnonymous, -1, 0);
        if ((nint)all == -1)
        {
            throw new InvalidOperationException("The system has no more memory for the space's state.");
        }

        nuint after = (nuint)all % SlabBytes;
        nuint before = SlabBytes - after;
        _ = UnmapMemory(all, before);
        if (after > 0)
        {
            _ = UnmapMemory(all + before + SlabBytes, after);
        }

        return all + before;
    }

    /// <summary>
    /// Has the system find the memory. In a call of the C library's, because a collection doesn't wait for the end of one, as it
    /// does for a clearing loop of the runtime's. (MADV_POPULATE_WRITE would do the same, but it holds the lock of the process's
    /// address space until it is done, and whoever's memory is mapped meanwhile waits.)
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

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* MapMemory(void* at, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int UnmapMemory(void* at, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* from, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "memset")]
    private static partial void* MemorySet(void* from, int value, nuint bytes);
}

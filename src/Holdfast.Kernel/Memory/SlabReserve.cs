using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Large slabs made ready before they are needed: taken from the system, and touched. Whoever has a thread to spare calls
/// <see cref="Prepare"/>; while nobody does, or too rarely, each slab is made where it is needed, as slowly as that is.
/// </summary>
/// <remarks>
/// The first touch of a page of 2 MiB costs from 0.2 ms to, in a virtual machine whose host has to find the memory first,
/// 5 ms and more, and the loop decides nothing meanwhile. docs/decisions/0011 has what was measured.
/// </remarks>
public static unsafe partial class SlabReserve
{
    /// <summary>Bytes of a slab.</summary>
    internal const int SlabBytes = 8 << 20;

    private const int Ready = 3;
    private const int HugePages = 14; // MADV_HUGEPAGE
    private const nuint SystemPage = 4096;
    private const nuint Line = 64;

    private static readonly ConcurrentQueue<byte[]> Slabs = new();
    private static int _wanted;

    /// <summary>Called when <see cref="Prepare"/> has something to do, on the thread of whoever took a slab: must not block.</summary>
    public static event Action? Low;

    /// <summary>Makes slabs ready until there are enough. Nothing is made before somebody has needed a large slab.</summary>
    public static void Prepare()
    {
        while (Volatile.Read(ref _wanted) > 0)
        {
            byte[] slab = Make(SlabBytes);
            NativeMemory.Clear(Begin(slab), SlabBytes);
            Slabs.Enqueue(slab);
            Interlocked.Decrement(ref _wanted);
        }
    }

    /// <summary>A slab of <see cref="SlabBytes"/>; one that was prepared when there is one.</summary>
    internal static byte[] Take()
    {
        bool ready = Slabs.TryDequeue(out byte[]? slab);
        Volatile.Write(ref _wanted, Ready - Slabs.Count);
        Low?.Invoke();
        return ready ? slab! : Make(SlabBytes);
    }

    /// <summary>An array that never moves and can hold so many bytes from <see cref="Begin"/> on. Not cleared, and not touched.</summary>
    internal static byte[] Make(int bytes)
    {
        byte[] slab = GC.AllocateUninitializedArray<byte>(bytes + (int)Line, pinned: true);
        if (bytes >= SlabBytes / 2 && OperatingSystem.IsLinux())
        {
            // A hint: where the system knows no large pages, or won't give them, all is as before.
            byte* begin = Begin(slab);
            nuint from = ((nuint)begin + SystemPage - 1) & ~(SystemPage - 1);
            _ = Advise((void*)from, ((nuint)(begin + bytes) - from) & ~(SystemPage - 1), HugePages);
        }

        return slab;
    }

    /// <summary>Where the slab's bytes begin: at a line of the cache.</summary>
    internal static byte* Begin(byte[] slab) => (byte*)(((nuint)Marshal.UnsafeAddrOfPinnedArrayElement(slab, 0) + Line - 1) & ~(Line - 1));

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* from, nuint bytes, int advice);
}

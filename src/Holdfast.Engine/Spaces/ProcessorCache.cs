using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Holdfast.Engine;

/// <summary>Hints to the processor's cache; they change nothing but the time that a later access takes.</summary>
internal static unsafe class ProcessorCache
{
    /// <summary>Lines that a command takes, a try of one line.</summary>
    public const int CommandLines = 5;

    private const int LineBytes = 64;

    /// <summary>Whether this processor takes such hints.</summary>
    public static bool IsSupported => Sse.IsSupported;

    /// <summary>Begins to fetch an object's first cache lines. The object isn't touched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(object target, int lines)
    {
        byte* at = *(byte**)Unsafe.AsPointer(ref target);
        for (int i = 0; i < lines; i++)
        {
            Sse.Prefetch0(at + (LineBytes * i));
        }
    }
}

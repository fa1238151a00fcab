using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>A slot that can carry the index of the next free slot while it is free itself.</summary>
internal interface IFreeLink
{
    int NextFree { get; set; }
}

/// <summary>
/// Slots of a struct, addressed by a stable index, in chunks of 2,048: growing allocates one chunk and copies nothing,
/// so there is no pause that grows with the number of slots. Freed slots are reused last in, first out.
/// </summary>
internal sealed unsafe class ChunkedList<T>(SlabLease lease)
    where T : unmanaged, IFreeLink
{
    private const int Shift = 11;
    private const int ChunkSize = 1 << Shift;
    private const int Mask = ChunkSize - 1;

    private readonly Slabs _slabs = new(ChunkSize * sizeof(T), lease);
    private nint[] _chunks = new nint[4];
    private int _firstFree = -1;
    private int _next;

    /// <summary>Slots in use.</summary>
    public int Count { get; private set; }

    /// <summary>One past the highest index ever used.</summary>
    public int End => _next;

    /// <summary>A slot. Within a chunk no bounds are checked.</summary>
    public ref T this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref ((T*)_chunks[index >> Shift])[index & Mask];
    }

    public int Add()
    {
        Count++;
        int index = _firstFree;
        if (index >= 0)
        {
            _firstFree = this[index].NextFree;
            this[index] = default;
            return index;
        }

        index = _next++;
        int chunk = index >> Shift;
        if ((index & Mask) == 0)
        {
            if (chunk == _chunks.Length)
            {
                Array.Resize(ref _chunks, chunk * 2);
            }

            _chunks[chunk] = (nint)_slabs.Allocate();
        }

        return index;
    }

    public void Free(int index)
    {
        this[index].NextFree = _firstFree;
        _firstFree = index;
        Count--;
    }
}

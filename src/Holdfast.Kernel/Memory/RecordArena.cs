using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// Byte records of 4 to 4,096 bytes in chunks of 64 KiB, addressed by a 32-bit reference in units of 4 bytes (so 16 GiB at
/// most). Freed records go to a free list of their size and are reused as they are. The collector sees a few large
/// arrays instead of millions of small objects; growing copies nothing.
/// </summary>
internal sealed unsafe class RecordArena(SlabLease lease)
{
    private const int UnitShift = 2;
    private const int ChunkUnitsShift = 14;
    private const int ChunkUnits = 1 << ChunkUnitsShift;
    private const int MaxUnits = 1024;
    private const int MaxChunks = (1 << (32 - ChunkUnitsShift)) - 1; // one less than fits, so that the end fits too

    private readonly uint[] _free = new uint[MaxUnits + 1];
    private readonly Slabs _slabs = new(ChunkUnits << UnitShift, lease);
    private nint[] _chunks = new nint[4];
    private uint _next = 1; // 0 means "none"
    private uint _end;

    /// <summary>Longest record, in bytes.</summary>
    public const int MaxBytes = MaxUnits << UnitShift;

    /// <summary>Reserves room for a record; its bytes are not cleared.</summary>
    public uint Allocate(int bytes)
    {
        int units = (bytes + 3) >> UnitShift;
        uint head = _free[units];
        if (head != 0)
        {
            _free[units] = MemoryMarshal.Read<uint>(At(head));
            return head;
        }

        if (_next + (uint)units > _end)
        {
            Grow();
        }

        uint record = _next;
        _next += (uint)units;
        return record;
    }

    /// <summary>The bytes from a record's beginning on; the record knows its own length.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> At(uint record)
    {
        int offset = (int)(record & (ChunkUnits - 1)) << UnitShift;
        return new Span<byte>((byte*)_chunks[record >> ChunkUnitsShift] + offset, (ChunkUnits << UnitShift) - offset);
    }

    /// <summary>Gives a record back. <paramref name="bytes"/> is what was asked for.</summary>
    public void Free(uint record, int bytes)
    {
        int units = (bytes + 3) >> UnitShift;
        MemoryMarshal.Write(At(record), _free[units]);
        _free[units] = record;
    }

    private void Grow()
    {
        // What is left of the chunk (under 4 KiB) stays unused.
        int chunk = (int)(_end >> ChunkUnitsShift);
        if (chunk == MaxChunks)
        {
            // Wrapping around would hand out the first records again.
            throw new InvalidOperationException("The space's records fill 16 GiB: it holds no more.");
        }

        if (chunk == _chunks.Length)
        {
            Array.Resize(ref _chunks, chunk * 2);
        }

        _chunks[chunk] = (nint)_slabs.Allocate();
        _next = Math.Max(1, (uint)chunk << ChunkUnitsShift);
        _end = (uint)(chunk + 1) << ChunkUnitsShift;
    }
}

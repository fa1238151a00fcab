using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// From a name's hash to candidate slots: an extendible hash table of small segments. It grows by splitting one segment
/// of 1,024 entries at a time (some ten microseconds), so a table of millions never stalls the loop the way a
/// dictionary does when it doubles. The caller settles equal hashes by comparing names.
/// </summary>
/// <remarks>
/// An entry keeps 32 bits of the hash: the upper ones choose the segment, the lower ten the place in it. A search in a
/// large table is one miss in main memory, the entry itself: what leads there (directory, counts) is small and stays in
/// the cache.
/// </remarks>
internal sealed unsafe class NameIndex
{
    private const int SegmentSize = 1024;
    private const int SegmentMask = SegmentSize - 1;
    private const int SplitAt = SegmentSize * 7 / 8;
    private const int MaxDepth = 22;

    private int[] _directory = [0];
    private int _depth;

    private readonly Slabs _slabs;

    // By segment: its entries, how many are in use, and how many bits of the hash it stands for.
    private nint[] _entries = [];
    private ushort[] _counts = [];
    private byte[] _depths = [];
    private int _segments;
    private readonly Entry[] _splitting = new Entry[SegmentSize];

    public NameIndex(SlabLease lease)
    {
        _slabs = new Slabs(SegmentSize * sizeof(Entry), lease);
        NewSegment(0);
    }

    public int Count { get; private set; }

    public void Add(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        int segment = Locate(tag);
        while (_counts[segment] >= SplitAt)
        {
            Split(segment, tag);
            segment = Locate(tag);
        }

        Insert(segment, new Entry { Tag = tag, Slot = slot + 1 });
        Count++;
    }

    public void Remove(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        int segment = Locate(tag);
        ref Entry entries = ref Entries(segment);
        int at = (int)(tag & SegmentMask);
        while (Unsafe.Add(ref entries, at).Slot != slot + 1)
        {
            if (Unsafe.Add(ref entries, at).Slot == 0)
            {
                throw new InvalidOperationException("The index has no such entry: its owner removed it twice.");
            }

            at = (at + 1) & SegmentMask;
        }

        RemoveAt(ref entries, at);
        _counts[segment]--;
        Count--;
    }

    /// <summary>Begins a search. <c>while (probe.Next(out int slot))</c> yields every slot whose hash may be equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Probe Find(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        return new Probe(ref Entries(Locate(tag)), tag);
    }

    /// <summary>Asks the processor to fetch where a search will begin. Changes nothing.</summary>
    public void Prefetch(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.Add(ref Entries(Locate(tag)), (int)(tag & SegmentMask))));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Locate(uint tag) => _directory[(int)((ulong)tag >> (32 - _depth))];

    /// <summary>The first entry of a segment; all indices used from here are masked to the segment's size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Entry Entries(int segment) => ref *(Entry*)_entries[segment];

    private int NewSegment(int depth)
    {
        int segment = _segments++;
        if (segment == _depths.Length)
        {
            int larger = Math.Max(8, 2 * segment);
            Array.Resize(ref _depths, larger);
            Array.Resize(ref _counts, larger);
            Array.Resize(ref _entries, larger);
        }

        _entries[segment] = (nint)_slabs.Allocate();
        _depths[segment] = (byte)depth;
        return segment;
    }

    private void Insert(int segment, Entry entry)
    {
        ref Entry entries = ref Entries(segment);
        int at = (int)(entry.Tag & SegmentMask);
        while (Unsafe.Add(ref entries, at).Slot != 0)
        {
            at = (at + 1) & SegmentMask;
        }

        Unsafe.Add(ref entries, at) = entry;
        _counts[segment]++;
    }

    /// <summary>Splits a segment by one more bit of the hash: half stays, half moves to a new one.</summary>
    private void Split(int segment, uint tag)
    {
        int depth = _depths[segment] + 1;
        if (depth > MaxDepth)
        {
            throw new InvalidOperationException("The name index is full: a space holds at most some billions of names.");
        }

        if (depth > _depth)
        {
            int[] wider = new int[_directory.Length * 2];
            for (int i = 0; i < _directory.Length; i++)
            {
                wider[2 * i] = wider[(2 * i) + 1] = _directory[i];
            }

            _directory = wider;
            _depth++;
        }

        Span<Entry> old = MemoryMarshal.CreateSpan(ref Entries(segment), SegmentSize);
        Span<Entry> all = _splitting;
        old.CopyTo(all);
        old.Clear();
        _counts[segment] = 0;
        _depths[segment] = (byte)depth;
        int upper = NewSegment(depth);
        foreach (Entry entry in all)
        {
            if (entry.Slot != 0)
            {
                bool up = ((entry.Tag >> (32 - depth)) & 1) != 0;
                Insert(up ? upper : segment, entry);
            }
        }

        int span = 1 << (_depth - depth);
        int first = (int)((ulong)tag >> (32 - _depth)) & ~((2 * span) - 1);
        Array.Fill(_directory, upper, first + span, span);
    }

    /// <summary>Removes and closes the gap (no tombstones, so searches stay short however much comes and goes).</summary>
    private static void RemoveAt(ref Entry entries, int gap)
    {
        int at = gap;
        while (true)
        {
            at = (at + 1) & SegmentMask;
            Entry entry = Unsafe.Add(ref entries, at);
            if (entry.Slot == 0)
            {
                break;
            }

            int home = (int)(entry.Tag & SegmentMask);
            bool staysBehindGap = ((at - home) & SegmentMask) < ((at - gap) & SegmentMask);
            if (!staysBehindGap)
            {
                Unsafe.Add(ref entries, gap) = entry;
                gap = at;
            }
        }

        Unsafe.Add(ref entries, gap) = default;
    }

    /// <summary>Steps over candidates; see <see cref="NameIndex.Find"/>.</summary>
    public ref struct Probe(ref Entry entries, uint tag)
    {
        private readonly ref Entry _entries = ref entries;
        private int _at = (int)(tag & SegmentMask);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Next(out int slot)
        {
            while (true)
            {
                Entry entry = Unsafe.Add(ref _entries, _at);
                _at = (_at + 1) & SegmentMask;
                slot = entry.Slot - 1;
                if (slot < 0)
                {
                    return false;
                }

                if (entry.Tag == tag)
                {
                    return true;
                }
            }
        }
    }

    internal struct Entry
    {
        public uint Tag;
        public int Slot; // slot + 1; 0 is empty
    }
}

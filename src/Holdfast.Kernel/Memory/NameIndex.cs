using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// From a name's hash to candidate slots: an extendible hash table of small segments. It grows by splitting one segment
/// of 1,024 entries at a time (some ten microseconds), so a table of millions never stalls the loop the way a
/// dictionary does when it doubles. The caller settles equal hashes by comparing names.
/// </summary>
/// <remarks>
/// An entry keeps 32 bits of the hash: the upper ones choose the segment, the lower ten the place in it.
/// </remarks>
internal sealed class NameIndex
{
    private const int SegmentSize = 1024;
    private const int SegmentMask = SegmentSize - 1;
    private const int SplitAt = SegmentSize * 7 / 8;
    private const int MaxDepth = 22;

    private Segment[] _directory = [new Segment(0)];
    private int _depth;

    public int Count { get; private set; }

    public void Add(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        Segment segment = Locate(tag);
        while (segment.Count >= SplitAt)
        {
            Split(segment, tag);
            segment = Locate(tag);
        }

        segment.Insert(tag, slot);
        Count++;
    }

    public void Remove(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        Segment segment = Locate(tag);
        int at = (int)(tag & SegmentMask);
        while (segment.Entries[at].Slot != slot + 1)
        {
            if (segment.Entries[at].Slot == 0)
            {
                throw new InvalidOperationException("The index has no such entry: its owner removed it twice.");
            }

            at = (at + 1) & SegmentMask;
        }

        segment.RemoveAt(at);
        Count--;
    }

    /// <summary>Begins a search. <c>while (probe.Next(out int slot))</c> yields every slot whose hash may be equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Probe Find(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        return new Probe(Locate(tag).Entries, tag);
    }

    /// <summary>Asks the processor to fetch where a search will begin. Changes nothing.</summary>
    public unsafe void Prefetch(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        ref Entry entry = ref Locate(tag).Entries[(int)(tag & SegmentMask)];
        if (Sse.IsSupported)
        {
            // A collection may move the array meanwhile; fetching a stale address is harmless.
            Sse.Prefetch0(Unsafe.AsPointer(ref entry));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Segment Locate(uint tag) => _directory[(int)((ulong)tag >> (32 - _depth))];

    private void Split(Segment old, uint tag)
    {
        if (old.Depth == MaxDepth)
        {
            throw new InvalidOperationException("The name index is full: a space holds at most about a billion names.");
        }

        if (old.Depth == _depth)
        {
            var wider = new Segment[_directory.Length * 2];
            for (int i = 0; i < _directory.Length; i++)
            {
                wider[2 * i] = wider[(2 * i) + 1] = _directory[i];
            }

            _directory = wider;
            _depth++;
        }

        int depth = old.Depth + 1;
        Segment low = new(depth), high = new(depth);
        foreach (Entry entry in old.Entries)
        {
            if (entry.Slot != 0)
            {
                bool upper = ((entry.Tag >> (32 - depth)) & 1) != 0;
                (upper ? high : low).Insert(entry.Tag, entry.Slot - 1);
            }
        }

        int span = 1 << (_depth - depth);
        int first = (int)((ulong)tag >> (32 - _depth)) & ~((2 * span) - 1);
        Array.Fill(_directory, low, first, span);
        Array.Fill(_directory, high, first + span, span);
    }

    /// <summary>Steps over candidates; see <see cref="NameIndex.Find"/>.</summary>
    public ref struct Probe(Entry[] entries, uint tag)
    {
        private int _at = (int)(tag & SegmentMask);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Next(out int slot)
        {
            while (true)
            {
                ref Entry entry = ref entries[_at];
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

    private sealed class Segment(int depth)
    {
        public readonly Entry[] Entries = GC.AllocateArray<Entry>(SegmentSize, pinned: true);

        public int Depth { get; } = depth;

        public int Count { get; private set; }

        public void Insert(uint tag, int slot)
        {
            int at = (int)(tag & SegmentMask);
            while (Entries[at].Slot != 0)
            {
                at = (at + 1) & SegmentMask;
            }

            Entries[at] = new Entry { Tag = tag, Slot = slot + 1 };
            Count++;
        }

        /// <summary>Removes and closes the gap (no tombstones, so searches stay short however much comes and goes).</summary>
        public void RemoveAt(int gap)
        {
            int at = gap;
            while (true)
            {
                at = (at + 1) & SegmentMask;
                if (Entries[at].Slot == 0)
                {
                    break;
                }

                int home = (int)(Entries[at].Tag & SegmentMask);
                bool staysBehindGap = ((at - home) & SegmentMask) < ((at - gap) & SegmentMask);
                if (!staysBehindGap)
                {
                    Entries[gap] = Entries[at];
                    gap = at;
                }
            }

            Entries[gap] = default;
            Count--;
        }
    }
}

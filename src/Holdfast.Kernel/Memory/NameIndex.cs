using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Holdfast.Kernel.Memory;

/// <summary>
/// From a name's hash to candidate slots: an extendible hash table of small segments. It grows by splitting one segment
/// of 1,024 entries at a time (some ten microseconds), so a table of millions never stalls the loop the way a
/// dictionary does when it doubles. The caller settles equal hashes by comparing names.
/// </summary>
/// <remarks>
/// An entry keeps 32 bits of the hash: the upper ones choose the segment, the lower seven the bucket in it. A bucket is
/// one line of the cache with eight entries, filled from the front; what it has no room for goes to the next one. So a search in
/// a large table, even for what isn't there, is nearly always one miss in main memory: what leads there (directory) is
/// small and stays in the cache. docs/decisions/0016 has what was measured.
/// </remarks>
internal sealed unsafe class NameIndex
{
    private const int BucketShift = 3;
    private const int BucketSize = 1 << BucketShift;
    private const int Buckets = 128; // of a segment
    private const int BucketMask = Buckets - 1;
    private const int SegmentSize = Buckets * BucketSize;
    private const int SplitAt = SegmentSize * 7 / 8;
    private const int MaxDepth = 22;

    private int[] _directory = [0];
    private int _depth;

    private readonly Slabs _slabs;

    // By segment: its buckets, how many entries are in use, and how many bits of the spread hash it stands for.
    private nint[] _buckets = [];
    private ushort[] _counts = [];
    private byte[] _depths = [];
    private int _segments;
    private readonly Bucket[] _splitting = new Bucket[Buckets];

    public NameIndex(SlabLease lease)
    {
        _slabs = new Slabs(Buckets * sizeof(Bucket), lease);
        NewSegment(0);
    }

    public int Count { get; private set; }

    /// <summary>Entries that its segments have room for.</summary>
    public int Capacity => _segments * SegmentSize;

    public void Add(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        int segment = Locate(tag);
        while (_counts[segment] >= SplitAt)
        {
            Split(segment, tag);
            segment = Locate(tag);
        }

        Insert(segment, tag, slot + 1);
        Count++;
    }

    public void Remove(ulong hash, int slot)
    {
        uint tag = (uint)(hash >> 32);
        int segment = Locate(tag);
        Bucket* buckets = BucketsOf(segment);
        int at = (int)(tag & BucketMask);
        int entry;
        while ((entry = buckets[at].IndexOf(slot + 1)) < 0)
        {
            if (!buckets[at].IsFull)
            {
                throw new InvalidOperationException("The index has no such entry: its owner removed it twice.");
            }

            at = (at + 1) & BucketMask;
        }

        RemoveAt(buckets, at, entry);
        _counts[segment]--;
        Count--;
    }

    /// <summary>Begins a search. <c>while (probe.Next(out int slot))</c> yields every slot whose hash may be equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Probe Find(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        return new Probe(BucketsOf(Locate(tag)), tag);
    }

    /// <summary>Asks the processor to fetch where a search will begin. Changes nothing.</summary>
    public void Prefetch(ulong hash)
    {
        uint tag = (uint)(hash >> 32);
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(BucketsOf(Locate(tag)) + (tag & BucketMask));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Locate(uint tag) => _directory[(int)((ulong)Spread(tag) >> (32 - _depth))];

    /// <summary>
    /// The hash from 0 to 1 as, nearly, log2(1 + hash): the upper end of what comes out is hit twice as often as the lower one. Segments fill
    /// at different speeds then, and split one after another. Were they all hit alike, they would all split
    /// at the same time, and the table would be half empty afterwards.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Spread(uint tag)
    {
        const ulong bend = (ulong)(0.3431 * (1L << 32)); // (1 + u)'s logarithm is u + 0.3431 u (1 - u), give or take 0.9 %
        ulong middle = ((ulong)tag * ~tag) >> 32;
        return tag + (uint)((middle * bend) >> 32);
    }

    /// <summary>A segment's first bucket; all indices used from here are masked to the segment's size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Bucket* BucketsOf(int segment) => (Bucket*)_buckets[segment];

    private int NewSegment(int depth)
    {
        int segment = _segments++;
        if (segment == _depths.Length)
        {
            int larger = Math.Max(8, 2 * segment);
            Array.Resize(ref _depths, larger);
            Array.Resize(ref _counts, larger);
            Array.Resize(ref _buckets, larger);
        }

        _buckets[segment] = (nint)_slabs.Allocate();
        _depths[segment] = (byte)depth;
        return segment;
    }

    private void Insert(int segment, uint tag, int slotAndOne)
    {
        Bucket* buckets = BucketsOf(segment);
        int at = (int)(tag & BucketMask);
        while (buckets[at].IsFull)
        {
            at = (at + 1) & BucketMask;
        }

        buckets[at].Set(buckets[at].Count, tag, slotAndOne);
        _counts[segment]++;
    }

    /// <summary>Splits a segment by one more bit of the spread hash: one part stays, the other moves to a new one.</summary>
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

        var old = new Span<Bucket>(BucketsOf(segment), Buckets);
        old.CopyTo(_splitting);
        old.Clear();
        _counts[segment] = 0;
        _depths[segment] = (byte)depth;
        int upper = NewSegment(depth);
        foreach (ref Bucket bucket in _splitting.AsSpan())
        {
            int count = bucket.Count;
            for (int i = 0; i < count; i++)
            {
                uint moved = bucket.Tag(i);
                bool up = ((Spread(moved) >> (32 - depth)) & 1) != 0;
                Insert(up ? upper : segment, moved, bucket.Slot(i));
            }
        }

        int span = 1 << (_depth - depth);
        int first = (int)((ulong)Spread(tag) >> (32 - _depth)) & ~((2 * span) - 1);
        Array.Fill(_directory, upper, first + span, span);
    }

    /// <summary>
    /// Removes an entry; if its bucket was full, one that had to go on to a later bucket comes back (no tombstones, so searches stay short
    /// however much comes and goes).
    /// </summary>
    private static void RemoveAt(Bucket* buckets, int gap, int entry)
    {
        bool wasFull = buckets[gap].IsFull;
        buckets[gap].RemoveAt(entry);
        int at = gap;
        while (wasFull)
        {
            at = (at + 1) & BucketMask;
            wasFull = buckets[at].IsFull;
            int passed = (at - gap) & BucketMask;
            for (int i = buckets[at].Count - 1; i >= 0; i--)
            {
                uint tag = buckets[at].Tag(i);
                bool passedGap = ((at - (int)tag) & BucketMask) >= passed;
                if (passedGap)
                {
                    buckets[gap].Set(BucketSize - 1, tag, buckets[at].Slot(i));
                    buckets[at].RemoveAt(i);
                    gap = at;
                    break;
                }
            }
        }
    }

    /// <summary>Steps over candidates; see <see cref="NameIndex.Find"/>.</summary>
    public ref struct Probe
    {
        private readonly Bucket* _buckets;
        private readonly uint _tag;
        private uint _equal;
        private int _at;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Probe(Bucket* buckets, uint tag)
        {
            _buckets = buckets;
            _tag = tag;
            _at = (int)(tag & BucketMask);
            _equal = buckets[_at].Equal(tag);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Next(out int slot)
        {
            while (true)
            {
                if (_equal != 0)
                {
                    slot = _buckets[_at].Slot(BitOperations.TrailingZeroCount(_equal)) - 1;
                    _equal &= _equal - 1;
                    if (slot >= 0)
                    {
                        return true;
                    }

                    continue; // an empty place, whose tag happens to be the one looked for: 0
                }

                if (!_buckets[_at].IsFull)
                {
                    slot = -1;
                    return false;
                }

                _at = (_at + 1) & BucketMask;
                _equal = _buckets[_at].Equal(_tag);
            }
        }
    }

    /// <summary>One line of the cache: eight tags, and for each its slot + 1. The places in use come first; the slots of the others are 0.</summary>
    internal struct Bucket
    {
        private fixed uint _tags[BucketSize];
        private fixed int _slots[BucketSize];

        public readonly bool IsFull
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => _slots[BucketSize - 1] != 0;
        }

        public int Count => BitOperations.TrailingZeroCount(EmptyPlaces());

        /// <summary>A bit for each place whose tag is this one; for empty places too, should it be theirs.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public uint Equal(uint tag) => Vector256.Equals(Vector256.LoadUnsafe(ref _tags[0]), Vector256.Create(tag)).ExtractMostSignificantBits();

        public readonly uint Tag(int at) => _tags[at];

        public readonly int Slot(int at) => _slots[at];

        public void Set(int at, uint tag, int slotAndOne)
        {
            _tags[at] = tag;
            _slots[at] = slotAndOne;
        }

        public int IndexOf(int slotAndOne)
        {
            uint equal = Vector256.Equals(Vector256.LoadUnsafe(ref _slots[0]), Vector256.Create(slotAndOne)).ExtractMostSignificantBits();
            return equal == 0 ? -1 : BitOperations.TrailingZeroCount(equal);
        }

        public void RemoveAt(int at)
        {
            int last = Count - 1;
            Set(at, _tags[last], _slots[last]);
            Set(last, 0, 0);
        }

        /// <summary>A bit for each empty place, and one beyond the last.</summary>
        private uint EmptyPlaces() => Vector256.Equals(Vector256.LoadUnsafe(ref _slots[0]), Vector256<int>.Zero).ExtractMostSignificantBits() | (1u << BucketSize);
    }
}

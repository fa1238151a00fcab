using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

public class NameIndexTests
{
    [Theory]
    [InlineData(1, 0xFFFFFFFF_00000000)] // any tag
    [InlineData(2, 0x0000000F_00000000)] // sixteen tags in one place of one segment
    [InlineData(3, 0xF0000000_00000000)] // sixteen segments, everything in one place
    [InlineData(4, 0x000003FF_00000000)] // one segment as deep as tags allow, every place
    [InlineData(5, 0xFFC003FF_00000000)]
    public void Random_adds_removes_and_searches_agree_with_a_dictionary(int seed, ulong tagBits)
    {
        var random = new Random(seed);
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        var oracle = new Dictionary<int, ulong>();
        int most = seed is 2 or 3 or 4 ? 600 : 6_000; // what can't be told apart must fit one segment
        var slots = new List<int>();
        for (int step = 0; step < 60_000; step++)
        {
            bool add = slots.Count == 0 || (slots.Count < most && random.Next(100) < 60);
            if (add)
            {
                int slot = step;
                ulong hash = ((ulong)random.NextInt64() << 1) & (tagBits | 0xFFFFFFFF);
                index.Add(hash, slot);
                oracle[slot] = hash;
                slots.Add(slot);
            }
            else
            {
                int at = random.Next(slots.Count);
                int slot = slots[at];
                slots[at] = slots[^1];
                slots.RemoveAt(slots.Count - 1);
                index.Remove(oracle[slot], slot);
                oracle.Remove(slot);
            }

            if (step % 5_000 == 0)
            {
                ShouldAgree(index, oracle);
            }
        }

        ShouldAgree(index, oracle);
        foreach (int slot in slots)
        {
            index.Remove(oracle[slot], slot);
        }

        index.Count.ShouldBe(0);
        slots.ShouldAllBe(s => !Candidates(index, oracle[s]).Any());
    }

    [Fact]
    public void Half_a_million_names_split_segments_and_all_are_found()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        for (int i = 0; i < 500_000; i++)
        {
            index.Add(Spread(i), i);
        }

        index.Count.ShouldBe(500_000);
        for (int i = 0; i < 500_000; i++)
        {
            if (!Candidates(index, Spread(i)).Contains(i))
            {
                Assert.Fail($"{i} is lost");
            }
        }

        Enumerable.Range(500_000, 10_000).Sum(i => Candidates(index, Spread(i)).Count).ShouldBeLessThan(20, "32 bits of the hash are compared");
    }

    [Fact]
    public void Segments_split_one_after_another_so_that_the_table_is_equally_full_at_every_size()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        int added = 0;
        for (double size = 100_000; size < 1_700_000; size *= 1.08)
        {
            for (; added < size; added++)
            {
                index.Add(Spread(added), added);
            }

            (index.Count / (double)index.Capacity).ShouldBeInRange(0.58, 0.68, $"at {added}");
        }
    }

    [Fact]
    public void Equal_hashes_are_all_candidates()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        const ulong hash = 0xABCDEF01_00000000;
        for (int slot = 0; slot < 100; slot++)
        {
            index.Add(hash | (uint)slot, slot);
        }

        Candidates(index, hash).ShouldBe(Enumerable.Range(0, 100), ignoreOrder: true);
        index.Remove(hash, 50);
        Candidates(index, hash).ShouldBe(Enumerable.Range(0, 100).Except([50]), ignoreOrder: true);
    }

    [Fact]
    public void Names_that_wrap_around_the_end_of_a_segment_survive_removals()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        ulong[] hashes = [.. Enumerable.Range(0, 40).Select(i => (ulong)(1020 + (i % 4)) << 32)];
        for (int i = 0; i < hashes.Length; i++)
        {
            index.Add(hashes[i], i);
        }

        for (int i = 0; i < hashes.Length; i += 2)
        {
            index.Remove(hashes[i], i);
        }

        for (int i = 1; i < hashes.Length; i += 2)
        {
            Candidates(index, hashes[i]).ShouldContain(i);
        }
    }

    [Fact]
    public void Removing_twice_is_a_bug_and_says_so()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        index.Add(7UL << 32, 1);
        index.Remove(7UL << 32, 1);

        Should.Throw<InvalidOperationException>(() => index.Remove(7UL << 32, 1));
    }

    [Fact]
    public void A_thousand_equal_tags_are_refused_rather_than_looked_for_forever()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);

        Should.Throw<InvalidOperationException>(() =>
        {
            for (int slot = 0; slot < 1_000; slot++)
            {
                index.Add(0, slot);
            }
        });
    }

    [Fact]
    public void Prefetching_changes_nothing()
    {
        using var lease = new SlabLease();
        var index = new NameIndex(lease);
        index.Add(1UL << 32, 1);

        index.Prefetch(1UL << 32);
        index.Prefetch(ulong.MaxValue);

        Candidates(index, 1UL << 32).ShouldBe([1]);
    }

    private static ulong Spread(int i) => (ulong)i * 0x9E3779B97F4A7C15UL;

    private static void ShouldAgree(NameIndex index, Dictionary<int, ulong> oracle)
    {
        index.Count.ShouldBe(oracle.Count);
        foreach (IGrouping<ulong, int> same in oracle.GroupBy(p => p.Value >> 32, p => p.Key))
        {
            Candidates(index, same.Key << 32).Order().ShouldBe(same.Order());
        }
    }

    private static List<int> Candidates(NameIndex index, ulong hash)
    {
        var found = new List<int>();
        NameIndex.Probe probe = index.Find(hash);
        while (probe.Next(out int slot))
        {
            found.Add(slot);
        }

        return found;
    }
}

using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

public unsafe class SlabReserveTests
{
    [Fact]
    public void Prepared_or_not_no_two_records_share_memory()
    {
        using var lease = new SlabLease();
        var arena = new RecordArena(lease);
        var records = new List<uint>();
        for (int i = 0; i < 15_000; i++)
        {
            if (i % 1_500 == 0)
            {
                SlabReserve.Prepare(); // some slabs are ready when they are needed, some are not
            }

            uint record = arena.Allocate(RecordArena.MaxBytes);
            arena.At(record)[..RecordArena.MaxBytes].Fill((byte)(i % 251));
            records.Add(record);
        }

        for (int i = 0; i < records.Count; i++)
        {
            arena.At(records[i])[..RecordArena.MaxBytes].IndexOfAnyExcept((byte)(i % 251)).ShouldBe(-1);
        }
    }

    [Fact]
    public void Every_slab_is_a_large_page_of_its_own()
    {
        using var lease = new SlabLease();
        var begins = new List<long>();
        for (int i = 0; i < 40; i++)
        {
            byte* slab = lease.Take();
            slab[0] = slab[SlabReserve.SlabBytes - 1] = (byte)i;
            begins.Add((long)slab);
        }

        begins.ShouldAllBe(b => b % SlabReserve.SlabBytes == 0);
        begins.Distinct().Count().ShouldBe(40);
        for (int i = 0; i < 40; i++)
        {
            (((byte*)begins[i])[0], ((byte*)begins[i])[SlabReserve.SlabBytes - 1]).ShouldBe(((byte)i, (byte)i));
        }
    }

    [Fact]
    public void Taking_a_slab_asks_for_the_next()
    {
        int asked = 0;
        void Count() => asked++;
        SlabReserve.Low += Count;
        try
        {
            using var lease = new SlabLease();
            byte* first = lease.Take();
            SlabReserve.Prepare();
            byte* second = lease.Take();

            asked.ShouldBeGreaterThanOrEqualTo(2); // other tests may take some too
            (second == first).ShouldBeFalse();
        }
        finally
        {
            SlabReserve.Low -= Count;
        }
    }
}

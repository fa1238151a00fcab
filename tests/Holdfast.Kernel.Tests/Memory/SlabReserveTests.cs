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

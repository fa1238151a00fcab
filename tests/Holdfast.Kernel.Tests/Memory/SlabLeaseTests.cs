using System.Runtime.CompilerServices;
using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

/// <summary>The reserve counts for the whole process: these tests run while no others take slabs.</summary>
[Collection(nameof(SlabLeaseTests))]
[CollectionDefinition(nameof(SlabLeaseTests), DisableParallelization = true)]
public class SlabLeaseTests
{
    private const int Many = 20;

    // As many as may stay ready.
    private const long Kept = (long)SlabReserve.Ready * SlabReserve.SlabBytes;

    [Fact]
    public void What_a_lease_took_goes_back_when_it_is_disposed_of()
    {
        long before = SlabReserve.Bytes;
        SlabLease lease = TakeMany();
        SlabReserve.Bytes.ShouldBeGreaterThanOrEqualTo(before + ((Many * (long)SlabReserve.SlabBytes) - Kept));

        lease.Dispose();
        lease.Dispose();

        SlabReserve.Bytes.ShouldBeLessThanOrEqualTo(before + Kept);
    }

    [Fact]
    public void What_nobody_disposed_of_goes_back_when_it_is_collected()
    {
        long before = SlabReserve.Bytes;
        Forget();

        GC.Collect();
        GC.WaitForPendingFinalizers();

        SlabReserve.Bytes.ShouldBeLessThanOrEqualTo(before + Kept);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Forget() => _ = TakeMany();
    }

    [Fact]
    public void A_large_machine_stands_in_slabs_and_gives_them_back()
    {
        long before = SlabReserve.Bytes;
        var space = new Space();
        space.Put("stock", new ResourcePolicy { Overdraft = Quantity.Max });
        var command = new TryHold(Space.Hasher);
        var output = new EventBuffer(0, 1024);
        for (int i = 0; i < 1_500_000; i++)
        {
            command.Reset(System.Text.Encoding.UTF8.GetBytes($"h-{i}"), default);
            command.AddLine("stock"u8, 1);
            output.Clear();
            space.Machine.Decide(command, space.Now, output).Code.ShouldBe(Code.Ok);
        }

        // Twice: in slabs that are new to the process, and in the ones that the first machine gave back.
        using var snapshot = new MemoryStream();
        space.Machine.WriteSnapshot(snapshot);
        SlabReserve.Bytes.ShouldBeGreaterThan(before + Kept);
        space.Machine.FindImbalance().ShouldBeNull();
        space.Machine.Dispose();
        space.Machine.LiveHolds.ShouldBe(1_500_000);
        SlabReserve.Bytes.ShouldBeLessThanOrEqualTo(before + Kept);

        // One that is cut short leaves nothing behind for the collector.
        using var cut = new MemoryStream(snapshot.GetBuffer(), 0, (int)snapshot.Length - 1);
        Should.Throw<IOException>(() => SpaceMachine.ReadSnapshot(cut, new HoldOptions(), Space.Hasher));
        SlabReserve.Bytes.ShouldBeLessThanOrEqualTo(before + Kept);

        snapshot.Position = 0;
        using SpaceMachine again = SpaceMachine.ReadSnapshot(snapshot, new HoldOptions(), Space.Hasher);
        again.FindImbalance().ShouldBeNull();
        again.LiveHolds.ShouldBe(1_500_000);
    }

    private static unsafe SlabLease TakeMany()
    {
        var lease = new SlabLease();
        for (int i = 0; i < Many; i++)
        {
            lease.Take()[SlabReserve.SlabBytes - 1] = 1;
        }

        return lease;
    }
}

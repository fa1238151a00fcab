using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

public class ChunkedListTests
{
    [Fact]
    public void Slots_keep_their_index_and_value_while_the_list_grows()
    {
        using var lease = new SlabLease();
        var list = new ChunkedList<Number>(lease);
        for (int i = 0; i < 20_000; i++)
        {
            int at = list.Add();
            at.ShouldBe(i);
            list[at].Value = i;
        }

        (list.Count, list.End).ShouldBe((20_000, 20_000));
        for (int i = 0; i < 20_000; i++)
        {
            list[i].Value.ShouldBe(i);
        }
    }

    [Fact]
    public void Freed_slots_are_reused_last_in_first_out_and_come_back_empty()
    {
        using var lease = new SlabLease();
        var list = new ChunkedList<Number>(lease);
        for (int i = 0; i < 10; i++)
        {
            list[list.Add()].Value = i;
        }

        list.Free(3);
        list.Free(7);
        list.Count.ShouldBe(8);

        list.Add().ShouldBe(7);
        list[7].ShouldBe(default);
        list.Add().ShouldBe(3);
        list.Add().ShouldBe(10);
        (list.Count, list.End).ShouldBe((11, 11));
    }

    [Fact]
    public void Random_adds_and_frees_agree_with_a_dictionary()
    {
        var random = new Random(3);
        using var lease = new SlabLease();
        var list = new ChunkedList<Number>(lease);
        var oracle = new Dictionary<int, int>();
        for (int step = 0; step < 50_000; step++)
        {
            if (oracle.Count == 0 || random.Next(5) < 3)
            {
                int at = list.Add();
                oracle.TryAdd(at, step).ShouldBeTrue("an index in use was handed out again");
                list[at].Value = step;
            }
            else
            {
                int at = oracle.Keys.First();
                list[at].Value.ShouldBe(oracle[at]);
                list.Free(at);
                oracle.Remove(at);
            }
        }

        list.Count.ShouldBe(oracle.Count);
        foreach ((int at, int value) in oracle)
        {
            list[at].Value.ShouldBe(value);
        }
    }

    private record struct Number(int Value, int NextFree) : IFreeLink;
}

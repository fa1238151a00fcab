using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

public class DeadlineWheelTests
{
    private const long TurnMs = 64L << 15;

    private readonly ChunkedList<HoldSlot> _slots = new(new SlabLease());
    private readonly DeadlineWheel _wheel = new();
    private readonly SortedSet<(long DeadlineMs, int Slot)> _oracle = [];

    [Theory]
    [InlineData(1, 1_000)]
    [InlineData(2, TurnMs / 4)]
    [InlineData(3, 3 * TurnMs)]
    public void Random_links_moves_and_walks_agree_with_a_sorted_list(int seed, long farthestMs)
    {
        var random = new Random(seed);
        long now = Space.Start;
        for (int step = 0; step < 3_000; step++)
        {
            for (int i = random.Next(6); i > 0; i--)
            {
                Link(now + 1 + random.NextInt64(farthestMs));
            }

            if (_oracle.Count > 0 && random.Next(3) == 0)
            {
                (long deadline, int slot) = _oracle.ElementAt(random.Next(Math.Min(10, _oracle.Count)));
                Unlink(deadline, slot);
            }

            now += random.Next(20) switch
            {
                0 => random.NextInt64(farthestMs),
                1 => 2 * TurnMs,
                _ => random.Next(200),
            };
            int budget = random.Next(1, 30);
            bool exhausted = Walk(now, budget);
            if (!exhausted && _oracle.Count > 0)
            {
                // Everything whose bucket has passed is out; the current bucket may be a tick late.
                (_oracle.Min.DeadlineMs >> 6).ShouldBeGreaterThanOrEqualTo(now >> 6);
            }
        }
    }

    [Fact]
    public void A_deadline_several_turns_ahead_waits_for_its_turn()
    {
        long deadline = Space.Start + (3 * TurnMs) + 5_000;
        Link(deadline);
        for (long now = Space.Start; now < deadline; now += TurnMs / 7)
        {
            Walk(now, 1_000).ShouldBeFalse();
            _oracle.Count.ShouldBe(1);
        }

        Walk(deadline + 64, 1_000);
        _oracle.ShouldBeEmpty();
    }

    [Fact]
    public void A_hold_is_found_at_most_64_ms_late_and_never_early()
    {
        for (int offset = 0; offset < 64; offset++)
        {
            long deadline = Space.Start + (100_000 * (offset + 1)) + offset;
            Link(deadline);
            Walk(deadline - 1, 10);
            _oracle.Count.ShouldBe(1);
            Walk(deadline + 64, 10);
            _oracle.ShouldBeEmpty();
        }
    }

    [Fact]
    public void Unlinking_the_very_hold_at_which_the_walk_stands_does_not_lose_the_others()
    {
        int[] slots = [.. Enumerable.Range(0, 10).Select(_ => Link(Space.Start + 1_000))];
        Walk(Space.Start, 100);
        long now = Space.Start + 2_000;

        // The walk stops within the bucket; a bucket's newest hold comes first.
        Walk(now, 3).ShouldBeTrue();
        Unlink(Space.Start + 1_000, slots[6]);
        Unlink(Space.Start + 1_000, slots[5]);
        Unlink(Space.Start + 1_000, slots[0]);
        _oracle.Count.ShouldBe(4);

        Walk(now, 100).ShouldBeFalse();
        _oracle.ShouldBeEmpty();
    }

    [Fact]
    public void A_budget_used_up_again_and_again_still_comes_to_an_end_while_time_goes_on()
    {
        for (int i = 0; i < 5_000; i++)
        {
            Link(Space.Start + 1 + (i % 3_000));
        }

        long now = Space.Start + 86_400_000;
        int walks = 0;
        while (Walk(now, 50))
        {
            now += 100; // more than a tick
            (++walks).ShouldBeLessThanOrEqualTo(101);
        }

        _oracle.ShouldBeEmpty();
    }

    [Fact]
    public void Holds_of_a_later_turn_count_against_the_budget_so_a_walk_is_bounded_by_what_it_looks_at()
    {
        for (int i = 0; i < 100; i++)
        {
            Link(Space.Start + 1_000 + TurnMs);
        }

        Walk(Space.Start, 10);
        int budget = 30;
        _wheel.NextDue(_slots, Space.Start + 2_000, ref budget).ShouldBe(-1);
        budget.ShouldBeLessThanOrEqualTo(0);
    }

    private int Link(long deadlineMs)
    {
        int slot = _slots.Add();
        _slots[slot].TimeMs = deadlineMs;
        _slots[slot].State = HoldState.Held;
        _wheel.Link(_slots, slot);
        _oracle.Add((deadlineMs, slot));
        return slot;
    }

    private void Unlink(long deadlineMs, int slot)
    {
        _oracle.Remove((deadlineMs, slot)).ShouldBeTrue("it is not linked");
        _wheel.Unlink(_slots, slot);
        _slots.Free(slot);
    }

    /// <summary>Takes out what is due, as the machine does. True when the budget was used up.</summary>
    private bool Walk(long now, int budget)
    {
        int found = 0;
        int bound = budget;
        while (_wheel.NextDue(_slots, now, ref budget) is int slot and >= 0)
        {
            long deadline = _slots[slot].TimeMs;
            deadline.ShouldBeLessThanOrEqualTo(now);
            Unlink(deadline, slot);
            (++found).ShouldBeLessThanOrEqualTo(bound);
        }

        return budget <= 0;
    }
}

using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Spaces;

public sealed class RequestQueueTests
{
    private static readonly NameHasher Hasher = new(1, 2);

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(64)]
    public void E57_FullQueueRefuses_AndTakesAgainWhatWasTakenFromIt(int capacity)
    {
        var queue = new RequestQueue(capacity);
        for (int round = 0; round < 3; round++)
        {
            Request[] requests = [.. Enumerable.Range(0, capacity).Select(_ => New())];
            requests.ShouldAllBe(r => queue.TryPush(r));
            queue.TryPush(New()).ShouldBeFalse();
            queue.TryPush([New(), New()]).ShouldBeFalse();
            queue.Count.ShouldBe(capacity);

            foreach (Request request in requests)
            {
                queue.Take().ShouldBeSameAs(request);
            }

            queue.Take().ShouldBeNull();
            queue.Publish();
            queue.Count.ShouldBe(0);
        }
    }

    /// <summary>Every request is taken once, each asker's in its order, and never more than the capacity is inside.</summary>
    [Fact]
    public void ManyAskers_NothingIsLostOrDoubled_AndTheBoundHolds()
    {
        const int askers = 4, each = 200_000, capacity = 100;
        var queue = new RequestQueue(capacity);
        Thread[] threads = [.. Enumerable.Range(0, askers).Select(a => new Thread(() =>
        {
            for (int i = 0; i < each; i++)
            {
                var request = new Numbered(a, i);
                while (!queue.TryPush(request))
                {
                    Thread.Yield();
                }
            }
        }))];
        foreach (Thread thread in threads)
        {
            thread.Start();
        }

        int[] next = new int[askers];
        int taken = 0;
        while (taken < askers * each)
        {
            queue.Arrived.ShouldBeLessThanOrEqualTo(capacity);
            if (queue.Take() is Numbered request)
            {
                request.Number.ShouldBe(next[request.Asker]++);
                taken++;
            }
            else
            {
                queue.Publish();
            }
        }

        queue.Take().ShouldBeNull();
        next.ShouldAllBe(n => n == each);
    }

    [Fact]
    public void A_sleeper_is_woken_for_the_visitor_it_waits_for_and_for_none_before()
    {
        var doorbell = new Doorbell();
        bool woken = false;
        using var asleep = new ManualResetEventSlim();
        var sleeper = new Thread(() =>
        {
            doorbell.Wait(
                () =>
                {
                    asleep.Set();
                    return false;
                },
                milliseconds: 60_000,
                wakeAt: 5);
            Volatile.Write(ref woken, true);
        });
        sleeper.Start();
        asleep.Wait(TestContext.Current.CancellationToken);

        doorbell.Ring(4);
        sleeper.Join(100).ShouldBeFalse();
        doorbell.Ring(5);
        sleeper.Join(30_000).ShouldBeTrue();
        woken.ShouldBeTrue();
    }

    private static AwaitedRequest New() => new(new GetHold(Hasher));

    private sealed class Numbered(int asker, int number) : Request(new GetHold(Hasher))
    {
        public int Asker => asker;

        public int Number => number;

        protected internal override void Complete()
        {
        }
    }
}

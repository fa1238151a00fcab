using System.Collections.Concurrent;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>How strangers who await are told, and what they ask next is taken in, when their code is quick and when it blocks.</summary>
public sealed class TellerTests
{
    private static readonly NameHasher Hasher = new(1, 2);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Without the rescue the request waits in the run of the very thread that waits for its answer.</summary>
    [Theory]
    [InlineData(64)]
    [InlineData(500)]
    public async Task An_asker_that_blocks_for_what_it_has_just_asked_is_answered_and_so_are_those_behind_it(int askers)
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("sku-1", 1_000_000);
        for (int round = 0; round < 20; round++)
        {
            int prefix = round;
            await Task.WhenAll(Enumerable.Range(0, askers).Select(i => Task.Run(() => AskAsync($"h{prefix}-{i}", blocks: i % 50 == 7)))).WaitAsync(Patience);
        }

        (await space.ReadAsync()).Held.ShouldBe(20 * askers * 4L);

        async Task AskAsync(string id, bool blocks)
        {
            for (int i = 0; i < 4; i++)
            {
                ValueTask<Answer> asked = space.Space.AskAsync(Try($"{id}-{i}"));
#pragma warning disable xUnit1031 // what is tested is who blocks
                Answer answer = blocks && i == 2 ? asked.AsTask().GetAwaiter().GetResult() : await asked;
#pragma warning restore xUnit1031
                answer.Code.ShouldBe(Code.Ok);
            }
        }
    }

    /// <summary>How long strangers' code has run is no matter of the clock that deadlines go by: in users' tests that one may stand still.</summary>
    [Fact]
    public async Task So_it_is_when_the_injected_clock_stands_still_and_the_space_can_be_stopped()
    {
        const int askers = 64;
        RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"), time: new FrozenTime());
        await space.StockAsync("sku-1", 1_000_000);
        await Task.WhenAll(Enumerable.Range(0, askers).Select(i => Task.Run(() => AskAsync($"h{i}")))).WaitAsync(Patience);

        await space.DisposeAsync().AsTask().WaitAsync(Patience);

        async Task AskAsync(string id)
        {
            (await space.Space.AskAsync(Try(id)).ConfigureAwait(false)).Code.ShouldBe(Code.Ok);
#pragma warning disable xUnit1031 // what is tested is who blocks
            space.Space.AskAsync(Try(id + "-next")).AsTask().GetAwaiter().GetResult().Code.ShouldBe(Code.Ok);
#pragma warning restore xUnit1031
        }
    }

    [Fact]
    public async Task Those_behind_a_blocked_asker_are_told_and_what_it_asked_is_queued_each_once()
    {
        var queue = new RequestQueue(64);
        var time = new SettableTime();
        var teller = new Teller(queue, time);
        using var release = new ManualResetEventSlim();
        using var blocked = new ManualResetEventSlim();
        var next = new Asker(static _ => { });
        Asker[] askers = [.. Enumerable.Range(0, 40).Select(i => new Asker(_ =>
        {
            if (i == 3)
            {
                teller.TryGather(next).ShouldBeTrue();
                blocked.Set();
                release.Wait(Patience).ShouldBeTrue();
            }
        }))];
        var batch = new RequestBatch();
        foreach (Asker asker in askers)
        {
            batch.Add(asker);
        }

        teller.Tell(new RequestBatch(), batch);
        blocked.Wait(Patience, TestContext.Current.CancellationToken).ShouldBeTrue();
        teller.Rescue();
        queue.Take().ShouldBeNull("it is not late yet");
        teller.IsTelling.ShouldBeTrue();

        time.Advance(TimeSpan.FromMilliseconds(Teller.PatienceMilliseconds));
        teller.Rescue();

        queue.Take().ShouldBeSameAs(next);
        SpinWait.SpinUntil(() => askers.All(a => a.Told > 0), Patience).ShouldBeTrue("all but the blocked one are told");
        release.Set();
        SpinWait.SpinUntil(() => !teller.IsTelling, Patience).ShouldBeTrue();
        await Task.Delay(50, TestContext.Current.CancellationToken); // for the blocked thread to do too much, if it does
        askers.ShouldAllBe(a => a.Told == 1);
        queue.Take().ShouldBeNull();
    }

    /// <summary>A theft at any instant: each asker is told once, each request it makes is queued once.</summary>
    [Fact]
    public void Runs_that_are_stolen_at_any_instant_lose_nothing_and_double_nothing()
    {
        const int rounds = 20_000, count = 48;
        var queue = new RequestQueue(65_536);
        var teller = new Teller(queue, TimeProvider.System);
        int stolen = 0;
        TellingRun? running = null;
        bool ended = false;
        var thief = new Thread(Steal) { IsBackground = true };
        thief.Start();
        for (int round = 0; round < rounds; round++)
        {
            Asker[] nexts = [.. Enumerable.Range(0, count).Select(_ => new Asker(static _ => { }))];
            Asker[] askers = [.. Enumerable.Range(0, count).Select(i => new Asker(_ =>
            {
                if (!teller.TryGather(nexts[i]))
                {
                    queue.TryPush(nexts[i]).ShouldBeTrue();
                }
            }))];
            var run = new TellingRun(teller, new Fan(teller, []), [.. askers]); // the fan's part is this test's
            Volatile.Write(ref running, run);
            int first = 0;
            while (first < count && run.Tell(first, Math.Min(first + TellingRun.Max, count)))
            {
                first += TellingRun.Max;
            }

            Interlocked.Exchange(ref running, null);
            if (first < count)
            {
                // Parts that the run had not come to.
                stolen++;
                for (int i = first + TellingRun.Max; i < count; i++)
                {
                    askers[i].Complete();
                }
            }

            SpinWait.SpinUntil(() => askers.All(a => a.Told > 0) && queue.Arrived == count, Patience).ShouldBeTrue($"round {round}: {askers.Count(a => a.Told == 0)} not told, {queue.Arrived} queued");
            var taken = new HashSet<Request>();
            while (queue.Take() is { } request)
            {
                taken.Add(request).ShouldBeTrue($"round {round}: queued twice");
            }

            taken.Count.ShouldBe(count);
            askers.ShouldAllBe(a => a.Told == 1);
        }

        Volatile.Write(ref ended, true);
        thief.Join();
        stolen.ShouldBeGreaterThan(rounds / 100, "else hardly anything was tested");

        void Steal()
        {
            var random = new Random(1);
            while (!Volatile.Read(ref ended))
            {
                Thread.SpinWait(random.Next(300));
                if (Interlocked.Exchange(ref running, null) is { } run)
                {
                    run.AnnounceTheft();
                    Interlocked.MemoryBarrierProcessWide();
                    run.Divide();
                }
            }
        }
    }

    /// <summary>The same at instants that chance hardly meets: right before or after an asker asks, the last one of a part too.</summary>
    [Theory]
    [InlineData(0, false)]
    [InlineData(0, true)]
    [InlineData(7, false)]
    [InlineData(7, true)]
    [InlineData(TellingRun.Max - 1, false)]
    [InlineData(TellingRun.Max - 1, true)]
    public void A_run_that_is_stolen_in_the_middle_of_an_asker_loses_nothing_and_doubles_nothing(int thief, bool afterItAsked)
    {
        var queue = new RequestQueue(64);
        var teller = new Teller(queue, TimeProvider.System);
        TellingRun? run = null;
        Asker[] nexts = [.. Enumerable.Range(0, TellingRun.Max).Select(_ => new Asker(static _ => { }))];
        Asker[] askers = [.. Enumerable.Range(0, TellingRun.Max).Select(i => new Asker(_ =>
        {
            StealIf(i == thief && !afterItAsked);
            if (!teller.TryGather(nexts[i]))
            {
                queue.TryPush(nexts[i]).ShouldBeTrue();
            }

            StealIf(i == thief && afterItAsked);
        }))];
        run = new TellingRun(teller, new Fan(teller, []), [.. askers]);

        run.Tell(0, TellingRun.Max).ShouldBeFalse();

        SpinWait.SpinUntil(() => askers.All(a => a.Told > 0) && queue.Arrived >= TellingRun.Max, Patience).ShouldBeTrue();
        askers.ShouldAllBe(a => a.Told == 1);
        var queued = new List<Request>();
        while (queue.Take() is { } request)
        {
            queued.Add(request);
        }

        queued.ShouldBe(nexts, ignoreOrder: true);

        void StealIf(bool now)
        {
            if (now)
            {
                run!.AnnounceTheft();
                run.Divide();
            }
        }
    }

    /// <summary>When the space stops, nobody rescues any more: an asker that goes on to ask must not wait in a run for ever.</summary>
    [Fact]
    public void After_the_end_nothing_is_gathered_even_by_a_run_that_goes_on()
    {
        var queue = new RequestQueue(64);
        var teller = new Teller(queue, TimeProvider.System);
        using var begun = new ManualResetEventSlim();
        using var ended = new ManualResetEventSlim();
        bool? gathered = null;
        var batch = new RequestBatch();
        for (int i = 0; i < 16; i++)
        {
            bool first = i == 0;
            batch.Add(new Asker(_ =>
            {
                if (first)
                {
                    begun.Set();
                    ended.Wait(Patience).ShouldBeTrue();
                    gathered = teller.TryGather(new Asker(static _ => { }));
                }
            }));
        }

        teller.Tell(new RequestBatch(), batch);
        begun.Wait(Patience, TestContext.Current.CancellationToken).ShouldBeTrue();
        teller.EndRuns(); // returns although the run is held up: it is stolen
        ended.Set();

        SpinWait.SpinUntil(() => gathered is not null, Patience).ShouldBeTrue();
        gathered.ShouldBe(false);
        queue.Take().ShouldBeNull();
    }

    /// <summary>E57: what was gathered and doesn't fit is answered so, not lost.</summary>
    [Fact]
    public void E57_WhatIsGatheredAndDoesNotFit_IsAnsweredOverloaded()
    {
        var queue = new RequestQueue(4);
        var teller = new Teller(queue, TimeProvider.System);
        var told = new ConcurrentBag<Asker>();
        Asker[] gathered = [.. Enumerable.Range(0, 6).Select(_ => new Asker(told.Add))];

        teller.TakeIn([.. gathered]);

        SpinWait.SpinUntil(() => told.Count == 2, Patience).ShouldBeTrue();
        told.ShouldAllBe(a => a.Answer.Code == Code.Overloaded);
        for (int i = 0; i < 4; i++)
        {
            queue.Take().ShouldBeSameAs(gathered[i]);
        }
    }

    private static TryHold Try(string id)
    {
        var hold = new TryHold(Hasher);
        hold.Reset(RunningSpace.Utf8(id), default);
        hold.AddLine(RunningSpace.Utf8("sku-1"), 1);
        return hold;
    }

    private sealed class Asker(Action<Asker> told) : Request(new GetHold(Hasher))
    {
        private int _told;

        public int Told => Volatile.Read(ref _told);

        protected internal override void Complete()
        {
            Interlocked.Increment(ref _told);
            told(this);
        }
    }

    private sealed class SettableTime : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Volatile.Read(ref _ticks);

        public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
    }
}

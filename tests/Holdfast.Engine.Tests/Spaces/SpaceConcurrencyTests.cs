using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>Many callers at once on a space with its real threads.</summary>
public sealed class SpaceConcurrencyTests
{
    [Fact]
    public async Task E16_CrossingMultiResourceHolds_NoDeadlock_EachAllOrNothing()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("a", 100);
        await space.StockAsync("b", 150);

        Outcome<HoldView>[] outcomes = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(async () =>
        {
            HoldLine[] lines = i % 2 == 0 ? [new("a", 1), new("b", 1)] : [new("b", 1), new("a", 1)];
            return await space.Calls.TryHoldAsync(new HoldRequest($"h{i}", lines));
        })));

        outcomes.Count(o => o.IsOk).ShouldBe(100);
        (await space.ReadAsync("a")).Held.ShouldBe(100);
        (await space.ReadAsync("b")).Held.ShouldBe(100);
    }

    [Fact]
    public async Task E18_TryConfirmCancelOfOneIdAtOnce_AThousandTimes_OneOutcome()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("sku-1", 5000);
        int confirmed = 0;
        for (int i = 0; i < 1000; i++)
        {
            string id = $"h{i}";
            await Task.WhenAll(
                Task.Run(async () => await space.TryAsync(id)),
                Task.Run(async () => await space.TryAsync(id)),
                Task.Run(async () => await space.Calls.ConfirmAsync(id)),
                Task.Run(async () => await space.Calls.CancelAsync(id)));
            HoldView end = (await space.Calls.GetHoldAsync(id)).Value!;
            end.State.ShouldBeOneOf(HoldState.Confirmed, HoldState.Cancelled);
            confirmed += end.State == HoldState.Confirmed ? 1 : 0;
        }

        ResourceView stock = await space.ReadAsync();
        (stock.Held, stock.Consumed, stock.Available).ShouldBe((0, confirmed, 5000 - confirmed));
    }

    [Fact]
    public async Task E50_OwnersTwoCartsAtOnce_LimitIsOneAtomicCheck()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("sku-1", 1000, new ResourcePolicy { LimitPerOwner = 2 });
        for (int i = 0; i < 200; i++)
        {
            string owner = $"o{i}";
            Outcome<HoldView>[] carts = await Task.WhenAll(Enumerable.Range(0, 4).Select(c => Task.Run(async () => await space.TryAsync($"h{i}-{c}", owner: owner))));
            carts.Count(o => o.IsOk).ShouldBe(2);
            carts.Where(o => !o.IsOk).ShouldAllBe(o => o.Code == Code.LimitExceeded);
        }
    }

    [Fact]
    public async Task E57_QueueFull_IsOverloaded_AndCertainlyNotExecuted()
    {
        var journal = new Holdfast.Testing.FaultyJournal(new MemoryJournalStore().Get("default"), rule: null);
        using var stop = new CancellationTokenSource();
        bool hold = false;
        Task settling = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                if (!Volatile.Read(ref hold) && journal.Pending > 0)
                {
                    journal.Settle(Holdfast.Testing.AppendFate.Written);
                }

                await Task.Delay(1);
            }
        });
        RunningSpace space = await RunningSpace.StartAsync(journal, new SpaceOptions { QueueCapacity = 8, MaxBatchCommands = 4 });
        await space.StockAsync("sku-1", 1000);

        Volatile.Write(ref hold, true);
        Task<Outcome<HoldView>>[] tries = [.. Enumerable.Range(0, 100).Select(i => space.TryAsync($"h{i}").AsTask())];
        await Task.Delay(50);
        int[] overloaded = [.. Enumerable.Range(0, 100).Where(i => tries[i].IsCompleted && tries[i].Result.Code == Code.Overloaded)];
        overloaded.ShouldNotBeEmpty();

        Volatile.Write(ref hold, false);
        Outcome<HoldView>[] outcomes = await Task.WhenAll(tries);
        foreach (int i in overloaded)
        {
            (await space.Calls.GetHoldAsync($"h{i}")).Code.ShouldBe(Code.NotFound);
        }

        (await space.ReadAsync()).Held.ShouldBe(outcomes.Count(o => o.IsOk));
        await space.DisposeAsync();
        await stop.CancelAsync();
        await settling;
    }

    [Fact]
    public async Task E21_DownPastDeadlines_ExpiredBeforeTheFirstAnswer()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "holdfast.db");
        await using (var store = new SqliteJournalStore(path))
        {
            await using RunningSpace space = await RunningSpace.StartAsync(store.Get("default"));
            await space.StockAsync("sku-1", 20_000);
            await Task.WhenAll(Enumerable.Range(0, 10_000).Select(i => space.TryAsync($"h{i}", ttl: TimeSpan.FromMilliseconds(700)).AsTask()));
        }

        await Task.Delay(800);
        await using var reopened = new SqliteJournalStore(path);
        await using RunningSpace after = RunningSpace.Create(reopened.Get("default"));
        Task<ResourceView> firstAnswer = after.ReadAsync();
        await after.Space.StartAsync();
        (await firstAnswer).Available.ShouldBe(20_000);
        (await after.TryAsync("h1", ttl: TimeSpan.FromMilliseconds(700))).Code.ShouldBe(Code.Expired);
    }

    [Fact]
    public async Task BlockedContinuation_DoesNotHoldUpOthers()
    {
        // A stranger's code that blocks on an answer of the same batch: it must come all the same.
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await space.StockAsync("sku-1", 1000);
        for (int round = 0; round < 20; round++)
        {
            int r = round;
            Task<Outcome<HoldView>>[] others = new Task<Outcome<HoldView>>[16];
            var gate = new TaskCompletionSource();
            async Task<bool> Blocks(int i)
            {
                await gate.Task;
                Task<Outcome<HoldView>> mine = space.TryAsync($"h{r}-{i}").AsTask();
                others[i] = mine;
                await mine;
                return others.Where(o => o is not null).All(o => o.Wait(TimeSpan.FromSeconds(20)));
            }

            Task<bool>[] all = [.. Enumerable.Range(0, 16).Select(Blocks)];
            gate.SetResult();
            (await Task.WhenAll(all)).ShouldAllBe(x => x);
        }
    }

    [Fact]
    public async Task Stopping_AnswersWhatWasTaken_AndRefusesTheRest()
    {
        var store = new MemoryJournalStore();
        RunningSpace space = await RunningSpace.StartAsync(store.Get("default"));
        await space.StockAsync("sku-1", 1_000_000);
        Task<Outcome<HoldView>>[] tries = [.. Enumerable.Range(0, 5000).Select(i => space.TryAsync($"h{i}").AsTask())];
        await space.DisposeAsync();
        Outcome<HoldView>[] outcomes = await Task.WhenAll(tries).WaitAsync(TimeSpan.FromSeconds(20));
        outcomes.ShouldAllBe(o => o.IsOk || o.Code == Code.Unavailable);

        await using RunningSpace again = await RunningSpace.StartAsync(store.Get("default"));
        (await again.ReadAsync()).Held.ShouldBe(outcomes.Count(o => o.IsOk));
        (await space.TryAsync("late")).Code.ShouldBe(Code.Unavailable);
    }
}

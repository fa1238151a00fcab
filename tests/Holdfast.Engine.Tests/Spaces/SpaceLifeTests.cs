using System.Collections.Concurrent;
using Holdfast.Journal;
using Holdfast.Journal.Memory;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>What a space may be made with, and what it tells at its beginning and its end.</summary>
public sealed class SpaceLifeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static TheoryData<SpaceOptions, string> Wrong => new()
    {
        { new SpaceOptions { QueueCapacity = 0 }, "QueueCapacity" },
        { new SpaceOptions { QueueCapacity = -1 }, "QueueCapacity" },
        { new SpaceOptions { QueueCapacity = 1 << 25 }, "QueueCapacity" },
        { new SpaceOptions { QueueCapacity = int.MaxValue }, "QueueCapacity" },
        { new SpaceOptions { MaxBatchCommands = 0 }, "MaxBatchCommands" },
        { new SpaceOptions { RetryStorageEvery = TimeSpan.Zero }, "RetryStorageEvery" },
        { new SpaceOptions { RetryStorageEvery = TimeSpan.FromSeconds(-1) }, "RetryStorageEvery" },
        { new SpaceOptions { RetryStorageEvery = TimeSpan.MaxValue }, "RetryStorageEvery" },
        { new SpaceOptions { Holds = null! }, "Holds" },
        { new SpaceOptions { Transactions = null! }, "Transactions" },
        { new SpaceOptions { Checkouts = null! }, "Checkouts" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Options_that_no_space_can_run_under_are_refused_by_name(SpaceOptions options, string named)
    {
        await using var journal = new MemoryJournalStore();
        Should.Throw<ArgumentException>(() => RunningSpace.Create(journal.Get("default"), options)).Message.ShouldContain(named);
    }

    [Fact]
    public async Task A_queue_of_one_serves()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"), new SpaceOptions { QueueCapacity = 1 });
        await space.StockAsync("sku-1", 1);
        (await space.TryAsync("h")).IsOk.ShouldBeTrue();
    }

    /// <summary>Who follows the journal would else learn of a new space's first frame, or of what a recovery found, only when it looks again by itself.</summary>
    [Fact]
    public async Task Each_loading_of_the_journal_tells_how_far_it_is_durable()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        long last;
        await using (RunningSpace first = RunningSpace.Create(journal))
        {
            ConcurrentQueue<long> told = Listen(first);
            await first.Space.StartAsync();
            told.ShouldBe([1]);
            await first.StockAsync("sku-1", 1);
            last = first.Space.Durable.Sequence;
            told.ShouldBe(Enumerable.Range(1, (int)last).Select(i => (long)i));
        }

        await using RunningSpace second = RunningSpace.Create(journal);
        ConcurrentQueue<long> again = Listen(second);
        await second.Space.StartAsync();
        again.ShouldBe([last]);
    }

    [Fact]
    public async Task Who_waits_for_an_end_is_let_go_when_the_space_stops()
    {
        await using RunningSpace space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        Task<bool> transaction = space.Space.WaitForEndAsync("t", TimeSpan.FromHours(1), TestContext.Current.CancellationToken);
        Task<bool> checkout = space.Space.WaitForCheckoutAsync("c", TimeSpan.FromHours(1), TestContext.Current.CancellationToken);

        await space.Space.DisposeAsync();

        (await transaction.WaitAsync(Patience)).ShouldBeFalse();
        (await checkout.WaitAsync(Patience)).ShouldBeFalse();
        (await space.Space.WaitForEndAsync("t", TimeSpan.FromHours(1), TestContext.Current.CancellationToken).WaitAsync(Patience)).ShouldBeFalse("it has stopped");
    }

    private static ConcurrentQueue<long> Listen(RunningSpace space)
    {
        var told = new ConcurrentQueue<long>();
        space.Space.BatchDurable += told.Enqueue;
        return told;
    }
}

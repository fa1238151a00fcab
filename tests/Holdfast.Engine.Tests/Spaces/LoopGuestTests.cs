using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Holdfast.Testing;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>A space whose thread also serves sockets, or what stands in for them here.</summary>
public sealed class LoopGuestTests
{
    [Fact]
    public async Task The_next_batch_is_being_written_before_sockets_are_served_and_askers_of_the_last_one_told()
    {
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), rule: null);
        using var guest = new Guest();
        NameHasher hasher = new(1, 2);
        await using var space = new Space("default", journal, new SpaceOptions(), hasher, TimeProvider.System) { Guest = guest };
        Task started = space.StartAsync();
        await RunningSpace.UntilAsync(() => journal.Pending == 1); // the empty frame that a space begins with
        journal.Settle(AppendFate.Written);
        await started;
        var put = new PutResource(hasher);
        put.Reset("sku-1"u8, new ResourcePolicy { Overdraft = 10 });
        ValueTask stocked = space.SendAsync(new AwaitedRequest(put));
        await RunningSpace.UntilAsync(() => journal.Pending == 1);
        journal.Settle(AppendFate.Written);
        await stocked;

        long decided = space.Metrics.Answers(Code.Ok);
        int writing = -1;
        Task first = Ask("first");
        await RunningSpace.UntilAsync(() => journal.Pending == 1);
        Task second = Ask("second");
        await RunningSpace.UntilAsync(() => space.Metrics.Answers(Code.Ok) == decided + 2); // decided, and waiting for the first: it is small
        journal.Pending.ShouldBe(1);
        guest.OnHandle = () => writing = journal.Pending;
        journal.Settle(AppendFate.Written);
        int writingWhenTold = await first.ContinueWith(_ => journal.Pending, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

        await RunningSpace.UntilAsync(() => journal.Pending == 1);
        journal.Settle(AppendFate.Written);
        await second;
        writingWhenTold.ShouldBe(1);
        writing.ShouldBe(1);

        Task Ask(string id)
        {
            var hold = new TryHold(hasher);
            hold.Reset(System.Text.Encoding.UTF8.GetBytes(id), default);
            hold.AddLine("sku-1"u8, 1);
            return space.SendAsync(new AwaitedRequest(hold, inline: true)).AsTask();
        }
    }

    private sealed class Guest : ILoopGuest, IDisposable
    {
        private readonly SemaphoreSlim _come = new(0);
        private volatile Action? _onHandle;

        /// <summary>Called once, the next time that sockets are served.</summary>
        public Action? OnHandle
        {
            set => _onHandle = value;
        }

        public bool Enter() => true;

        public void Leave()
        {
        }

        public void Wait(int milliseconds) => _come.Wait(milliseconds);

        public void Handle() => Interlocked.Exchange(ref _onHandle, null)?.Invoke();

        public void Wake() => _come.Release();

        public void Dispose() => _come.Dispose();
    }
}

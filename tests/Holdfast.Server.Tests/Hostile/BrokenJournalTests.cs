using Holdfast.Journal;

namespace Holdfast.Server.Tests;

public sealed class BrokenJournalTests
{
    [Fact]
    public async Task A_journal_that_can_not_be_used_ends_the_server_which_can_still_say_why()
    {
        var stopped = new TaskCompletionSource();
        RunningServer server = await RunningServer.StartAsync(store: new GatedStore { Refuses = "default" }, ready: false);
        server.App.Lifetime.ApplicationStopping.Register(() => stopped.TrySetResult());
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(20));
        await server.DisposeAsync();
        HoldfastServer.Failure(server.App)!.Message.ShouldContain(GatedStore.Secret);
    }

    [Fact]
    public async Task Storage_that_is_not_there_yet_is_waited_for_and_readiness_says_why()
    {
        var store = new LateStore();
        await using RunningServer server = await RunningServer.StartAsync(store: store, ready: false);
        Reply notReady = await server.GetAsync("/health/ready");
        for (int i = 0; !notReady.Text.Contains(LateStore.Why, StringComparison.Ordinal); i++)
        {
            i.ShouldBeLessThan(200);
            await Task.Delay(20);
            notReady = await server.GetAsync("/health/ready");
        }

        notReady.Status.ShouldBe(503);
        store.There = true;
        await server.BecomesReadyAsync();
        (await server.GetAsync("/health/ready")).Text.ShouldNotContain(LateStore.Why);
        HoldfastServer.Failure(server.App).ShouldBeNull();
    }

    private sealed class LateStore : IJournalStore
    {
        public const string Why = "no route to the database";

        private readonly GatedStore _inner = new();

        public volatile bool There;

        public ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken) =>
            There ? _inner.ListSpacesAsync(cancellationToken) : throw new JournalException(JournalFault.NotWritten, Why);

        public IJournal Get(string space) => _inner.Get(space);

        public ValueTask DisposeAsync() => _inner.DisposeAsync();
    }
}

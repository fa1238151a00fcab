using System.Text;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>A space with its threads over a journal, its clock the real one unless given, and the typed calls.</summary>
internal sealed class RunningSpace : IAsyncDisposable
{
    private readonly SpaceHost _host;

    private RunningSpace(Space space, SpaceHost host)
    {
        Space = space;
        _host = host;
        Calls = new SpaceClient(host, space);
    }

    public Space Space { get; }

    public IHoldfast Calls { get; }

    public static RunningSpace Create(IJournal journal, SpaceOptions? options = null, TimeProvider? time = null)
    {
        var hasher = new NameHasher(1, 2);
        options ??= new SpaceOptions { RetryStorageEvery = TimeSpan.FromMilliseconds(50) };
        time ??= TimeProvider.System;
        var host = new SpaceHost(new MemoryJournalStore(), options, hasher, time, NullLoggerFactory.Instance);
        return new RunningSpace(new Space("default", journal, options, hasher, time), host);
    }

    public static async Task<RunningSpace> StartAsync(IJournal journal, SpaceOptions? options = null, TimeProvider? time = null)
    {
        RunningSpace running = Create(journal, options, time);
        await running.Space.StartAsync();
        return running;
    }

    public async Task StockAsync(string resource, long units, ResourcePolicy? policy = null)
    {
        (await Calls.PutResourceAsync(resource, policy ?? ResourcePolicy.Default)).IsOk.ShouldBeTrue();
        (await Calls.AdjustAsync(resource, new SupplyAdjustment("opening", "test") { Delta = units })).IsOk.ShouldBeTrue();
    }

    public ValueTask<Outcome<HoldView>> TryAsync(string id, string resource = "sku-1", long quantity = 1, string? owner = null, TimeSpan? ttl = null) =>
        Calls.TryHoldAsync(new HoldRequest(id, new HoldLine(resource, quantity)) { Owner = owner, Ttl = ttl });

    public async Task<ResourceView> ReadAsync(string resource = "sku-1") => (await Calls.GetResourceAsync(resource)).Value!;

    /// <summary>Repeats a call under its id until its outcome is known, as clients do.</summary>
    public static async Task<Outcome<T>> UntilKnownAsync<T>(Func<ValueTask<Outcome<T>>> call)
        where T : class
    {
        while (true)
        {
            Outcome<T> outcome = await call();
            if (outcome.Code is not (Code.Unavailable or Code.Overloaded))
            {
                return outcome;
            }

            await Task.Delay(10);
        }
    }

    public static async Task UntilAsync(Func<bool> so)
    {
        while (!so())
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    public async ValueTask DisposeAsync()
    {
        await Space.DisposeAsync();
        await _host.DisposeAsync();
    }
}

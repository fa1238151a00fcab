using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>A host with one kind of store and one kind of views, and short words for what tests do with it.</summary>
internal sealed class Serving : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private Serving(SpaceHost host, IHoldfast holdfast)
    {
        Host = host;
        Holdfast = holdfast;
    }

    public SpaceHost Host { get; }

    public IHoldfast Holdfast { get; }

    public Space Space => Host.Default;

    public SpaceViews Views => Host.Views!.For(Space)!;

    public Snapshotter Snapshots => Host.Snapshots!.For(Space)!;

    public static async Task<Serving> StartAsync(IJournalStore journals, Func<string, IViewStore?> views, SpaceOptions? options = null, TimeProvider? time = null, ILoggerFactory? log = null)
    {
        time ??= TimeProvider.System;
        log ??= NullLoggerFactory.Instance;
        var host = new SpaceHost(journals, options ?? new SpaceOptions { Holds = History.Options }, History.Hasher, time, log);
        host.Views = new ViewHost(host, views, time, log);
        host.Snapshots = new SnapshotHost(host, host.Views, time, log);
        try
        {
            await host.StartAsync(TestContext.Current.CancellationToken);
            return new Serving(host, host.Use(host.Default));
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    public async Task StockAsync(string resource, long units)
    {
        (await Holdfast.PutResourceAsync(resource, ResourcePolicy.Default)).IsOk.ShouldBeTrue();
        (await Holdfast.AdjustAsync(resource, new SupplyAdjustment("delivery-" + resource, "delivery") { Delta = units })).IsOk.ShouldBeTrue();
    }

    public async Task HoldAsync(string id, string resource, long quantity, string? owner = null) =>
        (await Holdfast.TryHoldAsync(new HoldRequest(id, new HoldLine(resource, quantity)) { Owner = owner, Ttl = TimeSpan.FromHours(1) })).Code.ShouldBe(Code.Ok);

    public async Task CaughtUpAsync() => (await Views.CatchUpAsync(Patience)).ShouldBeTrue(Views.Progress.Trouble);

    public ValueTask DisposeAsync() => Host.DisposeAsync();
}

using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine.Tests.Hosting;

/// <summary>Whoever waits on the one thread of a synchronization context, as a window's or a test framework's does, must not wait for itself.</summary>
public sealed class BlockedContextTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void In_memory() => EverythingEnds(o => o.UseMemory());

    [Fact]
    public void Over_SQLite()
    {
        using var folder = new TempFolder();
        EverythingEnds(o => o.UseSqlite(Path.Combine(folder.Path, "holdfast.db")));
    }

    [Fact]
    public async Task Over_PostgreSQL()
    {
        string connection = await server.CreateDatabaseAsync();
        EverythingEnds(o => o.UsePostgres(connection));
    }

    private static void EverythingEnds(Action<HoldfastOptions> configure)
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHoldfast(configure);
        IHost host = builder.Build();
        SpaceHost spaces = host.Services.GetRequiredService<SpaceHost>();
        host.Services.GetRequiredService<ViewHost>(); // so that the container disposes it by itself
        using var later = new CancellationTokenSource();
#pragma warning disable xUnit1031 // what is tested is who blocks
        Ends("the start", host.Start);
        Ends("a call", () => host.Services.GetRequiredService<IHoldfast>().PutResourceAsync("sku", ResourcePolicy.Default).AsTask().GetAwaiter().GetResult());
        Ends("a call that may be cancelled", () => host.Services.GetRequiredService<IHoldfast>().GetResourceAsync("sku", later.Token).AsTask().GetAwaiter().GetResult());
        Ends("a new space", () => spaces.CreateAsync("shop-7", CancellationToken.None).GetAwaiter().GetResult());
        Ends("catching up", () => spaces.Views!.For("default")!.CatchUpAsync(Patience).GetAwaiter().GetResult().ShouldBeTrue());
        Ends("a list", () => spaces.Views!.For("default")!.ListResourcesAsync().GetAwaiter().GetResult());
        Ends("waiting for an end", () => spaces.Default.WaitForEndAsync("t", TimeSpan.FromMilliseconds(1)).GetAwaiter().GetResult());
#pragma warning restore xUnit1031
        Ends("disposing", host.Dispose);
    }

    private static void Ends(string what, Action action)
    {
        Exception? thrown = null;
        var thread = new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new BlockedContext());
            try
            {
                action();
            }
            catch (Exception e)
            {
                thrown = e;
            }
        }) { IsBackground = true };
        thread.Start();
        thread.Join(Patience).ShouldBeTrue(what + " waits for its own thread");
        thrown.ShouldBeNull(what);
    }

    /// <summary>Its thread is the one that waits, so what is posted to it is never run.</summary>
    private sealed class BlockedContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }

        public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();
    }
}

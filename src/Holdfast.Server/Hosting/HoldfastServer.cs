using System.Net;
using System.Runtime.CompilerServices;
using Holdfast.Engine;
using Holdfast.Server.Outlets;
using Holdfast.Server.Simulator;
using Holdfast.Server.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// The Holdfast server: HTTP and RESP over the spaces of one storage place. Run what <see cref="Create(ServerSettings)"/> returns; it
/// listens at once, is ready when the journals are replayed (<c>/health/ready</c>), and drains on Ctrl-C or SIGTERM.
/// </summary>
public static class HoldfastServer
{
    // What was taken is answered within milliseconds. Longer waits who has half a request under way, and a server that is replaced
    // must not be down for the half minute that is the host's default (or be killed after a container's ten seconds).
    private static readonly TimeSpan DrainAtMost = TimeSpan.FromSeconds(5);

    private static readonly ConditionalWeakTable<WebApplication, SpaceStarter> Starters = [];

    /// <summary>Builds a server. Nothing is opened before it starts.</summary>
    /// <exception cref="SettingsException">A setting is not usable, or protected mode refuses; the message says what to do.</exception>
    public static WebApplication Create(ServerSettings settings) => Create(settings, null);

    /// <summary>The address that HTTP listens on, once the server has started.</summary>
    public static Uri HttpAddress(WebApplication server) => Address(server, 0);

    /// <summary>Where RESP listens, once the server has started; null when it doesn't.</summary>
    public static IPEndPoint? RespEndpoint(WebApplication server) =>
        Addresses(server).Count < 2 ? null : IPEndPoint.Parse(Address(server, 1).Authority);

    /// <summary>Why the server stopped by itself (its journal can't be used), or null. Can be asked also when it has been disposed.</summary>
    public static Exception? Failure(WebApplication server)
    {
        ArgumentNullException.ThrowIfNull(server);
        return Starters.TryGetValue(server, out SpaceStarter? starter) ? starter.Failure : null;
    }

    internal static WebApplication Create(ServerSettings settings, Action<WebApplicationBuilder>? change)
    {
        ArgumentNullException.ThrowIfNull(settings);
        settings.Check();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "holdfast" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => KestrelSetup.Listen(kestrel, settings));
        builder.Services.Configure<SocketTransportOptions>(KestrelSetup.Sockets);
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = DrainAtMost);
        if (Epoll.IsSupported)
        {
            builder.Services.AddSingleton<EpollLoop>();
            builder.Services.AddSingleton<IConnectionListenerFactory>(static services =>
                new EpollTransport(services.GetRequiredService<EpollLoop>(), EpollTransport.OwnLoopsFor(Environment.ProcessorCount)));
        }

        AddServices(builder.Services, settings);
        Logs.Add(builder.Logging);
        change?.Invoke(builder);

        WebApplication app = builder.Build();
        // The sockets first: what is made last goes first, and the spaces must end before what shares their thread.
        var sockets = app.Services.GetService<EpollLoop>();
        app.Services.GetRequiredService<SpaceHost>().Guest = sockets;
        Starters.Add(app, app.Services.GetRequiredService<SpaceStarter>());
        Pipeline(app);
        return app;
    }

    private static void AddServices(IServiceCollection services, ServerSettings settings)
    {
        services.AddRoutingCore();
        services.AddHoldfastSpaces(options =>
        {
            options.Space = options.Space with
            {
                QueueCapacity = settings.QueueCapacity,
                SnapshotEveryEvents = settings.SnapshotEveryEvents,
                Holds = options.Space.Holds with { RetentionMs = Milliseconds(settings.RetentionHours) },
                Transactions = options.Space.Transactions with { RetentionMs = Milliseconds(settings.RetentionHours) },
                Checkouts = options.Space.Checkouts with { RetentionMs = Milliseconds(settings.CheckoutRetentionHours) },
            };
            options.Effects = options.Effects with { SigningKeys = SigningSecretFile.Keys(settings) };
            _ = settings.Journal switch
            {
                JournalKind.Postgres => options.UsePostgres(settings.Connection!),
                JournalKind.Memory => options.UseMemory(),
                _ => options.UseSqlite(Path.Combine(settings.Data, "holdfast.db")),
            };
        });
        services.AddSingleton(settings);
        services.AddSingleton(new ApiKeys(settings.ApiKeys));
        services.AddSingleton<SpaceStarter>();
        services.AddHostedService(s => s.GetRequiredService<SpaceStarter>());
        services.AddSingleton<Access>();
        services.AddSingleton<CallPool>();
        services.AddSingleton<HttpProblems>();
        services.AddSingleton<SpaceOf>();
        services.AddSingleton<SpaceCall>();
        services.AddSingleton<HoldCalls>();
        services.AddSingleton<ResourceCalls>();
        services.AddSingleton<ListCalls>();
        services.AddSingleton<BatchCalls>();
        services.AddSingleton<EventCalls>();
        services.AddSingleton<TransactionCalls>();
        services.AddSingleton<CheckoutCalls>();
        services.AddSingleton<CallbackCalls>();
        services.AddSingleton<KeptCallbackCalls>();
        services.AddSingleton<CallbackMetrics>();
        services.AddSingleton(s => new UnverifiedLimit(s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<OutletHost>();
        services.AddHostedService(s => s.GetRequiredService<OutletHost>());
        services.AddSingleton<OutletCalls>();
        services.AddSingleton<ChannelSetup>();
        services.AddHostedService(s => s.GetRequiredService<ChannelSetup>());
        services.AddSingleton<SpaceCalls>();
        services.AddSingleton<Health>();
        services.AddSingleton<PrometheusText>();
        if (settings.Otlp is { } otlp)
        {
            Telemetry.Add(services, otlp);
        }
    }

    private static long Milliseconds(int hours) => (long)TimeSpan.FromHours(hours).TotalMilliseconds;

    private static void Pipeline(WebApplication app)
    {
        // Before routing, whose matching would cost the hot path a measurable part of its time.
        app.Use(app.Services.GetRequiredService<HoldCalls>().FrontDoor);
        app.UseRouting();
        app.Use(app.Services.GetRequiredService<HttpProblems>().Around);
        DocsPages.UsePage(app);
        app.UseMiddleware<AccessMiddleware>();

        foreach (string root in new[] { "/v1", "/v1/spaces/{space}" })
        {
            RouteGroupBuilder routes = app.MapGroup(root);
            app.Services.GetRequiredService<HoldCalls>().Map(routes);
            app.Services.GetRequiredService<ResourceCalls>().Map(routes);
            app.Services.GetRequiredService<ListCalls>().Map(routes);
            app.Services.GetRequiredService<BatchCalls>().Map(routes);
            app.Services.GetRequiredService<EventCalls>().Map(routes);
            app.Services.GetRequiredService<TransactionCalls>().Map(routes);
            app.Services.GetRequiredService<CheckoutCalls>().Map(routes);
            app.Services.GetRequiredService<CallbackCalls>().Map(routes);
            app.Services.GetRequiredService<KeptCallbackCalls>().Map(routes);
            app.Services.GetRequiredService<OutletCalls>().Map(routes);
        }

        app.Services.GetRequiredService<SpaceCalls>().Map(app);
        app.Services.GetRequiredService<Health>().Map(app);
        app.Services.GetRequiredService<PrometheusText>().Map(app);
        DocsPages.Map(app);
        SimulatorEndpoints.Map(app, ChannelSetup.SimulatorPath, () => app.Services.GetRequiredService<ChannelSetup>().Provider);
    }

    private static Uri Address(WebApplication server, int place) => new(Addresses(server).ElementAt(place));

    private static ICollection<string> Addresses(WebApplication server)
    {
        ArgumentNullException.ThrowIfNull(server);
        return server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
    }
}

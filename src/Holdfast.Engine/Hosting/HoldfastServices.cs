using System.Security.Cryptography;
using Holdfast.Engine;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts Holdfast into any .NET host.</summary>
public static class HoldfastServices
{
    /// <summary>
    /// Adds Holdfast: <c>services.AddHoldfast(o => o.UseSqlite("holdfast.db"))</c>, then inject <see cref="IHoldfast"/>.
    /// The journals are replayed when the host starts, before any hosted service is started, in whatever order they were added; it
    /// serves after that, and drains when the host is disposed.
    /// </summary>
    public static IServiceCollection AddHoldfast(this IServiceCollection services, Action<HoldfastOptions>? configure = null)
    {
        services.AddHoldfastSpaces(configure);
        services.AddHostedService<StartSpaces>();
        return services;
    }

    /// <summary>
    /// The same, but nothing starts by itself: for a host that answers while the journals are still being replayed, and
    /// so calls <see cref="SpaceHost.StartAsync"/> in its own time.
    /// </summary>
    public static IServiceCollection AddHoldfastSpaces(this IServiceCollection services, Action<HoldfastOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<HoldfastOptions>();
        if (configure is not null)
        {
            services.Configure(configure);
        }

#pragma warning disable RS0030 // The one place where the real clock and real randomness come in; everything below takes them injected.
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(_ => new NameHasher(
            BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)),
            BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8))));
#pragma warning restore RS0030
        services.TryAddSingleton(CreateHost);
        services.TryAddSingleton(s => s.GetRequiredService<SpaceHost>().Views!);
        services.TryAddSingleton(s => s.GetRequiredService<SpaceHost>().Snapshots!);
        services.TryAddSingleton(s => s.GetRequiredService<SpaceHost>().Payments!);
        services.TryAddSingleton<IHoldfast>(s => new SpaceClient(s.GetRequiredService<SpaceHost>()));
        return services;
    }

    /// <summary>The host with its views and snapshots: these must listen before the first space opens, whoever asks for them.</summary>
    private static SpaceHost CreateHost(IServiceProvider services)
    {
        HoldfastOptions options = services.GetRequiredService<IOptions<HoldfastOptions>>().Value;
        TimeProvider time = services.GetRequiredService<TimeProvider>();
        ILoggerFactory loggers = services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance;
        var host = new SpaceHost(options.JournalStore(), options.Space, services.GetRequiredService<NameHasher>(), time, loggers);
        host.Views = new ViewHost(host, space => options.ViewStore(space, time), time, loggers);
#pragma warning disable RS0030 // As above: jitter needs no seed in a real host.
        static ulong Bits() => (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
        host.Effects = new EffectHost(host, new EffectDispatcher(options.Effects, time, Bits), time);
        host.Payments = new PaymentHost(host, options.Payments, time, Bits, loggers);
#pragma warning restore RS0030
        host.Snapshots = new SnapshotHost(host, options.HasViews ? host.Views : null, time, loggers);
        return host;
    }

    private sealed class StartSpaces(SpaceHost host) : IHostedLifecycleService
    {
        private Task? _starting;

        // Before any service's StartAsync: what was registered first may call too.
        public Task StartingAsync(CancellationToken cancellationToken) => _starting = host.StartAsync(cancellationToken);

        // Whoever starts hosted services without a host knows only this.
        public Task StartAsync(CancellationToken cancellationToken) => _starting ?? host.StartAsync(cancellationToken);

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        // The container disposes the host, which drains it.
        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

using System.Collections.Concurrent;
using Holdfast.Engine.Projection;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>The views of all spaces of a host: attaches a projector to each space as it opens.</summary>
public sealed class ViewHost : IAsyncDisposable, IDisposable
{
    private readonly ConcurrentDictionary<string, (SpaceViews Views, Projector Projector)> _views = new(StringComparer.Ordinal);
    private readonly Func<string, IViewStore?> _stores;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SpaceHost _host;

    internal ViewHost(SpaceHost host, Func<string, IViewStore?> stores, TimeProvider time, ILoggerFactory loggers)
    {
        _host = host;
        _stores = stores;
        _time = time;
        _logger = loggers.CreateLogger("Holdfast.Views");
        host.SpaceOpened += Attach;
    }

    /// <summary>The views of a space; null when views are switched off or the space isn't open.</summary>
    public SpaceViews? For(Space space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return For(space.Name);
    }

    /// <summary>The views of a space by name; null when views are switched off or the space isn't open.</summary>
    public SpaceViews? For(string space) => _views.TryGetValue(space, out (SpaceViews Views, Projector) known) ? known.Views : null;

    /// <summary>Stops the projectors. What they haven't shown they show after the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        await CallersContext.LeaveAsync();
        _host.SpaceOpened -= Attach;
        await Task.WhenAll(_views.Values.Select(v => v.Projector.DisposeAsync().AsTask()));
    }

    /// <summary>The same, and blocks until it is done: for containers that are disposed synchronously.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private void Attach(Space space)
    {
        if (_stores(space.Name) is { } store)
        {
            var progress = new ViewProgress(space, _time);
            var projector = new Projector(space, store, progress, _time, _logger);
            _views[space.Name] = (new SpaceViews(space, store, progress), projector);
            projector.Start();
        }
    }
}

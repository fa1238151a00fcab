using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>The snapshotters of all spaces of a host: attaches one to each space as it opens.</summary>
public sealed class SnapshotHost : IAsyncDisposable, IDisposable
{
    private readonly ConcurrentDictionary<string, Snapshotter> _snapshotters = new(StringComparer.Ordinal);
    private readonly SpaceHost _host;
    private readonly ViewHost? _views;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Attaches to every space that the host opens from now on.</summary>
    /// <param name="host">The spaces.</param>
    /// <param name="views">Their views: frames are kept until these have passed them; null: there are none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Told of every snapshot.</param>
    public SnapshotHost(SpaceHost host, ViewHost? views, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(loggers);
        _host = host;
        _views = views;
        _time = time;
        _logger = loggers.CreateLogger("Holdfast.Snapshots");
        host.SpaceOpened += Attach;
    }

    /// <summary>The snapshotter of a space; null when it isn't open.</summary>
    public Snapshotter? For(Space space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return _snapshotters.GetValueOrDefault(space.Name);
    }

    /// <summary>Stops them; a snapshot under way is dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        await CallersContext.LeaveAsync();
        _host.SpaceOpened -= Attach;
        await Task.WhenAll(_snapshotters.Values.Select(s => s.DisposeAsync().AsTask()));
    }

    /// <summary>The same, and blocks until it is done: for containers that are disposed synchronously.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private void Attach(Space space)
    {
        var snapshotter = new Snapshotter(space, () => _views?.For(space)?.Progress.Position ?? long.MaxValue, _time, _logger);
        _snapshotters[space.Name] = snapshotter;
        snapshotter.Start();
    }
}

using System.Collections.Concurrent;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>All spaces of a process over one storage place. The space that nobody names is <c>default</c>.</summary>
public sealed class SpaceHost(IJournalStore store, SpaceOptions options, NameHasher hasher, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable, IDisposable
{
    /// <summary>The space that nobody names.</summary>
    public const string DefaultName = "default";

    private readonly ConcurrentDictionary<string, Space> _spaces = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _creating = new(1, 1);

    /// <summary>Raised once for each space, before it starts to serve: projections attach here.</summary>
    public event Action<Space>? SpaceOpened;

    /// <summary>The spaces, in ordinal order.</summary>
    public IReadOnlyList<Space> Spaces => [.. _spaces.Values.OrderBy(s => s.Name, StringComparer.Ordinal)];

    /// <summary>The views of the spaces; null when this host was made without.</summary>
    public ViewHost? Views { get; internal set; }

    /// <summary>The snapshotters of the spaces; null when this host was made without.</summary>
    public SnapshotHost? Snapshots { get; internal set; }

    /// <summary>Makes the calls of transactions; null when this host was made without.</summary>
    public EffectHost? Effects { get; internal set; }

    /// <summary>Makes the calls to payment providers; null when this host was made without.</summary>
    public PaymentHost? Payments { get; internal set; }

    /// <summary>Who is to share the thread of the space that nobody names; null: it has its thread for itself. Set before <see cref="StartAsync"/>.</summary>
    public ILoopGuest? Guest { get; set; }

    /// <summary>Hashes names for commands of any space here.</summary>
    public NameHasher Hasher => hasher;

    /// <summary>The clock.</summary>
    public TimeProvider Time => time;

    /// <summary>Whether every space serves reads and writes.</summary>
    public bool IsReady => !_spaces.IsEmpty && _spaces.Values.All(s => s.Status == SpaceStatus.Running);

    /// <summary>The space <c>default</c>.</summary>
    /// <exception cref="HoldfastException">Not started.</exception>
    public Space Default => Find(DefaultName) ?? throw new HoldfastException("Holdfast is not started: its spaces open when the host starts, or by SpaceHost.StartAsync.");

    /// <summary>A space by name, or null.</summary>
    public Space? Find(string name) => _spaces.GetValueOrDefault(name);

    /// <summary>The typed calls of a space.</summary>
    public IHoldfast Use(Space space) => new SpaceClient(this, space);

    /// <summary>Opens every space that storage knows, and <c>default</c>. Completes when all serve.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await CallersContext.LeaveAsync();
        IEnumerable<string> names = (await store.ListSpacesAsync(cancellationToken)).Append(DefaultName).Distinct(StringComparer.Ordinal);

        // Beside each other: one whose storage can only be read answers reads, but isn't open until it can be written.
        await foreach (Task opened in Task.WhenEach(names.Select(OpenAsync)).WithCancellation(cancellationToken))
        {
            await opened;
        }
    }

    /// <summary>Creates a space, or finds the one that exists. Idempotent.</summary>
    /// <returns>The space, and whether it is new.</returns>
    public async Task<(Space Space, bool Created)> CreateAsync(string name, CancellationToken cancellationToken)
    {
        await CallersContext.LeaveAsync();
        await _creating.WaitAsync(cancellationToken);
        try
        {
            return Find(name) is { } known ? (known, false) : (await OpenAsync(name), true);
        }
        finally
        {
            _creating.Release();
        }
    }

    /// <summary>Stops every space: each answers and writes what it has taken.</summary>
    public async ValueTask DisposeAsync()
    {
        await CallersContext.LeaveAsync();
        await (Effects?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (Payments?.DisposeAsync() ?? ValueTask.CompletedTask);

        // First those that read the journals: the spaces close them.
        await (Snapshots?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (Views?.DisposeAsync() ?? ValueTask.CompletedTask);
        await Task.WhenAll(_spaces.Values.Select(s => s.DisposeAsync().AsTask()));
        await store.DisposeAsync();
    }

    /// <summary>The same, and blocks until it is done: for containers that are disposed synchronously.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task<Space> OpenAsync(string name)
    {
        var space = new Space(name, store.Get(name), options, hasher, time, loggers.CreateLogger("Holdfast.Space"))
        {
            Guest = string.Equals(name, DefaultName, StringComparison.Ordinal) ? Guest : null,
        };
        if (!_spaces.TryAdd(name, space))
        {
            return _spaces[name];
        }

        SpaceOpened?.Invoke(space);
        try
        {
            await space.StartAsync();
            return space;
        }
        catch
        {
            _spaces.TryRemove(name, out _);
            await space.DisposeAsync();
            throw;
        }
    }
}

using System.Text;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Journal.Postgres;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.Server;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Cli.Bench;

/// <summary>
/// A space of the bench's own, put together exactly as a host does it (<c>AddHoldfast</c>), so that everything that runs
/// in production runs here.
/// </summary>
internal sealed class BenchSpace : IAsyncDisposable
{
    /// <summary>Units that one owner may have; two holds of one unit each name the same owner.</summary>
    public const int LimitPerOwner = 2;

    private const string NamePrefix = "bench-";
    private readonly BenchFolder? _folder;
    private ServiceProvider? _services;

    private BenchSpace(BenchSettings settings, string name, BenchFolder? folder, HoldOptions? rules)
    {
        _folder = folder;
        Name = name;
        _services = new ServiceCollection().AddHoldfastSpaces(o =>
        {
            if (settings.Journal == JournalKind.Postgres)
            {
                o.UsePostgres(settings.Connection!);
            }
            else if (settings.Journal == JournalKind.Memory)
            {
                o.UseMemory();
            }
            else
            {
                o.UseSqlite(File);
            }

            if (!settings.Views)
            {
                o.WithoutViews();
            }

            // A replay is to be measured from the first event on, not from a snapshot.
            o.Space = o.Space with { Holds = rules ?? o.Space.Holds, SnapshotEveryEvents = settings.Replay ? 0 : o.Space.SnapshotEveryEvents };
        }).BuildServiceProvider();
    }

    /// <summary>What the whole process has in memory: objects, after a full collection, and slabs, those that are ready for the next growth included.</summary>
    public static long MemoryBytes() => GC.GetTotalMemory(forceFullCollection: true) + Kernel.Memory.SlabReserve.Bytes;

    /// <summary>The space's name: its own, so that a database that others use too isn't touched.</summary>
    public string Name { get; }

    /// <summary>The space.</summary>
    public Space Space { get; private set; } = null!;

    private string File => Path.Join(_folder!.Path, "holdfast.db");

    /// <summary>Opens an empty space.</summary>
    /// <param name="settings">Where.</param>
    /// <param name="rules">Other rules than production's, or null.</param>
    /// <exception cref="BenchException">The place is not fit for a bench.</exception>
    public static async Task<BenchSpace> OpenAsync(BenchSettings settings, HoldOptions? rules = null)
    {
        string name = BenchFolder.NewName();
        BenchFolder? folder = null;
        if (settings.Journal == JournalKind.Postgres)
        {
            await CheckDatabaseAsync(settings.Connection!);
        }
        else if (settings.Journal == JournalKind.Sqlite)
        {
            folder = new BenchFolder(name, settings.Data);
        }

        var bench = new BenchSpace(settings, name, folder, rules);
        try
        {
            IServiceProvider services = bench._services!;
            if (settings.Views)
            {
                // Attaches itself to the spaces that are opened from now on.
                services.GetRequiredService<ViewHost>();
            }

            (bench.Space, _) = await services.GetRequiredService<SpaceHost>().CreateAsync(name, CancellationToken.None);
            return bench;
        }
        catch
        {
            await bench.DisposeAsync();
            throw;
        }
    }

    /// <summary>Creates a resource with a supply and the limit by owner.</summary>
    public async Task<byte[]> SupplyAsync(string resource, long units)
    {
        IHoldfast holdfast = _services!.GetRequiredService<SpaceHost>().Use(Space);
        Check(await holdfast.PutResourceAsync(resource, new ResourcePolicy { LimitPerOwner = LimitPerOwner }));
        Check(await holdfast.AdjustAsync(resource, new SupplyAdjustment("supply", "bench") { Delta = units }));
        return Encoding.UTF8.GetBytes(resource);
    }

    /// <summary>Bytes of memory that a live hold costs: of what was added since <paramref name="before"/>, when no snapshot is being taken (which has the state in memory once more).</summary>
    public async Task<double> BytesPerLiveHoldAsync(long before)
    {
        if (_services!.GetRequiredService<SnapshotHost>().For(Space) is { } snapshots)
        {
            await snapshots.IdleAsync();
        }

        return (MemoryBytes() - before) / (double)Math.Max(1, Space.Metrics.LiveHolds);
    }

    /// <summary>Waits until the views show everything, and says how long that took; null when there are none or time ran out.</summary>
    public async Task<TimeSpan?> CatchUpAsync(TimeSpan timeout)
    {
        if (_services!.GetService<ViewHost>()?.For(Space) is not { } views)
        {
            return null;
        }

        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        return await views.CatchUpAsync(timeout) ? System.Diagnostics.Stopwatch.GetElapsedTime(began) : null;
    }

    /// <summary>Closes the space, but keeps its journal.</summary>
    public async Task CloseAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
            _services = null;
        }
    }

    /// <summary>A new space over the closed one's journal, without views: replay alone.</summary>
    public (Space Space, IJournalStore Store) Reopen(BenchSettings settings)
    {
        IJournalStore store = settings.Journal == JournalKind.Postgres
            ? new PostgresJournalStore(settings.Connection!)
            : new SqliteJournalStore(File);
        var random = new Random();
        var hasher = new NameHasher((ulong)random.NextInt64(), (ulong)random.NextInt64());
        return (new Space(Name, store.Get(Name), new SpaceOptions { SnapshotEveryEvents = 0 }, hasher, TimeProvider.System), store);
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _folder?.Dispose();
    }

    /// <summary>A bench writes millions of rows: not into a database that a shop uses.</summary>
    public static async Task CheckDatabaseAsync(string connection)
    {
        await using var store = new PostgresJournalStore(connection);
        try
        {
            if ((await store.ListSpacesAsync(CancellationToken.None)).FirstOrDefault(s => !s.StartsWith(NamePrefix, StringComparison.Ordinal)) is { } other)
            {
                throw new BenchException($"This database has the space '{other}', so a server may use it. Give the bench a database of its own: createdb holdfast_bench.");
            }
        }
        catch (JournalException e)
        {
            throw new BenchException($"The database can't be used: {e.Message}", e);
        }
    }

    private static void Check<T>(Outcome<T> outcome)
        where T : class
    {
        if (!outcome.IsOk)
        {
            throw new BenchException(outcome.Refusal?.Message ?? outcome.Code.Text());
        }
    }
}

/// <summary>The bench can't run here, or met something that makes its numbers worthless.</summary>
internal sealed class BenchException(string message, Exception? inner = null) : Exception(message, inner);

using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Postgres;
using Holdfast.Engine.Projection.Sqlite;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Postgres;
using Holdfast.Journal.Sqlite;

namespace Holdfast.Engine;

/// <summary>Where Holdfast keeps its journals and how its spaces run.</summary>
public sealed class HoldfastOptions
{
    /// <summary>Rules and bounds of every space.</summary>
    public SpaceOptions Space
    {
        get;
        set => field = Given(value, nameof(Space));
    } = new();

    /// <summary>How calls to participants of transactions are made.</summary>
    public EffectOptions Effects
    {
        get;
        set => field = Given(value, nameof(Effects));
    } = new();

    /// <summary>How calls to payment providers are made.</summary>
    public PaymentOptions Payments
    {
        get;
        set => field = Given(value, nameof(Payments));
    } = new();

    /// <summary>Opens the journals. Set by one of the Use methods; SQLite in <c>holdfast.db</c> unless set.</summary>
    public Func<IJournalStore> JournalStore
    {
        get;
        set => field = Given(value, nameof(JournalStore));
    } = () => SqliteJournals("holdfast.db");

    /// <summary>Opens the views of a space; null: this host keeps none.</summary>
    internal Func<string, TimeProvider, IViewStore?> ViewStore { get; set; } = SqliteViews("holdfast.db");

    internal bool HasViews { get; private set; } = true;

    /// <summary>
    /// Keeps journals in SQLite files: <paramref name="path"/> for the space <c>default</c>, <c>name@space.db</c> beside it
    /// for others. The views stand beside their journal: <c>name.views.db</c>, <c>name@space.views.db</c>.
    /// </summary>
    /// <exception cref="ArgumentException"><paramref name="path"/> is <c>:memory:</c> or a URI, which SQLite's own connections take.</exception>
    public HoldfastOptions UseSqlite(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (path == ":memory:" || path.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            throw new ArgumentException($"'{path}' is not a file's path, such as holdfast.db. To keep everything in memory, for tests, there is UseMemory.", nameof(path));
        }

        JournalStore = () => SqliteJournals(path);
        ViewStore = SqliteViews(path);
        return this;
    }

    /// <summary>Keeps journals and views in a PostgreSQL database, all spaces in the same tables (created when missing).</summary>
    /// <param name="connectionString">An Npgsql connection string.</param>
    public HoldfastOptions UsePostgres(string connectionString)
    {
        JournalStore = () => new PostgresJournalStore(connectionString);
        ViewStore = (space, _) => new PostgresViewStore(space, connectionString);
        return this;
    }

    /// <summary>Keeps journals and views in memory: for tests. Nothing survives the process.</summary>
    public HoldfastOptions UseMemory()
    {
        JournalStore = () => new MemoryJournalStore();
        ViewStore = (_, time) => SqliteViewStore.InMemory(time);
        return this;
    }

    /// <summary>Keeps no views: no lists, no movements; <see cref="ViewHost.For(string)"/> is null. After the Use method.</summary>
    public HoldfastOptions WithoutViews()
    {
        ViewStore = (_, _) => null;
        HasViews = false;
        return this;
    }

    private static T Given<T>(T value, string name)
        where T : class => value ?? throw new ArgumentNullException(name);

    private static SqliteJournalStore SqliteJournals(string path)
    {
        // SQLite only says that it can't open the file, and that might pass.
        string full = Path.GetFullPath(path);
        return Path.GetFileName(full).Length == 0 || Directory.Exists(full)
            ? throw new HoldfastException($"'{path}' is a folder, and the journal is a file: UseSqlite takes the path of a file, such as {Path.Join(path, "holdfast.db")}. If a folder stands by mistake where the file should, move it away.")
            : new SqliteJournalStore(path);
    }

    private static Func<string, TimeProvider, IViewStore?> SqliteViews(string journal) => (space, time) =>
    {
        string name = Path.GetFileNameWithoutExtension(journal) + (space == SpaceHost.DefaultName ? "" : "@" + space);
        return SqliteViewStore.InFile(Path.Join(Path.GetDirectoryName(Path.GetFullPath(journal)), name + ".views" + Path.GetExtension(journal)), time);
    };
}

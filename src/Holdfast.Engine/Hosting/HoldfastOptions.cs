using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;

namespace Holdfast.Engine;

/// <summary>Where Holdfast keeps its journals and how its spaces run.</summary>
public sealed class HoldfastOptions
{
    /// <summary>Rules and bounds of every space.</summary>
    public SpaceOptions Space { get; set; } = new();

    /// <summary>Opens the journals. Set by one of the Use methods; SQLite in <c>holdfast.db</c> unless set.</summary>
    public Func<IJournalStore> JournalStore { get; set; } = () => new SqliteJournalStore("holdfast.db");

    /// <summary>Keeps journals in SQLite files: <paramref name="path"/> for the space <c>default</c>, <c>name@space.db</c> beside it for others.</summary>
    public HoldfastOptions UseSqlite(string path)
    {
        JournalStore = () => new SqliteJournalStore(path);
        return this;
    }

    /// <summary>Keeps journals in memory: for tests. Nothing survives the process.</summary>
    public HoldfastOptions UseMemory()
    {
        JournalStore = () => new MemoryJournalStore();
        return this;
    }
}

using Dapper;
using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Sqlite;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;

namespace Holdfast.Engine.Tests.Projection;

public sealed class SqliteViewStoreTests : ViewStoreConformance, IDisposable
{
    private readonly TempFolder _folder = new();

    private protected override (string Begin, string End) Sabotage =>
        ("CREATE TRIGGER sabotage BEFORE INSERT ON holdfast_view_movements WHEN new.ordinal > 2 BEGIN SELECT RAISE(ABORT, 'sabotage'); END", "DROP TRIGGER sabotage");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_damaged_file_is_put_aside_and_built_anew()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        History history = await (await History.BeginAsync(1, journal)).LiveAsync(10);
        await File.WriteAllBytesAsync(PathOf("default"), Enumerable.Repeat((byte)'x', 8192).ToArray(), Token);
        await using IViewStore store = Open();

        await ViewTable.ProjectAsync(store, journal, () => 3);

        await ViewTable.ShouldTellOfAsync(store, "default", history.Machine);
        File.Exists(PathOf("default") + ".damaged").ShouldBeTrue();
    }

    [Fact]
    public async Task In_memory_stores_are_apart()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        History history = await (await History.BeginAsync(1, journal)).LiveAsync(10);
        await using IViewStore store = SqliteViewStore.InMemory(TimeProvider.System);
        await using IViewStore other = SqliteViewStore.InMemory(TimeProvider.System);
        await ViewTable.ProjectAsync(store, journal, () => 3);

        await ViewTable.ShouldTellOfAsync(store, "default", history.Machine);
        (await other.OpenAsync(Token)).ShouldBeNull();
    }

    private protected override IViewStore Open(string space = "default") => SqliteViewStore.InFile(PathOf(space), TimeProvider.System);

    private protected override async Task ExecuteAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={PathOf("default")};Pooling=False");
        await connection.ExecuteAsync(sql);
    }

    private string PathOf(string space) => _folder.File(space + ".views.db");
}

using Dapper;
using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Postgres;
using Holdfast.TestKit;
using Npgsql;

namespace Holdfast.Engine.Tests.Projection;

public sealed class PostgresViewStoreTests(PostgresServer server) : ViewStoreConformance, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private string _connectionString = "";

    private protected override (string Begin, string End) Sabotage => (
        """
        CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'sabotage'; END $$;
        CREATE TRIGGER sabotage BEFORE INSERT ON holdfast_view_movements FOR EACH ROW WHEN (new.ordinal > 2) EXECUTE FUNCTION sabotage();
        """,
        "DROP TRIGGER sabotage ON holdfast_view_movements");

    public async ValueTask InitializeAsync() => _connectionString = await server.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override IViewStore Open(string space = "default") => new PostgresViewStore(space, _connectionString);

    private protected override async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.ExecuteAsync(sql);
    }
}

using System.Data.Common;
using Holdfast.TestKit;
using Npgsql;

namespace Holdfast.Participant.Tests;

public sealed class PostgresBarrierTests(PostgresServer server) : BarrierConformance, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private string _connection = "";

    public async ValueTask InitializeAsync() => _connection = await server.CreateDatabaseAsync() + ";Pooling=false";

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override DbConnection Connect() => new NpgsqlConnection(_connection);
}

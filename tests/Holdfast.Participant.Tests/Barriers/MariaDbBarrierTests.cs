using System.Data.Common;
using MySqlConnector;

namespace Holdfast.Participant.Tests;

public sealed class MariaDbBarrierTests(MariaDbServer server) : BarrierConformance, IClassFixture<MariaDbServer>, IAsyncLifetime
{
    private string _connection = "";

    public async ValueTask InitializeAsync() => _connection = await server.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override DbConnection Connect() => new MySqlConnection(_connection);
}

using System.Data.Common;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;

namespace Holdfast.Participant.Tests;

public sealed class SqliteBarrierTests : BarrierConformance, IDisposable
{
    private readonly TempFolder _folder = new("holdfast-barrier-");

    private protected override DbConnection Connect() => new SqliteConnection($"Data Source={Path.Join(_folder.Path, "points.db")};Pooling=False");

    [Theory]
    [InlineData("Data Source=:memory:")]
    [InlineData("Data Source=points;Mode=Memory")]
    [InlineData("Data Source=")]
    public async Task A_database_in_memory_is_another_for_each_connection(string name)
    {
        for (int i = 0; i < 2; i++)
        {
            await using var connection = new SqliteConnection(name);
            (await Barrier.RunAsync(connection, Call(BranchOp.Try), (_, _) => Task.FromResult(BranchResult.Done))).ShouldBe(BranchResult.Done);
        }
    }

    public void Dispose() => _folder.Dispose();
}

using System.Data.Common;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;

namespace Holdfast.Participant.Tests;

public sealed class SqliteBarrierTests : BarrierConformance, IDisposable
{
    private readonly TempFolder _folder = new("holdfast-barrier-");

    private protected override DbConnection Connect() => new SqliteConnection($"Data Source={Path.Join(_folder.Path, "points.db")};Pooling=False");

    public void Dispose() => _folder.Dispose();
}

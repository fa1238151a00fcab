using System.Data.Common;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Holdfast.Participant.Tests;

/// <summary>The same rules through a DbContext, whose changes are saved in the barrier's transaction.</summary>
public sealed class SqliteDbContextBarrierTests : BarrierConformance, IDisposable
{
    private readonly TempFolder _folder = new("holdfast-barrier-");

    private string Source => $"Data Source={Path.Join(_folder.Path, "points.db")};Pooling=False";

    private protected override DbConnection Connect() => new SqliteConnection(Source);

    private protected override Task<BranchResult> RunAsync(BranchCall call, Func<Task>? meanwhile = null, bool fail = false) =>
        PointsContext.RunAsync(Barrier, new DbContextOptionsBuilder<PointsContext>().UseSqlite(Source).Options, call, meanwhile, fail);

    public void Dispose() => _folder.Dispose();
}

public sealed class PostgresDbContextBarrierTests(PostgresServer server) : BarrierConformance, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private string _connection = "";

    public async ValueTask InitializeAsync() => _connection = await server.CreateDatabaseAsync() + ";Pooling=false";

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private protected override DbConnection Connect() => new NpgsqlConnection(_connection);

    private protected override Task<BranchResult> RunAsync(BranchCall call, Func<Task>? meanwhile = null, bool fail = false) =>
        PointsContext.RunAsync(
            Barrier, Options, call, meanwhile, fail);

    private DbContextOptions<PointsContext> Options => new DbContextOptionsBuilder<PointsContext>().UseNpgsql(_connection, o => o.EnableRetryOnFailure()).Options;

    [Fact]
    public async Task A_swallowed_database_error_is_no_success()
    {
        await PrepareAsync();
        await using var context = new PointsContext(Options);
        await Should.ThrowAsync<Exception>(() => context.RunAsync(Barrier, Call(BranchOp.Try), async (db, cancellationToken) =>
        {
            await db.Database.ExecuteSqlRawAsync(Statement(BranchOp.Try), cancellationToken);
            await Should.ThrowAsync<PostgresException>(() => db.Database.ExecuteSqlRawAsync("insert into points values (1, 0, 0, 0)", cancellationToken));
            return BranchResult.Done;
        }));
        (await RunAsync(Call(BranchOp.Try))).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((90, 10, 0));
    }
}

internal sealed class PointsContext(DbContextOptions<PointsContext> options) : DbContext(options)
{
    public DbSet<Points> Points => Set<Points>();

    public static async Task<BranchResult> RunAsync(
        BranchBarrier barrier, DbContextOptions<PointsContext> options, BranchCall call, Func<Task>? meanwhile, bool fail)
    {
        await using var context = new PointsContext(options);
        return await context.RunAsync(barrier, call, async (db, cancellationToken) =>
        {
            // Two transactions change the row at once in these tests, so it is locked by a statement, as EF's users do.
            if (await db.Database.ExecuteSqlRawAsync("update points set spent = spent where id = 1", cancellationToken) != 1)
            {
                return BranchResult.Refused("no points");
            }

            Points points = await db.Points.SingleAsync(cancellationToken);
            switch (call.Op)
            {
                case BranchOp.Try when points.Available < 10:
                    return BranchResult.Refused("not enough points");
                case BranchOp.Try:
                    points.Available -= 10;
                    points.Frozen += 10;
                    break;
                case BranchOp.Confirm:
                    points.Frozen -= 10;
                    points.Spent += 10;
                    break;
                default:
                    points.Frozen -= 10;
                    points.Available += 10;
                    break;
            }

            if (meanwhile is not null)
            {
                await meanwhile();
            }

            return fail ? throw new InvalidOperationException("the business broke") : BranchResult.Done;
        });
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<Points>(points =>
    {
        points.ToTable("points");
        points.Property(p => p.Id).HasColumnName("id");
        points.Property(p => p.Available).HasColumnName("available");
        points.Property(p => p.Frozen).HasColumnName("frozen");
        points.Property(p => p.Spent).HasColumnName("spent");
    });
}

internal sealed class Points
{
    public long Id { get; set; }

    public long Available { get; set; }

    public long Frozen { get; set; }

    public long Spent { get; set; }
}

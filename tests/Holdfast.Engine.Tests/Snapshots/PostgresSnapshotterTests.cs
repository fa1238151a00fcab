using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal.Postgres;
using Holdfast.Kernel;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Snapshots;

public sealed class PostgresSnapshotterTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private const int Holds = 60_000;
    private const int PatienceMilliseconds = 120_000;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// Its content is written and read synchronously, on a thread that all continuations come back to: whoever waits for them there waits forever. The
    /// second snapshot begins by reading the first.
    /// </summary>
    [Fact(Timeout = PatienceMilliseconds)]
    public async Task Snapshots_of_several_parts_are_written_and_read_beside_the_running_space()
    {
        await using var store = new PostgresJournalStore(await server.CreateDatabaseAsync());
        await using Serving serving = await Serving.StartAsync(store, _ => null);
        await serving.StockAsync("sku", long.MaxValue / 4);
        await HoldAsync(serving, "first");
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        await HoldAsync(serving, "second");
        (await serving.Snapshots.TakeAsync(Token)).ShouldBe(SnapshotOutcome.Written);
        await serving.Snapshots.IdleAsync(Token);

        VerificationReport report = await SpaceVerifier.VerifyAsync(store.Get(serving.Space.Name), Token);

        report.Problem.ShouldBeNull();
        report.SnapshotSequence.ShouldBe(serving.Snapshots.LastSequence);
        report.Digest.ShouldBe(serving.Space.Durable.Digest);
    }

    private static async Task HoldAsync(Serving serving, string prefix)
    {
        NameHasher hasher = serving.Space.Hasher;
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, 512).Select(_ => Task.Run(
            async () =>
            {
                var hold = new TryHold(hasher);
                var request = new AwaitedRequest(hold);
                for (int i = Interlocked.Increment(ref next); i <= Holds; i = Interlocked.Increment(ref next))
                {
                    hold.Reset(System.Text.Encoding.UTF8.GetBytes($"{prefix}-{i:000000000}"), default);
                    hold.AddLine("sku"u8, 1);
                    await serving.Space.SendAsync(request);
                    request.Answer.Code.ShouldBe(Code.Ok);
                }
            },
            Token)));
    }
}

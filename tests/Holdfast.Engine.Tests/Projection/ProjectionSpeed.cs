using System.Diagnostics;
using System.Globalization;
using Holdfast.Engine.Projection;
using Holdfast.Engine.Projection.Postgres;
using Holdfast.Engine.Projection.Sqlite;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.TestKit;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>
/// Measures, doesn't judge: a flash sale's events (one hot resource, an owner each) into each database. Run with
/// <c>dotnet Holdfast.Engine.Tests.dll -explicit only -class Holdfast.Engine.Tests.Projection.ProjectionSpeed -showliveoutput</c>.
/// </summary>
public sealed class ProjectionSpeed(PostgresServer server, ITestOutputHelper output) : IClassFixture<PostgresServer>
{
    private const int Count = 200_000;
    private const int BatchSize = 500;

    [Theory(Explicit = true)]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task Events_a_second(string database)
    {
        using var folder = new TempFolder();
        await using IViewStore store = database == "sqlite"
            ? SqliteViewStore.InFile(folder.File("views.db"), TimeProvider.System)
            : new PostgresViewStore("default", await server.CreateDatabaseAsync());
        IJournal journal = new MemoryJournalStore().Get("default");
        History history = await History.BeginAsync(1, journal);
        await history.DoAsync(History.Put("sku"), History.Adjust("sku", "a", Count * 4));
        await MeasureAsync("one put", 1);

        foreach (int round in new[] { 0, 1 })
        {
            for (int i = 0; i < Count; i += BatchSize)
            {
                await history.DoAsync([.. Enumerable.Range(i, BatchSize).Select(n => History.Try(Id(round, n), Owner(n), ("sku", 1)))]);
            }

            await MeasureAsync($"held {round}", Count);
            for (int i = 0; i < Count; i += BatchSize)
            {
                await history.DoAsync([.. Enumerable.Range(i, BatchSize).Select(n => History.Confirm(Id(round, n)))]);
            }

            await MeasureAsync($"confirmed {round}", Count);
        }

        for (int i = 0; i < Count; i += BatchSize)
        {
            await history.DoAsync([.. Enumerable.Range(i, BatchSize).Select(n => History.Try(Id(2, n), Owner(n), ("sku", 1)))]);
            await history.DoAsync([.. Enumerable.Range(i, BatchSize).Select(n => History.Confirm(Id(2, n)))]);
        }

        await MeasureAsync("held and soon confirmed", 2 * Count);

        async Task MeasureAsync(string what, int events)
        {
            var watch = Stopwatch.StartNew();
            TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
            await ViewTable.ProjectAsync(store, journal, () => 16);
            output.WriteLine($"{database} {what}: {events / watch.Elapsed.TotalSeconds:N0} events/s, {(Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalMilliseconds * 1000 / events:N2} us of processor an event");
        }
    }

    /// <summary>What the projector takes from a sale: its thread's share of a processor, and holds a second with and without it.</summary>
    [Theory(Explicit = true)]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Share_of_a_processor_during_a_sale(bool views)
    {
        const int callers = 256;
        var length = TimeSpan.FromSeconds(8);
        using var folder = new TempFolder();
        HoldfastOptions options = new HoldfastOptions().UseSqlite(folder.File("holdfast.db"));
        await using Serving serving = await Serving.StartAsync(options.JournalStore(), space => views ? options.ViewStore(space, TimeProvider.System) : null, new SpaceOptions());
        await serving.StockAsync("sku", long.MaxValue / 8);
        var watch = Stopwatch.StartNew();
        double before = ProjectorSeconds();
        long made = 0;
        await Task.WhenAll(Enumerable.Range(0, callers).Select(c => Task.Run(async () =>
        {
            for (int i = 0; watch.Elapsed < length; i++)
            {
                await serving.HoldAsync($"{c}-{i}", "sku", 1, $"user-{c}");
                Interlocked.Increment(ref made);
            }
        })));

        double seconds = watch.Elapsed.TotalSeconds;
        output.WriteLine($"views {views}: {made / seconds:N0} holds/s, projector {(ProjectorSeconds() - before) / seconds:P1} of a processor");
        if (views)
        {
            output.WriteLine($"lag {serving.Views.Progress.LagSequences} batches, {serving.Views.Progress.Events:N0} of {made:N0} events shown");
            watch.Restart();
            (await serving.Views.CatchUpAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken)).ShouldBeTrue();
            output.WriteLine($"caught up after {watch.Elapsed.TotalSeconds:N1} s");
        }
    }

    /// <summary>From Linux' own books: the times of the thread by its name.</summary>
    private static double ProjectorSeconds()
    {
        const int userTime = 11, systemTime = 12;
        const double ticksPerSecond = 100;
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            string stat = File.ReadAllText(Path.Join(task, "stat"));
            if (stat.Contains("(holdfast views", StringComparison.Ordinal))
            {
                string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                return (double.Parse(fields[userTime], CultureInfo.InvariantCulture) + double.Parse(fields[systemTime], CultureInfo.InvariantCulture)) / ticksPerSecond;
            }
        }

        return 0;
    }

    // Scattered as hashes of shoppers would be: the worst case for an index.
    private static string Id(int round, int n) => ((uint)((n + (round * Count)) * 2654435761L)).ToString("x8", CultureInfo.InvariantCulture) + "-order";

    private static string Owner(int n) => "user-" + ((uint)(n * 2246822519L)).ToString(CultureInfo.InvariantCulture);
}

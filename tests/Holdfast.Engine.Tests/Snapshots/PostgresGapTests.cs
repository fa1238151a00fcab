using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Postgres;
using Holdfast.TestKit;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Holdfast.Engine.Tests.Snapshots;

/// <summary>A row missing near the end: what a crash between two appends leaves is told, everything else is named as damage.</summary>
public sealed class PostgresGapTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_crash_leaves_is_told_by_a_verification_and_by_the_start_that_drops_it()
    {
        (string connection, long last) = await LiveAsync();
        await ExecuteAsync(connection, $"DELETE FROM holdfast_journal WHERE sequence = {last - 1}");

        VerificationReport report = await VerifyAsync(connection);
        (report.IsGood, report.LastSequence, report.MissingBeforeLast).ShouldBe((true, last - 2, last - 1));

        using var log = new CollectedLog();
        await using (await Serving.StartAsync(new PostgresJournalStore(connection), _ => null, log: log))
        {
            log.At(LogLevel.Warning).ShouldHaveSingleItem().ShouldContain($"ends at {last - 2}; 1 frame(s) from {last} on");
        }

        (await VerifyAsync(connection)).MissingBeforeLast.ShouldBeNull();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(10)]
    public async Task A_row_lost_further_back_is_damage_and_named(int back)
    {
        (string connection, long last) = await LiveAsync();
        await ExecuteAsync(connection, $"DELETE FROM holdfast_journal WHERE sequence = {last - back}");

        VerificationReport report = await VerifyAsync(connection);
        (report.FirstBadSequence, report.MissingBeforeLast).ShouldBe((last - back, null));
        HoldfastException refusal = await Should.ThrowAsync<HoldfastException>(() => Serving.StartAsync(new PostgresJournalStore(connection), _ => null));
        refusal.Message.ShouldContain($"Frame {last - back} is missing");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public async Task A_beginning_that_was_lost_rather_than_trimmed_is_named(int lost)
    {
        (string connection, long last) = await LiveAsync();
        await using (var store = new PostgresJournalStore(connection))
        {
            await using Serving serving = await Serving.StartAsync(store, _ => null);
            await serving.Snapshots.TakeAsync(Token);
        }

        (await VerifyAsync(connection)).IsGood.ShouldBeTrue();
        await ExecuteAsync(connection, $"DELETE FROM holdfast_journal WHERE sequence <= {lost}", rows: lost);

        VerificationReport report = await VerifyAsync(connection);
        report.FirstBadSequence.ShouldBe(1, report.Problem);
        report.LastSequence.ShouldBeGreaterThanOrEqualTo(last, "what is there is walked all the same");
    }

    private async Task<(string Connection, long Last)> LiveAsync()
    {
        string connection = await server.CreateDatabaseAsync();
        await using var store = new PostgresJournalStore(connection);
        await using IJournal journal = store.Get("default");
        History history = await (await History.BeginAsync(7, journal)).LiveAsync(40);
        return (connection, history.Sequence);
    }

    private static async Task<VerificationReport> VerifyAsync(string connection)
    {
        await using var store = new PostgresJournalStore(connection);
        await using IJournal journal = store.Get("default");
        return await SpaceVerifier.VerifyAsync(journal, Token);
    }

    private static async Task ExecuteAsync(string connectionString, string sql, int rows = 1)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(sql, connection);
        (await command.ExecuteNonQueryAsync(Token)).ShouldBe(rows);
    }
}

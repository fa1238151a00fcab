using System.CommandLine;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Journal.Postgres;
using Holdfast.Journal.Sqlite;

namespace Holdfast.Cli.Verify;

/// <summary><c>holdfast verify</c>: proves every space's journal from its bytes, and names the first bad sequence.</summary>
internal static class VerifyCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data") { Description = "Folder of the server's files.", HelpName = "DIR" };
        var journal = new Option<string>("--journal") { Description = "sqlite (with --data) or postgres (with --connection).", DefaultValueFactory = _ => "sqlite" };
        journal.AcceptOnlyFromAmong("sqlite", "postgres");
        var connection = new Option<string?>("--connection") { Description = "Npgsql connection string.", HelpName = "STRING" };
        var command = new Command("verify", "Check every space's hash chain, replay and conservation. Only reads; a server may go on meanwhile.")
        {
            data, journal, connection,
        };
        command.SetAction((parsed, _) => parsed.GetValue(journal) == "postgres"
            ? PostgresAsync(parsed.GetValue(connection))
            : SqliteAsync(parsed.GetValue(data)));
        return command;
    }

    private static Task<int> SqliteAsync(string? data)
    {
        if (string.IsNullOrWhiteSpace(data))
        {
            return SayWhat();
        }

        if (!Directory.Exists(data))
        {
            Print.Error($"There is no folder {Path.GetFullPath(data)}.");
            return Task.FromResult(ExitCode.BadArguments);
        }

        return RunAsync(new SqliteJournalStore(Path.Join(data, "holdfast.db")), Path.GetFullPath(data));
    }

    private static Task<int> PostgresAsync(string? connection)
    {
        if (string.IsNullOrWhiteSpace(connection))
        {
            return SayWhat();
        }

        try
        {
            return RunAsync(new PostgresJournalStore(connection), "the database");
        }
        catch (ArgumentException)
        {
            // Not the driver's words: they may show the end of a password with a semicolon in it.
            Print.Error("--connection is not a connection string: it must be like Host=localhost;Username=holdfast;Database=holdfast, with values that have a semicolon in them in quotes.");
            return Task.FromResult(ExitCode.BadArguments);
        }
    }

    private static Task<int> SayWhat()
    {
        Print.Error("Say what to verify: --data DIR, or --journal postgres --connection \"Host=...;Username=...;Database=...\".");
        return Task.FromResult(ExitCode.BadArguments);
    }

    private static async Task<int> RunAsync(IJournalStore store, string place)
    {
        int spaces = 0;
        int bad = 0;
        await using (store)
        {
            try
            {
                await foreach ((string space, VerificationReport report) in StoreVerification.VerifyAsync(store, Print.Note))
                {
                    spaces++;
                    bad += report.IsGood ? 0 : 1;
                    Print.Line(Words(space, report));
                }
            }
            catch (JournalException e)
            {
                Print.Error(e.Message);
                return ExitCode.BadArguments;
            }
        }

        if (spaces == 0)
        {
            Print.Error($"{place} has no space of Holdfast's: nothing to verify.");
            return ExitCode.BadArguments;
        }

        return bad == 0 ? ExitCode.Good : ExitCode.Bad;
    }

    private static string Words(string space, VerificationReport report)
    {
        string read = report.Frames == 0
            ? "no frame is good"
            : $"frames {report.FirstSequence} to {report.LastSequence}, {report.Events} events, {report.Resources} resources, {report.KnownHolds} holds ({report.LiveHolds} live)";
        string torn = report.TornTail ? $"; frame {report.LastSequence + 1} was cut short by a crash, was never acknowledged, and goes with the next start" : "";
        if (report.MissingBeforeLast is { } missing)
        {
            torn = $"; frame {missing} is missing and frame {missing + 1} stands behind the gap, as a crash between two appends, or two underway, leave it: " +
                $"neither was acknowledged then, and the next start drops it; if nothing crashed, frame {missing} was lost";
        }

        return report switch
        {
            { IsGood: true, Frames: 0 } => $"{space}: empty, never opened",
            { IsGood: true } => $"{space}: good, {read}, digest {report.Digest:x16}{torn}",
            { FirstBadSequence: { } sequence } => $"{space}: BAD at sequence {sequence}: {report.Problem} (good up to there: {read})",
            _ => $"{space}: BAD: {report.Problem} ({read})",
        };
    }
}

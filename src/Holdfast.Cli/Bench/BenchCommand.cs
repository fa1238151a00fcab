using System.CommandLine;
using Holdfast.Journal;
using Holdfast.Server;

namespace Holdfast.Cli.Bench;

/// <summary><c>holdfast bench</c>: the loop in this process, with everything on.</summary>
internal static class BenchCommand
{
    // Every caller has one request underway, and the queue takes 65,536.
    private const int CallersMax = 60_000;

    public static Command Create()
    {
        var journal = new Option<string>("--journal") { Description = "Where holds are written.", DefaultValueFactory = _ => "sqlite" };
        journal.AcceptOnlyFromAmong("sqlite", "postgres", "memory");
        var connection = new Option<string?>("--connection") { Description = "Npgsql connection string; the database must be the bench's own.", HelpName = "STRING" };
        var callers = WholeNumber.Option("--callers", "Concurrent callers, each with one request underway.", 1024, 1, CallersMax);
        var count = WholeNumber.Option("--count", "Holds of a round.", 2_000_000, 1, 50_000_000);
        var resources = WholeNumber.Option("--resources", "Resources that the holds go round.", 1, 1, 100_000);
        var live = WholeNumber.Option("--live", "Grow to N live holds instead: rates on the way, longest pause, bytes a hold.", 0, 0, 100_000_000);
        var data = new Option<string?>("--data") { Description = "Folder for the bench's own folder (default: the system's temporary one).", HelpName = "DIR" };
        var latency = new Option<bool>("--latency") { Description = "Also measure latency open-loop at half of the rate.", Arity = ArgumentArity.Zero };
        var replay = new Option<bool>("--replay") { Description = "Also measure reading the journal again.", Arity = ArgumentArity.Zero };
        var views = new Option<bool>("--no-views") { Description = "Leave the views out.", Arity = ArgumentArity.Zero };
        var transactions = new Option<string?>("--transactions")
        {
            Description = "Measure transactions instead: holds (two built-in branches), http (two participants that do nothing, beside as many bare calls), "
                + "sql (barrier and one statement in each of two branches on the PostgreSQL of --connection, beside the same statements alone).",
            HelpName = "KIND",
        };
        transactions.AcceptOnlyFromAmong("holds", "http", "sql");
        var payments = new Option<string?>("--payments")
        {
            Description = "Measure payments instead: callbacks (each channel's over HTTP, beside its signatures alone) or checkouts (from hold to paid through the simulated provider).",
            HelpName = "KIND",
        };
        payments.AcceptOnlyFromAmong("callbacks", "checkouts");
        var command = new Command("bench", "Measure the loop in this process: string ids, owners, limits, deadlines, hash chain and views, as in production.")
        {
            journal, connection, callers, count, resources, live, data, latency, replay, views, transactions, payments,
        };
        command.SetAction((parsed, _) => RunAsync(new BenchSettings
        {
            Journal = Enum.Parse<JournalKind>(parsed.GetValue(journal)!, ignoreCase: true),
            Connection = parsed.GetValue(connection),
            Callers = parsed.GetValue(callers),
            Count = parsed.GetValue(count),
            Resources = parsed.GetValue(resources),
            Data = parsed.GetValue(data),
            Live = parsed.GetValue(live),
            Latency = parsed.GetValue(latency),
            Replay = parsed.GetValue(replay),
            Views = !parsed.GetValue(views),
            Transactions = parsed.GetValue(transactions),
            Payments = parsed.GetValue(payments),
        }));
        return command;
    }

    private static async Task<int> RunAsync(BenchSettings settings)
    {
        if ((settings.Journal == JournalKind.Postgres || settings.Transactions == "sql") && string.IsNullOrWhiteSpace(settings.Connection))
        {
            Print.Error("--journal postgres and --transactions sql need --connection \"Host=...;Username=...;Database=...\".");
            return ExitCode.BadArguments;
        }

        if (settings is { Journal: JournalKind.Memory, Replay: true })
        {
            Print.Error("--replay needs a journal that survives: sqlite or postgres.");
            return ExitCode.BadArguments;
        }

        Print.Value("journal", settings.Journal.ToString().ToLowerInvariant());
        Print.Value("callers", settings.Callers);
        Print.Value("resources", settings.Resources);
        Print.Value("processor cores", Environment.ProcessorCount);
        try
        {
            return settings.Payments is not null ? await new PaymentsBench(settings).RunAsync()
                : settings.Transactions is not null ? await new TransactionsBench(settings).RunAsync()
                : settings.Live > 0
                ? await new LiveBench(settings).RunAsync()
                : await new RoundsBench(settings).RunAsync();
        }
        catch (Exception e) when (e is BenchException or JournalException or SettingsException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            Print.Error(e.Message);
            return e is BenchException or JournalException ? ExitCode.Bad : ExitCode.BadArguments;
        }
    }
}

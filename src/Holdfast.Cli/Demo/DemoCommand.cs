using System.CommandLine;
using System.Runtime.InteropServices;

namespace Holdfast.Cli.Demo;

/// <summary><c>holdfast demo</c>: a flash sale that can't oversell, on a server that is killed in the middle.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var defaults = new DemoSettings();
        var buyers = WholeNumber.Option("--buyers", "Shoppers.", defaults.Buyers, 1, 10_000_000);
        var units = WholeNumber.Option("--units", "Units on sale.", defaults.Units, 1, 10_000_000);
        var payers = WholeNumber.Option("--payers", "Shoppers who check out and pay through the simulated provider, its faults on.", defaults.Payers, 0, 1_000_000);
        var perOwner = WholeNumber.Option("--per-owner", "Units that one shopper may have.", defaults.PerOwner, 1, 1000);
        var connections = WholeNumber.Option("--connections", "RESP connections.", defaults.Connections, 1, 64);
        var kills = WholeNumber.Option("--kills", "How often the server is killed (SIGKILL) in the rush.", defaults.Kills, 0, 100);
        var seed = WholeNumber.Option("--seed", "Steers what the shoppers do and when the server is killed.", defaults.Seed, int.MinValue, int.MaxValue);
        var command = new Command("demo", "A flash sale against a real server over its real sockets: doubled requests, abandoned carts, badly sent payment callbacks, SIGKILL in the middle; then an audit.")
        {
            buyers, units, payers, perOwner, connections, kills, seed,
        };
        command.SetAction((parsed, _) => RunAsync(defaults with
        {
            Buyers = parsed.GetValue(buyers),
            Units = parsed.GetValue(units),
            Payers = parsed.GetValue(payers),
            PerOwner = parsed.GetValue(perOwner),
            Connections = parsed.GetValue(connections),
            Kills = parsed.GetValue(kills),
            Seed = parsed.GetValue(seed),
        }));
        return command;
    }

    private static async Task<int> RunAsync(DemoSettings settings)
    {
        using var cancel = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, cancel);
        using PosixSignalRegistration terminate = OnSignal(PosixSignal.SIGTERM, cancel);
        using PosixSignalRegistration hangUp = OnSignal(PosixSignal.SIGHUP, cancel);
        string data;
        try
        {
            data = Directory.CreateTempSubdirectory("holdfast-demo-").FullName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Print.Error($"no folder for the demo's data can be made in {Path.GetTempPath()} (TMPDIR names another place): {e.Message}");
            return ExitCode.BadArguments;
        }

        Task<SaleResult>? running = null;
        try
        {
            Print.Line($"{settings.Buyers} shoppers, {settings.Units} units, at most {settings.PerOwner} each; the server will be killed {settings.Kills} time(s) in the rush and {Math.Min(1, settings.Kills)} time(s) while {settings.Payers} shoppers pay. Data in {data}, removed at the end.");
            var sale = new FlashSale(settings, data);
            running = Task.Run(() => sale.RunAsync(cancel.Token));
            SaleResult result = await SaleProgress.ShowAsync(settings, sale.Board, running);
            SaleReport.Print(result);
            return result.IsGood ? ExitCode.Good : ExitCode.Bad;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            Print.Error("stopped before the end");
            return ExitCode.Bad;
        }
        catch (Exception e) when (e is InvalidOperationException or Client.HoldfastException or IOException)
        {
            Print.Error(e.Message);
            return ExitCode.Bad;
        }
        finally
        {
            if (running is not null)
            {
                // Showing it fails when the terminal is gone: the server must be ended all the same.
                await cancel.CancelAsync();
                await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            Directory.Delete(data, recursive: true);
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource cancel) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            // Not at once: the server must be ended and the folder removed.
            context.Cancel = true;
            cancel.Cancel();
        });
}

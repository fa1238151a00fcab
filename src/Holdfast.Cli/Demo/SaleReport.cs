using System.Globalization;
using Holdfast.Cli.Bench;
using Holdfast.Client;
using Spectre.Console;

namespace Holdfast.Cli.Demo;

/// <summary>The table at the end.</summary>
internal static class SaleReport
{
    public static void Print(SaleResult result)
    {
        List<(string Name, string Value, bool Good)> rows = Rows(result);
        if (Cli.Print.ToTerminal)
        {
            var table = new Table().Border(TableBorder.Rounded).HideHeaders().AddColumn("what").AddColumn(new TableColumn("value").RightAligned());
            foreach ((string name, string value, bool good) in rows)
            {
                table.AddRow(new Markup(Markup.Escape(name)), new Markup(Markup.Escape(value), good ? Style.Plain : new Style(Color.Red)));
            }

            AnsiConsole.Write(table);
        }
        else
        {
            foreach ((string name, string value, _) in rows)
            {
                Cli.Print.Value(name, value);
            }
        }

        foreach (string finding in result.Audit.Findings.Concat(result.Payments.Findings))
        {
            Cli.Print.Error(finding);
        }

        if (!result.Chain.IsGood)
        {
            Cli.Print.Error(result.Chain.Problem!);
        }
    }

    private static List<(string Name, string Value, bool Good)> Rows(SaleResult result)
    {
        var waits = new Percentiles();
        waits.Add([.. result.Waits]);
        Audit audit = result.Audit;
        double upSeconds = Math.Max(0.001, (result.Rush - result.Board.Away).TotalSeconds);
        int Count(HoldState state) => audit.States.GetValueOrDefault(state);
        return
        [
            ("answers per second in the rush, server up", Number(result.RushAnswers / upSeconds), true),
            ("answers", Number(result.Board.Answers), true),
            ("wait p50 ms", Decimal(waits.At(50)), true),
            ("wait p99 ms", Decimal(waits.At(99)), true),
            ("longest wait ms (over a kill)", Decimal(waits.Max), true),
            ("server killed", Number(result.Board.Kills), true),
            ("server away s", Decimal(result.Board.Away.TotalSeconds), true),
            ("units sold", Number(result.Board.Sold), true),
            ("carts sold", Number(Count(HoldState.Confirmed)), true),
            ("carts refused", Number(result.Board.Refused), true),
            ("carts expired", Number(Count(HoldState.Expired)), true),
            ("carts cancelled", Number(Count(HoldState.Cancelled)), true),
            ("oversold", Number(audit.Oversold), audit.Oversold == 0),
            ("acknowledged but lost", Number(audit.Lost), audit.Lost == 0),
            ("held twice", Number(audit.HeldTwice), audit.HeldTwice == 0),
            ("over the limit", Number(audit.OverLimit), audit.OverLimit == 0),
            ("held past the deadline", Number(audit.NotReleased), audit.NotReleased == 0),
            ("units made up or gone", Number(audit.Imbalance), audit.Imbalance == 0),
            ("paid", Number(result.Payments.Paid), true),
            ("not paid in time, or cancelled", Number(result.Payments.Unpaid), true),
            ("refused for want of stock", Number(result.Payments.Refused), true),
            ("late-paid and rescued", Number(result.Payments.Rescued), true),
            ("late-paid and refunded", Number(result.Payments.LateRefunded), true),
            ("duplicates swallowed", Number(result.Payments.DuplicatesSwallowed), true),
            ("forged callbacks refused", Number(result.Payments.ForgedRefused), true),
            ("conflicted", Number(result.Payments.Conflicted), true),
            ("refunds", Number(result.Payments.Refunds), true),
            ("money in", Money(result.Payments.MoneyIn), true),
            ("orders confirmed + refunds + conflicted", $"{Money(result.Payments.OrdersConfirmed)} + {Money(result.Payments.WentBack)} + {Money(result.Payments.InConflict)}", true),
            ("money missing", Money(result.Payments.Missing), result.Payments.Missing == 0),
            ("server's exit code", Number(result.ServerExitCode), result.ServerExitCode == 0),
            ("chain verified", result.Chain.IsGood ? $"yes, {result.Chain.Frames} frames, {result.Chain.Events} events" : "NO", result.Chain.IsGood),
            ("result", result.IsGood ? "good" : "BAD", result.IsGood),
        ];
    }

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Money(long minor) => (minor / 100m).ToString("N2", CultureInfo.InvariantCulture);

    private static string Decimal(double value) => value.ToString("F2", CultureInfo.InvariantCulture);
}

using Spectre.Console;

namespace Holdfast.Cli.Demo;

/// <summary>Shows the sale while it runs: a moving picture for a person, a line a second for a log.</summary>
internal static class SaleProgress
{
    private static readonly TimeSpan PictureEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(1);

    public static async Task<T> ShowAsync<T>(DemoSettings settings, SaleBoard board, Task<T> sale)
    {
        if (!Print.ToTerminal)
        {
            while (await Task.WhenAny(sale, Task.Delay(LineEvery)) != sale)
            {
                Print.Line($"{board.Stage}: {board.Gone} of {settings.Buyers} shoppers left, {board.Sold} of {settings.Units} units sold, {board.Refused} carts refused, {board.Answers} answers, {board.Payers} of {settings.Payers} payers left, {board.Kills} kills");
            }

            return await sale;
        }

        return await AnsiConsole.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn())
            .StartAsync(async context =>
            {
                ProgressTask shoppers = context.AddTask("shoppers", maxValue: settings.Buyers);
                ProgressTask payers = context.AddTask("payers", maxValue: Math.Max(1, settings.Payers));
                ProgressTask units = context.AddTask("units sold", maxValue: settings.Units);
                long answers = 0;
                while (await Task.WhenAny(sale, Task.Delay(PictureEvery)) != sale)
                {
                    shoppers.Value = board.Gone;
                    units.Value = board.Sold;
                    payers.Value = board.Payers;
                    double rate = (board.Answers - answers) / PictureEvery.TotalSeconds;
                    answers = board.Answers;
                    shoppers.Description = $"{board.Stage,-22} {rate,9:N0} answers/s, {board.Kills} kills  shoppers";
                }

                return await sale;
            });
    }
}

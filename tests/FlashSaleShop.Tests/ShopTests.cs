using System.Diagnostics;
using System.Runtime.InteropServices;
using Holdfast.TestKit;

namespace FlashSaleShop.Tests;

/// <summary>
/// The sample as a user runs it: coordinator, orders, points and coupons in processes and databases of their own, calls
/// that fail, stall, repeat and lose their answers, and the coordinator killed on the way. Its last line says whether all
/// books agree, and so does its exit status.
/// </summary>
public sealed class ShopTests(PostgresServer postgres, ITestOutputHelper output) : IClassFixture<PostgresServer>
{
    [Fact]
    public async Task The_shop_sells_on_SQLite_and_all_books_agree()
    {
        (int status, string said) = await RunAsync("--purchases", "150", "--units", "70", "--kills", "1");
        said.ShouldContain("all books agree");
        status.ShouldBe(0);
        foreach (string kind in new[] { "tcc", "tcc-caller", "saga", "message" })
        {
            said.ShouldMatch($@"{kind} +confirmed +[1-9]");
        }
    }

    [Fact]
    public async Task E70_CoordinatorKilledTenTimesOnTheWay_TenThousandTransactionsOnPostgres_EndAllAlike()
    {
        (int status, string said) = await RunAsync(
            "--purchases", "10000", "--units", "5200", "--kills", "10", "--callers", "200", "--faults", "0.12",
            "--orders-db", await postgres.CreateDatabaseAsync() + ";Maximum Pool Size=40",
            "--points-db", await postgres.CreateDatabaseAsync() + ";Maximum Pool Size=40",
            "--coupons-db", await postgres.CreateDatabaseAsync() + ";Maximum Pool Size=40");
        said.ShouldContain("coordinator killed 10 times");
        said.ShouldContain("all books agree");
        status.ShouldBe(0);
    }

    [Fact]
    public async Task A_participant_that_breaks_its_books_is_found()
    {
        // The planted fault: the points service forgets what a cancel is for.
        (int status, string said) = await RunAsync("--purchases", "60", "--units", "15", "--kills", "0", "--planted", "cancel-forgotten");
        status.ShouldBe(1);
        said.ShouldContain("WRONG");
        said.ShouldNotContain("all books agree");
    }

    [Theory]
    [InlineData("--units must be a whole number", "--units", "x")]
    [InlineData("--units must be a whole number", "--units")]
    [InlineData("--callers must be a whole number", "--callers=0")]
    [InlineData("--faults must be a number", "--faults", "2")]
    [InlineData("there is no option '--bogus'", "--bogus")]
    [InlineData("there is no option 'bogus'", "bogus")]
    [InlineData("--orders-db needs a value", "--orders-db", "--units", "3")]
    [InlineData("the shop can't open", "--orders-db", "nonsense")]
    public async Task Wrong_usage_is_one_clear_error_and_status_2(string says, params string[] arguments)
    {
        using Process shop = Start(arguments);
        Task<string> said = shop.StandardOutput.ReadToEndAsync();
        string errors = await shop.StandardError.ReadToEndAsync();
        await shop.WaitForExitAsync();
        shop.ExitCode.ShouldBe(2, errors + await said);
        errors.TrimEnd().Split('\n')[^1].ShouldStartWith("error: " + says);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(15)]
    public async Task Stopped_by_a_signal_it_leaves_no_process_and_no_folder(int signal)
    {
        InheritedSignals.SkipWhenIgnored(signal);
        using var folder = new TempFolder();
        using Process shop = Start(["--purchases", "100000", "--kills", "0"], folder.Path);
        Task<string> errors = shop.StandardError.ReadToEndAsync();
        string? line;
        while ((line = await shop.StandardOutput.ReadLineAsync())?.Contains("purchases answered", StringComparison.Ordinal) == false)
        {
            // The doors are not open yet.
        }

        line.ShouldNotBeNull();
        Process[] children = [.. Directory.GetDirectories($"/proc/{shop.Id}/task")
            .SelectMany(t => File.ReadAllText(Path.Join(t, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Select(id => Process.GetProcessById(int.Parse(id, null)))];
        children.Length.ShouldBe(4);
        _ = shop.StandardOutput.ReadToEndAsync();
        Send(shop.Id, signal).ShouldBe(0);
        try
        {
            // Far above what an end takes: only a process that would stay for ever is given up.
            await Task.WhenAll(children.Append(shop).Select(p => p.WaitForExitAsync())).WaitAsync(TimeSpan.FromSeconds(60));
        }
        finally
        {
            foreach (Process left in children.Append(shop).Where(p => !p.HasExited))
            {
                left.Kill();
            }
        }

        shop.ExitCode.ShouldBe(1);
        (await errors).ShouldContain("stopped before the end");
        Directory.EnumerateFileSystemEntries(folder.Path).ShouldBeEmpty();
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Send(int process, int signal);

    private static Process Start(string[] arguments, string? temp = null)
    {
        var start = new ProcessStartInfo(Path.Join(AppContext.BaseDirectory, "FlashSaleShop"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        if (temp is not null)
        {
            start.Environment["TMPDIR"] = temp;
            start.Environment["DOTNET_EnableDiagnostics"] = "0"; // the runtime's own files in the temporary folder
        }

        return Process.Start(start)!;
    }

    private async Task<(int Status, string Said)> RunAsync(params string[] arguments)
    {
        using Process shop = Start(arguments);
        Task<string> errors = shop.StandardError.ReadToEndAsync();
        string said = await shop.StandardOutput.ReadToEndAsync();
        await shop.WaitForExitAsync();
        output.WriteLine(said);
        output.WriteLine(await errors);
        shop.ExitCode.ShouldBeInRange(0, 1, $"the shop did not come to its end:\n{await errors}\n{said}");
        return (shop.ExitCode, said);
    }
}

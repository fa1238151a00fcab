using System.Diagnostics;
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

    private async Task<(int Status, string Said)> RunAsync(params string[] arguments)
    {
        using Process shop = Process.Start(new ProcessStartInfo(Path.Join(AppContext.BaseDirectory, "FlashSaleShop"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!;
        Task<string> errors = shop.StandardError.ReadToEndAsync();
        string said = await shop.StandardOutput.ReadToEndAsync();
        await shop.WaitForExitAsync();
        output.WriteLine(said);
        output.WriteLine(await errors);
        shop.ExitCode.ShouldBeInRange(0, 1, $"the shop did not come to its end:\n{await errors}\n{said}");
        return (shop.ExitCode, said);
    }
}

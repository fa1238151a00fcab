using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

public sealed class DemoTests
{
    [Fact]
    public async Task A_small_sale_with_a_kill_ends_well()
    {
        ProgramRun run = await HoldfastProgram.RunAsync("demo", "--buyers", "4000", "--units", "600", "--payers", "800", "--kills", "1", "--seed", "7");

        run.ExitCode.ShouldBe(0, run.Output + run.Error);
        run.Output.ShouldContain("server killed: 2\n");
        run.Output.ShouldContain("result: good\n");
        run.Output.ShouldContain("chain verified: yes");
        foreach (string name in new[] { "oversold", "acknowledged but lost", "held twice", "over the limit", "units made up or gone" })
        {
            run.Number(name).ShouldBe(0, name);
        }

        run.Number("money missing").ShouldBe(0);
        run.Number("paid").ShouldBeInRange(300, 600);
        run.Number("duplicates swallowed").ShouldBePositive();
        run.Number("refunds").ShouldBePositive();
        run.Number("units sold").ShouldBeInRange(1, 600);
        string data = run.Output.Split("Data in ")[1].Split(',')[0];
        Directory.Exists(data).ShouldBeFalse("the demo removes its folder");
    }

    [Fact]
    public async Task A_shops_settings_are_not_the_demos()
    {
        // The folder and the environment in which a shop's own server would be started.
        using var folder = new TempFolder();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        await File.WriteAllTextAsync(
            folder.File("holdfast.json"),
            $$$$"""{"outlets":{"shop":{"url":"http://{{{{service.LocalEndpoint}}}}/hooks","secrets":["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]}}}""");
        var start = new ProcessStartInfo(HoldfastProgram.Path, ["demo", "--buyers", "200", "--units", "50", "--payers", "10", "--kills", "0"]) { WorkingDirectory = folder.Path };
        start.Environment["HOLDFAST_JOURNAL"] = "postgres";
        start.Environment["HOLDFAST_CONNECTION"] = $"Host=127.0.0.1;Port={((IPEndPoint)service.LocalEndpoint).Port};Username=shop;Database=shop";
        start.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = $"http://{service.LocalEndpoint}";
        ProgramRun run = await HoldfastProgram.RunAsync(start);

        run.ExitCode.ShouldBe(0, run.Output + run.Error);
        run.Number("paid").ShouldBePositive();
        service.Pending().ShouldBeFalse("the shop's services and its database are no business of the demo's");
        Directory.EnumerateFileSystemEntries(folder.Path).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    public async Task A_sale_with_no_payer_or_with_one_ends_well(string payers)
    {
        ProgramRun run = await HoldfastProgram.RunAsync("demo", "--buyers", "100", "--units", "50", "--payers", payers, "--kills", "0");
        run.ExitCode.ShouldBe(0, run.Output + run.Error);
    }

    [Fact]
    public async Task Without_a_place_for_its_data_it_says_so()
    {
        var start = new ProcessStartInfo(HoldfastProgram.Path, ["demo"]);
        start.Environment["TMPDIR"] = "/nowhere";
        ProgramRun run = await HoldfastProgram.RunAsync(start);
        run.ExitCode.ShouldBe(2);
        run.Error.ShouldStartWith("error: no folder for the demo's data can be made in /nowhere");
    }

    [Fact]
    public async Task A_seed_that_is_no_number_is_refused_in_plain_words()
    {
        foreach (string command in new[] { "demo", "simulator" })
        {
            ProgramRun run = await HoldfastProgram.RunAsync(command, "--seed", "x");
            run.ExitCode.ShouldBe(2);
            run.Error.ShouldContain("error: --seed must be a whole number");
            run.Error.ShouldNotContain("System.");
        }
    }
}

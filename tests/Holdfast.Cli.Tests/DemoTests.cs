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
}

using System.Text.Json;
using System.Xml.Linq;
using Holdfast.TestKit;
using Holdfast.Testing.Attacks;
using Holdfast.Testing.Tests.Attacks;

namespace Holdfast.Cli.Tests;

public sealed class AttackTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_good_participant_passes_with_status_0()
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None);
        ProgramRun run = await HoldfastProgram.RunAsync([.. Arguments(participant), "--repeat", "2"]);
        run.ExitCode.ShouldBe(0, run.Output + run.Error);
        run.Output.ShouldContain("Every rule that was attacked is kept.");
    }

    [Fact]
    public async Task A_broken_rule_ends_with_status_1_and_says_what_a_shopper_suffers()
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.TryCountsTwice);
        string junit = Path.Join(_folder.Path, "attack.xml"), json = Path.Join(_folder.Path, "attack.json");
        ProgramRun run = await HoldfastProgram.RunAsync([.. Arguments(participant), "--only", "duplicate-try", "--junit", junit, "--json", json]);
        run.ExitCode.ShouldBe(1, run.Output + run.Error);
        run.Output.ShouldContain("Charged twice for one purchase.");
        XDocument.Load(junit).Descendants("failure").Count().ShouldBe(1);
        using var report = JsonDocument.Parse(await File.ReadAllTextAsync(json));
        report.RootElement.EnumerateArray().Single(f => f.GetProperty("rule").GetString() == "duplicate-try").GetProperty("verdict").GetString().ShouldBe("broken");
    }

    [Fact]
    public async Task A_body_is_read_from_its_file()
    {
        // Several words and lines: as a file of further arguments it would be taken apart.
        string file = Path.Join(_folder.Path, "body.json");
        await File.WriteAllTextAsync(file, "{ \"user\": \"ann\",\n  \"points\": 10 }\n");
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None);
        string[] arguments = Arguments(participant);
        arguments[Array.IndexOf(arguments, "--body") + 1] = "@" + file;
        ProgramRun run = await HoldfastProgram.RunAsync([.. arguments, "--only", "duplicate-try"]);
        run.ExitCode.ShouldBe(0, run.Output + run.Error);

        ProgramRun missing = await HoldfastProgram.RunAsync("attack", "--try", "http://127.0.0.1:9/", "--cancel", "http://127.0.0.1:9/", "--body", "@" + file + "-missing");
        missing.ExitCode.ShouldBe(2);
        missing.Error.ShouldContain("body.json-missing");
    }

    [Theory]
    [InlineData("--try", "http://127.0.0.1:9/", "--cancel", "http://127.0.0.1:9/", "--repeat", "x")]
    [InlineData("--try", "http://127.0.0.1:9/", "--cancel", "http://127.0.0.1:9/", "--parallel", "0")]
    [InlineData("--try", "nonsense", "--cancel", "http://127.0.0.1:9/")]
    [InlineData("--try", "http://127.0.0.1:9/", "--cancel", "http://127.0.0.1:9/")]
    [InlineData("--try", "http://127.0.0.1:9/", "--cancel", "http://127.0.0.1:9/", "--secret", "short")]
    [InlineData("--try", "http://127.0.0.1:9/")]
    public async Task Wrong_usage_and_nobody_there_end_with_status_2(params string[] arguments)
    {
        ProgramRun run = await HoldfastProgram.RunAsync(["attack", .. arguments]);
        run.ExitCode.ShouldBe(2, run.Output + run.Error);
        run.Error.ShouldContain("error: ");
    }

    [Theory]
    [InlineData("/page")]
    [InlineData("/silence")]
    public async Task A_probe_that_tells_no_number_ends_with_status_2_and_is_named(string path)
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None);
        ProgramRun run = await HoldfastProgram.RunAsync([.. Arguments(participant)[..^4], "--timeout", "1", "--probe", participant.Url + path, "--secret", PlantedParticipant.Secret]);
        run.ExitCode.ShouldBe(2, run.Output + run.Error);
        run.Error.ShouldContain("error: The probe " + participant.Url + path);
    }

    [Fact]
    public async Task A_participant_that_runs_out_is_skipped_and_the_help_says_how_much_is_needed()
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None, 60);
        ProgramRun run = await HoldfastProgram.RunAsync([.. Arguments(participant), "--repeat", "6"]);
        run.ExitCode.ShouldBe(0, run.Output + run.Error);
        run.Output.ShouldContain("rules were skipped");

        ProgramRun help = await HoldfastProgram.RunAsync("attack", "--help");
        help.Output.ShouldContain(new AttackOptions { Try = new Uri(participant.Url), Cancel = new Uri(participant.Url) }.TriesNeeded + " tries");
    }

    private static string[] Arguments(PlantedParticipant participant) =>
    [
        "attack", "--try", participant.Url + "/try", "--confirm", participant.Url + "/confirm", "--cancel", participant.Url + "/cancel",
        "--body", """{"user":"ann","points":10}""", "--probe", participant.Url + "/balance", "--secret", PlantedParticipant.Secret,
    ];
}

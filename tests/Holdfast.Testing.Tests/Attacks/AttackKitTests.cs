using System.Text.Json;
using System.Xml.Linq;
using Holdfast.Testing.Attacks;

namespace Holdfast.Testing.Tests.Attacks;

[Collection("simulations")] // the simulations take all pool threads, and then nobody answers an attack in time
public class AttackKitTests
{
    [Fact]
    public async Task A_participant_that_keeps_every_rule_passes_every_attack()
    {
        IReadOnlyList<Finding> findings = await AttackAsync(Fault.None);
        findings.Select(f => f.Rule).ShouldBe(Rules.All);
        findings.ShouldAllBe(f => f.Verdict == Verdict.Kept);
    }

    // One planted fault a rule. A fault may break a rule's relatives too; it must break its own.
    [Theory]
    [InlineData(Fault.ConfirmDoesNothing, "clean-run")]
    [InlineData(Fault.TryCountsTwice, "duplicate-try")]
    [InlineData(Fault.TriesRace, "overlapping-tries")]
    [InlineData(Fault.CancelGivesWhatWasNeverTaken, "cancel-before-try")]
    [InlineData(Fault.LateTryIsTaken, "late-try")]
    [InlineData(Fault.ConfirmCountsTwice, "duplicate-confirm")]
    [InlineData(Fault.ConfirmsRace, "overlapping-confirms")]
    [InlineData(Fault.CancelGivesTwice, "duplicate-cancel")]
    [InlineData(Fault.CancelAfterConfirmGives, "cancel-after-confirm")]
    [InlineData(Fault.TryAndCancelRace, "try-and-cancel-at-once")]
    [InlineData(Fault.MarkerLostWithTheAnswer, "lost-answer")]
    [InlineData(Fault.RepeatSucceedsTooEarly, "slow-answer")]
    [InlineData(Fault.OneTransactionAShopper, "distinct-transactions")]
    [InlineData(Fault.RefusalIs500, "refusal-status")]
    [InlineData(Fault.StockBeforeDuplicate, "repeat-after-stock-fell")]
    [InlineData(Fault.AnyOpIsTaken, "unknown-call")]
    [InlineData(Fault.SignatureIsIgnored, "signature")]
    [InlineData(Fault.AnothersSignatureIsTaken, "signature")]
    public async Task Each_attack_fires_on_its_planted_fault(Fault fault, string rule)
    {
        IReadOnlyList<Finding> findings = await AttackAsync(fault, rule);
        Finding found = findings.Single(f => f.Rule.Id == rule);
        found.Verdict.ShouldBe(Verdict.Broken, found.Seen);
        found.Rule.Shopper.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Without_a_probe_statuses_are_judged_and_the_finding_says_so()
    {
        IReadOnlyList<Finding> findings = await AttackAsync(Fault.LateTryIsTaken, probe: false);
        findings.Single(f => f.Rule == Rules.LateTry).Verdict.ShouldBe(Verdict.Broken);
        findings.Single(f => f.Rule == Rules.DuplicateTry).Seen.ShouldContain("by its statuses");
    }

    [Fact]
    public async Task Reports_are_JUnit_and_JSON_that_can_be_read_back()
    {
        IReadOnlyList<Finding> findings = await AttackAsync(Fault.TryCountsTwice, "duplicate-try", "signature");
        XElement suite = XDocument.Parse(AttackReports.JUnit(findings)).Root!.Element("testsuite")!;
        suite.Attribute("tests")!.Value.ShouldBe("3");
        suite.Attribute("failures")!.Value.ShouldBe("1");
        suite.Elements("testcase").Single(c => c.Attribute("name")!.Value == "duplicate-try").Element("failure")!.Value.ShouldContain("Charged twice");

        using var json = JsonDocument.Parse(AttackReports.Json(findings));
        json.RootElement.EnumerateArray().Select(f => f.GetProperty("verdict").GetString()).ShouldBe(["kept", "broken", "kept"]);
    }

    [Fact]
    public async Task Nobody_there_or_an_unknown_rule_is_said_clearly()
    {
        var nobody = new AttackOptions { Try = new Uri("http://127.0.0.1:9/try"), Cancel = new Uri("http://127.0.0.1:9/cancel") };
        (await Should.ThrowAsync<AttackException>(() => AttackKit.RunAsync(nobody))).Message.ShouldContain("Is the participant running");
        (await Should.ThrowAsync<AttackException>(() => AttackKit.RunAsync(nobody with { Only = ["nonsense"] }))).Message.ShouldContain("duplicate-try");
    }

    private static async Task<IReadOnlyList<Finding>> AttackAsync(Fault fault, params string[] only) => await AttackAsync(fault, true, only);

    private static async Task<IReadOnlyList<Finding>> AttackAsync(Fault fault, bool probe, params string[] only)
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(fault);
        bool ofSpent = fault is Fault.ConfirmDoesNothing or Fault.ConfirmCountsTwice or Fault.ConfirmsRace;
        return await AttackKit.RunAsync(new AttackOptions
        {
            Try = new Uri(participant.Url + "/try"),
            Confirm = new Uri(participant.Url + "/confirm"),
            Cancel = new Uri(participant.Url + "/cancel"),
            Body = """{"user":"ann","points":10}""",
            Probe = probe ? new Uri(participant.Url + "/balance") : null,
            ProbeField = ofSpent ? "spent" : null,
            Secret = PlantedParticipant.Secret,
            Only = only,
            Repeat = 6,
        });
    }
}

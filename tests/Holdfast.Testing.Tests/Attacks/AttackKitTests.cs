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
    [InlineData(Fault.OnlyTriesAreSigned, "signature")]
    [InlineData(Fault.OpIsNotCompared, "unknown-call")]
    [InlineData(Fault.BranchesShareAKey, "distinct-branches")]
    [InlineData(Fault.RefusedTryLeavesItsMarker, "refused-try")]
    [InlineData(Fault.RefusalIs200, "refusal-status")]
    [InlineData(Fault.ConfirmLooksAtTheStock, "confirm-after-stock-fell")]
    [InlineData(Fault.ConfirmNeedsNoTry, "confirm-without-try")]
    [InlineData(Fault.ConfirmAfterCancelIsTaken, "confirm-after-cancel")]
    public async Task Each_attack_fires_on_its_planted_fault(Fault fault, string rule)
    {
        IReadOnlyList<Finding> findings = await AttackAsync(fault, rule);
        Finding found = findings.Single(f => f.Rule.Id == rule);
        found.Verdict.ShouldBe(Verdict.Broken, found.Seen);
        found.Rule.Shopper.ShouldNotBeEmpty();
    }

    // These passed every attack once: whichever rule finds them, one must.
    [Theory]
    [InlineData(Fault.OnlyTriesAreSigned)]
    [InlineData(Fault.OpIsNotCompared)]
    [InlineData(Fault.BranchesShareAKey)]
    [InlineData(Fault.RefusedTryLeavesItsMarker)]
    [InlineData(Fault.RefusalIs200)]
    [InlineData(Fault.ConfirmLooksAtTheStock)]
    [InlineData(Fault.ConfirmNeedsNoTry)]
    [InlineData(Fault.ConfirmAfterCancelIsTaken)]
    public async Task All_attacks_together_find_the_fault(Fault fault) =>
        (await AttackAsync(fault)).ShouldContain(f => f.Verdict == Verdict.Broken);

    [Fact]
    public async Task A_balance_of_exactly_what_is_needed_is_enough_and_is_all_used()
    {
        int needed = Options("http://127.0.0.1:9", 6).TriesNeeded;
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None, needed * 10);
        (await AttackKit.RunAsync(Options(participant.Url, 6))).ShouldAllBe(f => f.Verdict == Verdict.Kept);
        participant.Available.ShouldBe(10, "one more than it confirms is needed while the last attacks reserve");
    }

    [Fact]
    public async Task A_participant_that_runs_out_is_not_accused_of_it()
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None, 6 * 10);
        IReadOnlyList<Finding> findings = await AttackKit.RunAsync(Options(participant.Url, 6));
        findings.ShouldAllBe(f => f.Verdict != Verdict.Broken);
        Finding skipped = findings.Last(f => f.Rule == Rules.LostAnswer);
        (skipped.Verdict, skipped.Seen).ShouldBe((Verdict.Skipped, "there is nothing left to reserve: give it enough for 35 tries of this body"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    public async Task A_participant_that_refuses_its_first_tries_can_not_be_attacked(int available)
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None, available);
        (await Should.ThrowAsync<AttackException>(() => AttackKit.RunAsync(Options(participant.Url, 6)))).Message.ShouldContain("35 tries");
    }

    [Theory]
    [InlineData("/page", "something else")]
    [InlineData("/silence", "gives no answer within 1 s")]
    [InlineData("/nowhere", "can't be read")]
    public async Task A_probe_that_tells_no_number_is_said_clearly(string path, string message)
    {
        await using PlantedParticipant participant = await PlantedParticipant.StartAsync(Fault.None);
        AttackOptions options = Options(participant.Url, 6) with { Probe = new Uri(participant.Url + path), Timeout = TimeSpan.FromSeconds(1) };
        string said = (await Should.ThrowAsync<AttackException>(() => AttackKit.RunAsync(options))).Message;
        said.ShouldContain(message);
        said.ShouldContain(path);
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
        return await AttackKit.RunAsync(Options(participant.Url, 6) with
        {
            Probe = probe ? new Uri(participant.Url + "/balance") : null,
            ProbeField = ofSpent ? "spent" : null,
            Only = only,
        });
    }

    private static AttackOptions Options(string url, int repeat) => new()
    {
        Try = new Uri(url + "/try"),
        Confirm = new Uri(url + "/confirm"),
        Cancel = new Uri(url + "/cancel"),
        Body = """{"user":"ann","points":10}""",
        Probe = new Uri(url + "/balance"),
        Secret = PlantedParticipant.Secret,
        Repeat = repeat,
    };
}

using System.Text.Json.Nodes;
using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

public sealed class ChannelTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Verify_says_what_a_genuine_callback_says_and_why_another_is_refused()
    {
        JsonObject vector = JsonNode.Parse(await File.ReadAllTextAsync(Path.Join(AppContext.BaseDirectory, "Vectors", "stripe.json")))!.AsObject();
        await File.WriteAllTextAsync(_folder.File("config.json"), $$"""{"secrets":["{{vector["secret"]}}"],"toleranceSeconds":300}""");
        await File.WriteAllTextAsync(_folder.File("headers.txt"), $"Content-Type: application/json\nstripe-signature: {vector["header"]}\n");
        await File.WriteAllBytesAsync(_folder.File("body"), Convert.FromBase64String((string)vector["payload_base64"]!));

        ProgramRun good = await VerifyAsync("stripe", 1533204720);
        good.ExitCode.ShouldBe(0, good.Error);
        JsonObject said = JsonNode.Parse(good.Output)!.AsObject();
        ((bool)said["verified"]!).ShouldBeTrue();
        ((string)said["event"]!["id"]!).ShouldBe("evt_123");
        ((string)said["event"]!["type"]!).ShouldBe("customer.created");

        ProgramRun late = await VerifyAsync("stripe", 1533205020);
        late.ExitCode.ShouldBe(1);
        late.Output.Trim().ShouldBe("""{"verified":false,"reason":"timestamp_out_of_tolerance"}""");

        ProgramRun wrong = await VerifyAsync("paypal", 1533204720);
        wrong.ExitCode.ShouldBe(1);
        wrong.Output.Trim().ShouldBe("""{"verified":false,"reason":"invalid_config"}""");
        wrong.Error.ShouldContain("there is no kind 'paypal'");

        File.Delete(_folder.File("body"));
        (await VerifyAsync("stripe", 1533204720)).ExitCode.ShouldBe(2);
    }

    [Fact]
    public async Task Settings_are_read_whatever_the_case_of_their_names()
    {
        await GivenAsync("""{"TYPE":"stripe","Secrets":["whsec_x"],"toleranceseconds":300}""", """{"id":"evt_1"}"""u8.ToArray());
        (await VerifyAsync("stripe", 1_700_000_000)).ExitCode.ShouldBe(0);

        await GivenAsync("""{"secrets":["whsec_x"],"Secrets":["whsec_y"]}""", """{"id":"evt_1"}"""u8.ToArray());
        ProgramRun twice = await VerifyAsync("stripe", 1_700_000_000);
        twice.ExitCode.ShouldBe(2);
        twice.Error.ShouldContain("twice");
        twice.Error.TrimEnd().ShouldNotContain('\n');
    }

    [Theory]
    [InlineData("""{"id":"evt_1","\ud800":1}""", null)]
    [InlineData("""{"id":"evt_1","about":"\ud83d","list":["x"]}""", "evt_1")]
    [InlineData("{\"id\":\"evt_1\",\"about\":\"\u00ff\"}", "evt_1")]
    public async Task What_is_not_Unicode_is_shown_as_far_as_it_can_be(string body, string? id)
    {
        await GivenAsync("""{"secrets":["whsec_x"]}""", System.Text.Encoding.Latin1.GetBytes(body));

        ProgramRun run = await VerifyAsync("stripe", 1_700_000_000);

        run.ExitCode.ShouldBe(0, run.Error);
        JsonNode said = JsonNode.Parse(run.Output)!["event"]!;
        if (id is not null)
        {
            ((string)said["id"]!).ShouldBe(id);
            ((string)said["data"]!["about"]!).ShouldBe("\uFFFD");
        }
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("-1")]
    [InlineData("253402300800")]
    public async Task A_time_that_is_none_is_refused_in_plain_words(string now)
    {
        ProgramRun run = await HoldfastProgram.RunAsync("channel", "verify", "stripe", "--config", "c", "--headers", "h", "--body", "b", "--now", now);
        run.ExitCode.ShouldBe(2);
        run.Error.ShouldStartWith("error: --now must be a whole number from 0 to 253402300799.");
        run.Error.ShouldNotContain("System.");
    }

    private async Task GivenAsync(string config, byte[] body)
    {
        await File.WriteAllTextAsync(_folder.File("config.json"), config);
        await File.WriteAllBytesAsync(_folder.File("body"), body);
        byte[] mac = System.Security.Cryptography.HMACSHA256.HashData("whsec_x"u8, [.. "1700000000."u8, .. body]);
        await File.WriteAllTextAsync(_folder.File("headers.txt"), $"Stripe-Signature: t=1700000000,v1={Convert.ToHexStringLower(mac)}\n");
    }

    private Task<ProgramRun> VerifyAsync(string channel, long now) => HoldfastProgram.RunAsync(
        "channel", "verify", channel, "--config", _folder.File("config.json"), "--headers", _folder.File("headers.txt"), "--body", _folder.File("body"), "--now", now.ToString());
}

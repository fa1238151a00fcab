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

    private Task<ProgramRun> VerifyAsync(string channel, long now) => HoldfastProgram.RunAsync(
        "channel", "verify", channel, "--config", _folder.File("config.json"), "--headers", _folder.File("headers.txt"), "--body", _folder.File("body"), "--now", now.ToString());
}

namespace Holdfast.Kernel.Tests.Bytes;

/// <summary>The layout of transactions' events, byte by byte; see <see cref="EventBytesTests"/>.</summary>
public class TransactionEventBytesTests : Transactions.TransactionScenario
{
    [Fact]
    public void Begun_and_registered()
    {
        Space.Stock("sku", 10);
        var call = new CallSpec("http://p/", new byte[] { 0x7B, 0x7D }, [new("x", "y")], 500);
        Space.Decide(new BeginTransaction(Space.Hasher, "t", [Step("a") with { Try = call, Cancel = null }], callerDriven: true, timeoutMs: 128, checkBack: call, trace: "00-1"));
        const string callBytes = "09687474703A2F2F702F 02 7B7D F403 01 0178 0179"; // url, body, timeout, headers
        //                  type id   fingerprint                         trace      deadline     flags timeout
        Written().ShouldBe(Hex("20 0174 10 3D60CB56029494AD5CF142F5978E0858 0430302D31 80A1F1C2B134 03 8001" + callBytes + "01 0161 01" + callBytes));
        Register("t", Hold("h", "sku", 2));
        //                  type id   name flags owner    ttl lines; and its try is done
        Written().ShouldBe(Hex("21 0174 0168 28 03616E6E 00 01 03736B75 04" + "22 0174 02 00 00 00 00"));
    }

    [Fact]
    public void Completed()
    {
        Space.Stock("sku", 10);
        Submit("t", Hold("h", "sku", 2));
        Convert.ToHexString(Space.LastEvents).ShouldEndWith("04" + "03743A68" + "0000" + "280174", Case.Sensitive, "confirmed, then completed");
    }

    [Fact]
    public void Answered_decided_ended_retried_forced_forgotten()
    {
        Submit("s", Tcc("a"));
        Say(One(), CallOutcome.Unknown, 5_000, "503");
        //                  type id   branch op outcome text due
        Written().ShouldBe(Hex("22 0173 01 00 03 03353033 88C7F1C2B134"));
        Submit("t", Tcc("a"));
        Say(One(), CallOutcome.Refused, text: "409");
        Written().ShouldBe(Hex("22 0174 01 00 01 03343039 00" // answered
            + "23 0174 00 07 72656675736564 17 6272616E63682027612720726566757365643A20343039" // decided: abort, code, words
            + "24 0174")); // ended
        Submit("u", Tcc("a"));
        Say(One(), CallOutcome.Done);
        Say(One(), CallOutcome.Refused);
        Space.Decide(new RetryTransaction(Space.Hasher, "u", null));
        Written().ShouldBe(Hex("25 0175 01"));
        Space.Decide(new ForceTransaction(Space.Hasher, "u", "by hand", "a", null, false));
        Written().ShouldBe(Hex("26 0175 01 07 62792068616E64" + "24 0175"));
        Space.Pass(25 * 3_600_000);
        Written().ShouldEndWith(Hex("27 02")); // behind the abort of the first, whose deadline passed
    }

    private string Written()
    {
        string all = Convert.ToHexString(Space.LastEvents);
        return all.StartsWith("03", StringComparison.Ordinal) ? all[all.IndexOf("210174", StringComparison.Ordinal)..] : all; // a built-in hold's own event is pinned elsewhere
    }

    private static string Hex(string text) => text.Replace(" ", "", StringComparison.Ordinal);
}

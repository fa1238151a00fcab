namespace Holdfast.Kernel.Tests.Bytes;

/// <summary>The layout of checkouts' events, byte by byte; see <see cref="EventBytesTests"/>.</summary>
public class CheckoutEventBytesTests : Checkouts.CheckoutScenario
{
    public CheckoutEventBytesTests() => Space.Stock("sku", 10);

    [Fact]
    public void Begun_answered_closing_ended()
    {
        Begin("c", quantity: 2);
        Pinned("0306633A686F6C6403616E6EA0FE0AA0FE0A010002" /* its hold */ + "30 0163 10F6B6EC13E4FCFE6CCA515E24CC2A6A6F 01 E0F4F4C2B134 03616E6E E0D403 8827 03455552 03707370 01 03736B75 02");
        Open("c");
        Pinned("38 0163 00 00 01 03323030 00 0C687474703A2F2F7061792F63 036F2D63");
        Cancel("c");
        Pinned("31 0163 01 1763616E63656C6C6564206279207468652063616C6C6572");
        Say(One(PaymentOp.Close), PaymentOutcome.Closed);
        Pinned("38 0163 02 00 04 0473616964 00 00 00" + "0506633A686F6C64" /* its hold */ + "32 0163 03 0963616E63656C6C6564 00");
    }

    [Fact]
    public void Kept_taken_disputed_refunded_retried()
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c", eventId: "e");
        Pinned("33 0163 03707370 0165 01 0450616964 03010203" + "0406633A686F6C640000" /* its hold */ + "34 0163 027031 8827 03455552 00 00 00");
        Tell(NoticeKind.Disputed, "c", eventId: "f");
        Pinned("33 0163 03707370 0166 06 084469737075746564 03010203" + "35 0163 027031");
        Refund("c", "r", 128);
        Pinned("36 0163 0172 027031 8001 0973656E74206261636B 80A0F1C2B134");
        Space.Decide(new SettleRefund(Space.Hasher, "c", "r", succeeded: false, "no"));
        Pinned("37 0163 0172 00 00 1A736574746C656420627920616E206F70657261746F723A206E6F");
        Space.Pass(8 * 24 * 3_600_000L);
        Pinned("3C 0163" + "0A01" + "0B01" /* holds and adjustments forgotten */);
    }

    [Fact]
    public void Suspense_resolved_and_retried()
    {
        Tell(NoticeKind.Paid, "x", "t", eventId: "e");
        Pinned("3A 06017073702F74 0178 03707370 01 0174 8827 03455552" + "33 06017073702F74 03707370 0165 01 0450616964 03010203");
        Space.Decide(new ResolveCheckout(Space.Hasher, "psp", "t", "no"));
        Pinned("3B 06017073702F74 00 026E6F" + "36 06017073702F74 066175746F2D31 0174 8827 026E6F 80A0F1C2B134");
        Due().Count(c => c.Op == PaymentOp.Refund).ShouldBe(1);
        Begin("c");
        PaymentCall create = Due().Single(c => c.Op == PaymentOp.Create);
        Say(create, PaymentOutcome.Unknown, retryMs: 30_000);
        Space.Decide(new RetryCheckout(Space.Hasher, "c"));
        Pinned("39 0163 00 00" + "39 0163 01 00");
    }

    private void Pinned(string hex) => Convert.ToHexString(Space.LastEvents).ShouldBe(hex.Replace(" ", "", StringComparison.Ordinal));
}

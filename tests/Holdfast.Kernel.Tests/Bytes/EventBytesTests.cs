namespace Holdfast.Kernel.Tests.Bytes;

/// <summary>
/// The layout of every event, byte by byte. A journal lives for years: what fails here is a new event type, never an
/// edited expectation.
/// </summary>
public class EventBytesTests : Scenario
{
    [Fact]
    public void ResourcePut_plain()
    {
        Space.Put("sku");
        //             type id..........  none of limit, opens, closes, owner, overdraft, ttl, disabled, safety stock
        Written().ShouldBe("01 03 736B75 00 00 00 00 00 00 00 00");
    }

    [Fact]
    public void ResourcePut_with_everything()
    {
        Space.Put("sku", new ResourcePolicy
        {
            LimitPerOwner = 2, OpensAtMs = 0, ClosesAtMs = 300, Owner = "ann", Overdraft = 128, HoldMs = 1_000, Disabled = true, SafetyStock = 5,
        });
        Written().ShouldBe("01 03 736B75 03 01 AD02 03 616E6E 8001 E907 01 05");
    }

    [Fact]
    public void SupplyAdjusted_by_delta()
    {
        Space.Put("first");
        Space.Put("sku");
        Space.Adjust("sku", "a1", 10, reason: "count");
        //             type number id..... +10 flags version asked reason
        Written().ShouldBe("02 01 02 6131 14 00 00 14 05 636F756E74");
        Space.Adjust("sku", "a2", -64, force: true, reason: "");
        Written().ShouldBe("02 01 02 6132 7F 02 00 7F 00");
    }

    [Fact]
    public void SupplyAdjusted_to_an_absolute_value()
    {
        Space.Stock("sku", 10);
        Space.Set("sku", "s", 3, expectedVersion: 2);
        Written().ShouldBe("02 00 01 73 0D 01 04 06 05 636F756E74");
    }

    [Fact]
    public void Held()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 1_000);
        Space.TryWith("h1", "ann", 1_000, 0, ("b", 300), ("a", 2));
        //             type id..... owner....... ttl life lines (number, quantity)
        Written().ShouldBe("03 02 6831 03 616E6E E807 E807 02 01 AC02 00 02");
        Space.Try("h2", ("a", 1));
        Written().ShouldBe("03 02 6832 00 00 A0F736 01 00 01");
    }

    [Fact]
    public void Confirmed()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Try("h1", ("a", 3), ("b", 2));
        Space.Try("h2", ("a", 1));
        Space.ConfirmKeeping("h1", ("b", 1));
        //             type id..... keep, a quantity for each line
        Written().ShouldBe("04 02 6831 01 02 00 01");
        Space.Confirm("h1", ("a", 2));
        Written().ShouldBe("04 02 6831 00 02 02 00");
        Space.Confirm("h2");
        Written().ShouldBe("04 02 6832 00 00", "everything");
    }

    [Fact]
    public void Cancelled_and_cancelled_empty()
    {
        Space.Stock("a", 10);
        Space.Try("h1", ("a", 1));
        Space.Cancel("h1");
        Written().ShouldBe("05 02 6831");
        Space.Cancel("h2");
        Written().ShouldBe("06 02 6832");
    }

    [Fact]
    public void Extended()
    {
        Space.Stock("a", 10);
        Space.Try("h1", ("a", 1));
        Space.Extend("h1", 1_000);
        Written().ShouldBe("07 02 6831 E8A7F1C2B134", "the new deadline, 1,800,000,001,000");
    }

    [Fact]
    public void Returned()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Try("h1", ("a", 3), ("b", 2));
        Space.Confirm("h1");
        Space.Return("h1", "r", ("b", 1));
        Written().ShouldBe("08 02 6831 01 72 09 63616D65206261636B 02 00 01");
    }

    [Fact]
    public void Expired()
    {
        Space.Stock("a", 10);
        Space.TryWith("h1", null, 1_000, 0, ("a", 1));
        Space.Now += 1_064;
        Space.Tidy();
        Written().ShouldBe("09 02 6831");
    }

    [Fact]
    public void Forgotten()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Cancel("h1");
        Space.Now += Options.AdjustmentRetentionMs + 1;
        Space.Tidy();
        Written().ShouldBe("0A 01 0B 02");
    }

    [Fact]
    public void The_longest_events_are_read_back()
    {
        Options = Options with { MaxLifeMs = Quantity.MaxTtlMs };
        (string Id, long Quantity)[] lines = [.. Enumerable.Range(0, 64).Select(i => (new string('r', 126) + i.ToString("00", null), Quantity.Max))];
        foreach ((string id, _) in lines)
        {
            Space.Stock(id, Quantity.Max);
        }

        string name = new('h', 128);
        Space.TryWith(name, name, Quantity.MaxTtlMs, 0, lines).Code.ShouldBe(Code.Ok);
        Space.ConfirmKeeping(name, [.. lines.Select(l => (l.Id, l.Quantity - 1))]).Code.ShouldBe(Code.Ok);
        Space.Return(name, name, [.. lines.Select(l => (l.Id, l.Quantity - 1))]).Code.ShouldBe(Code.Ok);
        Space.Extend(name, 1).Code.ShouldBe(Code.Ok);
        Space.Peek(name).Lines.ShouldAllBe(l => l.Held == 1 && l.Returned == Quantity.Max - 1);
    }

    [Fact]
    public void The_numbers_of_the_types_are_never_reused() =>
        Enum.GetValues<EventType>().Select(t => $"{(int)t} {t}").ShouldBe(
        [
            "0 None", "1 ResourcePut", "2 SupplyAdjusted", "3 Held", "4 Confirmed", "5 Cancelled", "6 CancelledEmpty", "7 Extended",
            "8 Returned", "9 Expired", "10 HoldsForgotten", "11 AdjustmentsForgotten",
            "32 TransactionBegun", "33 BranchRegistered", "34 CallAnswered", "35 TransactionDecided", "36 TransactionEnded",
            "37 CallRetried", "38 CallForced", "39 TransactionsForgotten", "40 TransactionCompleted",
            "48 CheckoutBegun", "49 CheckoutClosing", "50 CheckoutEnded", "51 NoticeKept", "52 PaymentTaken", "53 PaymentDisputed",
            "54 RefundBegun", "55 RefundEnded", "56 PaymentCallAnswered", "57 PaymentCallRetried", "58 SuspenseKept",
            "59 CheckoutResolved", "60 CheckoutForgotten",
        ]);

    [Theory]
    [InlineData(0UL, "00")]
    [InlineData(127UL, "7F")]
    [InlineData(128UL, "8001")]
    [InlineData(16_383UL, "FF7F")]
    [InlineData((ulong)long.MaxValue, "FFFFFFFFFFFFFFFF7F")]
    [InlineData(ulong.MaxValue, "FFFFFFFFFFFFFFFFFF01")]
    public void Numbers_are_LEB128(ulong value, string hex)
    {
        byte[] bytes = new byte[10];
        int length = Varint.Write(bytes, value);
        Convert.ToHexString(bytes.AsSpan(0, length)).ShouldBe(hex);
        Varint.Length(value).ShouldBe(length);
        int at = 0;
        Varint.Read(bytes, ref at).ShouldBe(value);
        at.ShouldBe(length);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public void Signed_numbers_come_back(long value)
    {
        var buffer = new EventBuffer();
        buffer.VarInt(value);
        new EventReader(buffer.Payload).VarInt().ShouldBe(value);
    }

    private Spaceless Written() => new(Convert.ToHexString(Space.LastEvents));

    /// <summary>Hex, compared with a literal that has blanks between its fields.</summary>
    private readonly record struct Spaceless(string Hex)
    {
        public void ShouldBe(string expected, string? message = null) => Hex.ShouldBe(expected.Replace(" ", ""), message);
    }
}

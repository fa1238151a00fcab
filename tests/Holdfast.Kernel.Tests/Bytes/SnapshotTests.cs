namespace Holdfast.Kernel.Tests.Bytes;

public class SnapshotTests : Scenario
{
    [Fact]
    public void An_empty_space_is_pinned()
    {
        // Length 14: format 3, digest 0, time 0, no resources, adjustments, accounts, holds; transactions: next number,
        // lowest open, lowest known, none; checkouts: next number, none, no stray events. Then the end.
        Convert.ToHexString(Bytes(Space.Machine)).ShouldBe("0E000000" + "03000000000000" + "01010100" + "010000" + "00000000");
    }

    [Fact]
    public void A_small_space_is_pinned()
    {
        SmallSpace();
        byte[] bytes = Bytes(Space.Machine);
        Space.Machine.Ledger.Digest = 0; // a digest of its own has a test of its own

        string hex = Convert.ToHexString(Bytes(Space.Machine));

        hex.ShouldBe(string.Concat(SmallSpaceHex).Replace(" ", "", StringComparison.Ordinal));
        bytes.Length.ShouldBe((hex.Length / 2) + Varint.Length(SmallSpaceDigest) - 1);
        Space.Machine.Ledger.Digest = SmallSpaceDigest;
    }

    [Theory]
    [InlineData("BE000000" + "01", "")]
    [InlineData("C2000000" + "02", "01010100")]
    public void A_snapshot_of_an_earlier_format_is_still_read(string beginning, string end)
    {
        SmallSpace();
        string present = string.Concat(SmallSpaceHex).Replace(" ", "", StringComparison.Ordinal);
        present.ShouldStartWith("C5000000" + "03");
        present.ShouldEndWith("01010100" + "010000" + "00000000");
        string hex = beginning + present["C500000003".Length..^"0101010001000000000000".Length] + end + "00000000";

        var restored = SpaceMachine.ReadSnapshot(new MemoryStream(Convert.FromHexString(hex)), Options, Space.Hasher);

        StateText.Of(restored).ShouldBe(StateText.Of(Space.Machine));
    }

    [Fact]
    public void The_digest_of_a_small_space_is_pinned()
    {
        // It is stored in snapshots: another way of reckoning makes every stored one disagree with a replay.
        SmallSpace();

        Space.Machine.Digest.ShouldBe(SmallSpaceDigest);
    }

    [Fact]
    public void A_snapshot_does_not_depend_on_the_key_of_the_hash()
    {
        SmallSpace();

        SpaceMachine other = Ending.Restore(Space.Machine, new NameHasher(7, 9));

        StateText.Of(other).ShouldBe(StateText.Of(Space.Machine));
        var hasher = new NameHasher(7, 9);
        var command = new GetHold(hasher);
        command.Reset("h1"u8);
        other.Read(command)!.Value.State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public void A_snapshot_of_many_blocks_is_read_back()
    {
        for (int i = 0; i < 1_000; i++)
        {
            Space.Stock(new string('r', 100) + i, 1_000);
        }

        for (int i = 0; i < 8_000; i++)
        {
            Space.TryAs(Long(i), "owner-" + new string('o', 60 + (i % 60)), (new string('r', 100) + (i % 1_000), 1));
            if (i % 3 == 0)
            {
                Space.Confirm(Long(i));
                Space.Return(Long(i), "return", (new string('r', 100) + (i % 1_000), 1));
            }
        }

        byte[] bytes = Bytes(Space.Machine);

        bytes.Length.ShouldBeGreaterThan(2 * 1024 * 1024);
        SpaceMachine restored = SpaceMachine.ReadSnapshot(new MemoryStream(bytes), Options, Space.Hasher);
        StateText.Of(restored).ShouldBe(StateText.Of(Space.Machine));
        Bytes(restored).Length.ShouldBe(bytes.Length);
    }

    [Fact]
    public void Blocks_that_end_exactly_between_two_kinds_of_entries_are_read_back()
    {
        // However the resources' bytes fall on the block's bound, what follows begins where the reader looks for it.
        for (int extra = 0; extra < 3; extra++)
        {
            var space = new Space();
            for (int i = 0; i < 7_490 + extra; i++)
            {
                space.Put(new string('r', 124) + i.ToString("0000", null));
            }

            space.Adjust(new string('r', 124) + "0000", "a", 1);
            StateText.Of(Ending.Restore(space.Machine)).ShouldBe(StateText.Of(space.Machine));
        }
    }

    [Fact]
    public void A_snapshot_of_a_later_format_is_refused()
    {
        byte[] bytes = Bytes(Space.Machine);
        bytes[4] = 4;

        Should.Throw<InvalidDataException>(() => SpaceMachine.ReadSnapshot(new MemoryStream(bytes), Options, Space.Hasher)).Message.ShouldContain("format 4");
    }

    [Fact]
    public void A_snapshot_cut_anywhere_or_with_something_behind_it_is_refused()
    {
        SmallSpace();
        byte[] bytes = Bytes(Space.Machine);
        for (int length = 0; length < bytes.Length; length++)
        {
            Should.Throw<IOException>(() => SpaceMachine.ReadSnapshot(new MemoryStream(bytes[..length]), Options, Space.Hasher), $"cut at {length}");
        }

        byte[] longer = [.. bytes[..^4], 1, 0, 0, 0, 0, 0, 0, 0, 0];
        Should.Throw<InvalidDataException>(() => SpaceMachine.ReadSnapshot(new MemoryStream(longer), Options, Space.Hasher));
    }

    private const ulong SmallSpaceDigest = 11_915_094_417_684_256_086;

    private static readonly string[] SmallSpaceHex =
    [
        "C5000000", // the block's length
        "03 00 80A0F1C2B134", // format, digest (set to 0), time
        "02", // resources: id, policy, available, held, consumed, supplied (signed), version, consumed by forgotten
        "03736B75 06 00 00 00 00 00 00 00 0C 04 04 14 07 00",
        "0162 00 00 00 00 00 00 00 00 06 02 00 08 03 00",
        "02", // adjustments: time, resource, id, flags, asked, expected version
        "80A0F1C2B134 00 076F70656E696E67 00 14 00",
        "80A0F1C2B134 01 076F70656E696E67 00 08 00",
        "03", // accounts with use: owner, resource, used
        "03616E6E 00 04",
        "03616E6E 01 02",
        "03626F62 00 04",
        "03", // holds: state and form, time, id, owner, created, ttl, life, lines (resource and last, quantity, ...), returns
        "82 80A0F1C2B134 026832 03626F62 80A0F1C2B134 00 A0F736 01 01 03 00 02 01 01 01 0172 01",
        "03 80A0F1C2B134 04676F6E65 00 80A0F1C2B134 00 00 00 00",
        "01 E0F4F4C2B134 026831 03616E6E 80A0F1C2B134 E0D403 E0D403 02 01 02 03 01 00",
        "01 01 01 00", // transactions: next number, lowest open, lowest known, count
        "01 00 00", // checkouts: next number, count, ids of stray events
        "00000000", // the end
    ];

    private void SmallSpace()
    {
        Space.Stock("sku", 10, new ResourcePolicy { LimitPerOwner = 5 });
        Space.Stock("b", 4);
        Space.TryWith("h1", "ann", 60_000, 0, ("sku", 2), ("b", 1));
        Space.TryAs("h2", "bob", ("sku", 3));
        Space.ConfirmKeeping("h2", ("sku", 2));
        Space.Return("h2", "r", ("sku", 1));
        Space.Confirm("h2");
        Space.Cancel("gone");
    }

    private static string Long(int i) => new string('h', 110) + i;

    private static byte[] Bytes(SpaceMachine machine)
    {
        var stream = new MemoryStream();
        machine.WriteSnapshot(stream);
        return stream.ToArray();
    }
}

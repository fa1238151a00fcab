namespace Holdfast.Kernel.Tests.Detectors;

/// <summary>A detector is shown to fire on a planted fault before its silence is believed.</summary>
public class DetectorTests
{
    public static TheoryData<string> Faults => [.. All.Keys];

    /// <summary>Each breaks one fact of the state, as a bug in <c>Evolve</c> would.</summary>
    private static readonly Dictionary<string, Action<Ledger>> All = new()
    {
        ["a unit is made up"] = l => l.Resources[0].Available++,
        ["a release forgets to give back"] = l => l.Resources[0].Available--,
        ["held is counted twice"] = l => { l.Resources[0].Held += 2; l.Resources[0].Available -= 2; },
        ["held is forgotten"] = l => { l.Resources[0].Held--; l.Resources[0].Available++; },
        ["consumed is counted twice"] = l => { l.Resources[0].Consumed += 2; l.Resources[0].Available -= 2; },
        ["held goes to consumed by itself"] = l => { l.Resources[0].Held--; l.Resources[0].Consumed++; },
        ["supply is booked twice"] = l => l.Resources[0].Supplied += 10,
        ["a unit goes to the wrong resource"] = l => { l.Resources[0].Available--; l.Resources[1].Available++; },
        ["quota is given back twice"] = l => l.Accounts[0].Used -= 1,
        ["quota is never given back"] = l => l.Accounts[0].Used += 1,
        ["an account would never leave"] = l => l.Accounts[0].References++,
        ["an account would leave too early"] = l => l.Accounts[0].References--,
        ["forgotten consumption is counted twice"] = l => l.Resources[0].ConsumedByForgotten++,
        ["a hold ends without releasing"] = l => l.Holds.Finish(Slot(l, "held"), HoldState.Expired, Space.Start),
        ["a hold's line loses a unit"] = l => ChangeLine(l, "held", (ref LineState line) => line.Held--),
        ["a confirmed line gains a unit"] = l => ChangeLine(l, "sold", (ref LineState line) => line.Consumed++),
        ["a line moves to another resource"] = l => ChangeLine(l, "nobody's", (ref LineState line) => line.Resource = 1 - line.Resource),
        ["a line moves to another account"] = l => ChangeLine(l, "held", (ref LineState line) => line.Account = 1),
    };

    private delegate void Change(ref LineState line);

    [Theory]
    [MemberData(nameof(Faults))]
    public void Conservation_finds(string fault)
    {
        Space space = BusySpace();
        space.Machine.FindImbalance().ShouldBeNull();

        All[fault](space.Machine.Ledger);

        space.Machine.FindImbalance().ShouldNotBeNull(fault);
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void The_comparison_of_states_finds(string fault)
    {
        Space sound = BusySpace(), broken = BusySpace();
        broken.Machine.Digest.ShouldBe(sound.Machine.Digest);
        All[fault](broken.Machine.Ledger);
        StateText.Of(broken.Machine).ShouldNotBe(StateText.Of(sound.Machine), fault);
    }

    [Theory]
    [InlineData("a unit is made up")]
    [InlineData("a release forgets to give back")]
    [InlineData("held is counted twice")]
    [InlineData("consumed is counted twice")]
    [InlineData("quota is given back twice")]
    [InlineData("quota is never given back")]
    [InlineData("a hold's line loses a unit")]
    [InlineData("a line moves to another account")]
    public void The_digest_shows_as_soon_as_an_event_touches(string fault)
    {
        Space sound = BusySpace(), broken = BusySpace();
        All[fault](broken.Machine.Ledger);
        sound.Cancel("held");

        Batch next = sound.Batches[^1];
        broken.Machine.Evolve(next.Payload, next.Count, next.TimeMs);

        broken.Machine.Digest.ShouldNotBe(sound.Machine.Digest);
    }

    [Fact]
    public void The_digest_differs_after_any_event_is_lost_doubled_or_swapped_or_the_replay_refuses()
    {
        List<Batch> batches = BusySpace().Batches;
        ulong right = Ending.Replay(batches, new HoldOptions()).Digest;
        for (int i = 0; i < batches.Count; i++)
        {
            Batch[] lost = [.. batches[..i], .. batches[(i + 1)..]];
            Batch[] doubled = [.. batches[..i], batches[i], .. batches[i..]];
            DigestOrRefusal(lost).ShouldNotBe(right, $"lost: {Name(batches[i])}");
            DigestOrRefusal(doubled).ShouldNotBe(right, $"doubled: {Name(batches[i])}");
            if (i > 0 && Name(batches[i]) != Name(batches[i - 1]))
            {
                Batch[] swapped = [.. batches[..(i - 1)], batches[i], batches[i - 1], .. batches[(i + 1)..]];
                DigestOrRefusal(swapped).ShouldNotBe(right, $"swapped: {Name(batches[i - 1])} and {Name(batches[i])}");
            }
        }
    }

    [Fact]
    public void A_flipped_bit_is_refused_or_shows_in_digest_or_state_or_lies_in_a_reason()
    {
        List<Batch> batches = BusySpace().Batches;
        string? right = TextOrRefusal(batches);
        int flips = 0, unseen = 0;
        for (int b = 0; b < batches.Count; b++)
        {
            for (int bit = 0; bit < 8 * batches[b].Payload.Length; bit++)
            {
                byte[] flipped = [.. batches[b].Payload];
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                flips++;
                if (TextOrRefusal([.. batches[..b], batches[b] with { Payload = flipped }, .. batches[(b + 1)..]]) == right)
                {
                    (IsReason(batches[b].Payload, bit / 8) || SaysNothing(batches[b].Payload, bit / 8)).ShouldBeTrue($"{Name(batches[b])}, bit {bit} of {Convert.ToHexString(batches[b].Payload)}");
                    unseen++;
                }
            }
        }

        flips.ShouldBeGreaterThan(1_000);
        unseen.ShouldBeGreaterThan(0, "a reason is not kept in memory: that is what the journal's hash chain is for");
    }

    [Fact]
    public void A_batch_that_claims_more_or_fewer_events_is_refused()
    {
        foreach (Batch batch in BusySpace().Batches.Take(1))
        {
            var machine = new SpaceMachine(new HoldOptions(), Space.Hasher);
            Should.Throw<InvalidDataException>(() => machine.Evolve(batch.Payload, batch.Count + 1, batch.TimeMs));
            Should.Throw<InvalidDataException>(() => new SpaceMachine(new HoldOptions(), Space.Hasher).Evolve(batch.Payload, batch.Count - 1, batch.TimeMs));
        }
    }

    [Fact]
    public void The_end_of_every_test_fires_on_a_lost_batch()
    {
        Space space = BusySpace();
        space.Batches.RemoveAt(space.Batches.Count - 1);

        Should.Throw<ShouldAssertException>(() => Ending.ShouldBeSound(space));
    }

    /// <summary>Something of every kind, everything on resource 0 and account 0 in part.</summary>
    private static Space BusySpace()
    {
        var space = new Space();
        space.Stock("sku", 100, new ResourcePolicy { LimitPerOwner = 50 });
        space.Stock("other", 100);
        space.TryAs("held", "ann", ("sku", 3), ("other", 1));
        space.TryAs("sold", "bob", ("sku", 4));
        space.TryAs("part", "ann", ("sku", 6));
        space.Try("nobody's", ("other", 2));
        space.ConfirmKeeping("sold", ("sku", 2));
        space.Confirm("sold");
        space.ConfirmKeeping("part", ("sku", 2));
        space.Return("part", "r", ("sku", 1));
        space.Extend("held", 70_000);
        space.Cancel("gone");
        space.TryWith("late", "cid", 1_000, 0, ("sku", 1));
        space.Pass(2_000);
        space.TryAs("off", "cid", ("sku", 2));
        space.Cancel("off");
        space.Set("other", "s", 50, space.Resource("other").Version);
        return space;
    }

    private static int Slot(Ledger ledger, string id) => ledger.Holds.Find(ledger.Hasher.Hash(Space.Utf8(id)), Space.Utf8(id));

    private static void ChangeLine(Ledger ledger, string id, Change change)
    {
        int slot = Slot(ledger, id);
        var lines = new LineState[LinedCommand.MaxLines];
        HoldHeader header = ledger.Holds.ReadLines(slot, lines);
        change(ref lines[0]);
        ledger.Holds.Rewrite(slot, header with { Detailed = true }, lines.AsSpan(0, header.LineCount));
    }

    private static string Name(Batch batch) => ((EventType)batch.Payload[0]).ToString();

    private static ulong? DigestOrRefusal(IEnumerable<Batch> batches)
    {
        try
        {
            return Ending.Replay(batches, new HoldOptions()).Digest;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static string? TextOrRefusal(IEnumerable<Batch> batches)
    {
        try
        {
            SpaceMachine machine = Ending.Replay(batches, new HoldOptions());
            return machine.Digest + StateText.Of(machine);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Whether a remainder is kept, in a confirm of everything (0 lines): there is none.</summary>
    private static bool SaysNothing(byte[] payload, int at) =>
        payload[0] == (byte)EventType.Confirmed && payload[^1] == 0 && at == payload.Length - 2;

    private static bool IsReason(byte[] payload, int at) => new[] { "count", "came back" }.Any(reason =>
        payload.AsSpan().IndexOf(Space.Utf8(reason)) is int start and >= 0 && at >= start && at < start + reason.Length);
}

namespace Holdfast.Kernel.Tests.EdgeCases;

public class TimeEdgeCases : Scenario
{
    [Fact]
    public void E19_ClockGoesBack_TheBatchTimeStands_AndDeadlinesAreStillRight()
    {
        // The loop never hands the machine a time before the last batch's: a clock set back shows as time standing still.
        Space.Stock("sku", 10);
        Answer first = Space.TryWith("h1", null, 60_000, 0, ("sku", 1));
        Space.Pass(30_000);
        long stands = Space.Now;
        for (int i = 0; i < 100; i++)
        {
            Space.Now = Math.Max(Space.Machine.LastTimeMs, stands - (i * 1_000));
            Space.Tidy();
            Space.Get("h1").State.ShouldBe(HoldState.Held);
        }

        Answer second = Space.TryWith("h2", null, 60_000, 0, ("sku", 1));
        second.ExpiresAtMs.ShouldBe(stands + 60_000);
        Space.Now = first.ExpiresAtMs;
        Space.Get("h1").State.ShouldBe(HoldState.Expired);
        Space.Get("h2").State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public void E19_ARestartedMachine_RemembersTheTimeOfItsLastBatch()
    {
        Space.Stock("sku", 10);
        Space.Now += 1_000_000;
        Space.Try("h", ("sku", 1));

        Ending.Replay(Space.Batches, Options).LastTimeMs.ShouldBe(Space.Now);
        Ending.Restore(Space.Machine).LastTimeMs.ShouldBe(Space.Now);
    }

    [Fact]
    public void E20_ClockJumpsADayAhead_ExpiryIsBoundedPerBatch_AndCommandsGoOnBetween()
    {
        Options = Options with { MaxExpiriesPerBatch = 100 };
        Space.Stock("sku", 10_000);
        for (int i = 0; i < 1_050; i++)
        {
            Space.TryWith("h" + i, null, 60_000 + (i * 7_000L), 0, ("sku", 1));
            Space.Now += 13;
        }

        Space.Now += 24 * 3600 * 1000L;
        int before = Space.Machine.LiveHolds;
        bool more = true;
        for (int batch = 0; more; batch++)
        {
            batch.ShouldBeLessThan(20, "every batch makes headway");
            more = Space.Tidy();
            (before - Space.Machine.LiveHolds).ShouldBeLessThanOrEqualTo(100);
            before = Space.Machine.LiveHolds;
            Space.Try("between" + batch, ("sku", 1)).Code.ShouldBe(Code.Ok);
            before++;
            Space.Now += 70;
        }

        Space.Machine.ListHolds().ShouldAllBe(h => h.State == (h.Id.StartsWith('h') ? HoldState.Expired : HoldState.Held));
    }

    [Fact]
    public void E20_AHoldBehindTheBudget_CanNotBeConfirmedPastItsDeadline()
    {
        Options = Options with { MaxExpiriesPerBatch = 1 };
        Space.Stock("sku", 10);
        for (int i = 0; i < 5; i++)
        {
            Space.TryWith("h" + i, null, 60_000, 0, ("sku", 1));
        }

        Space.Now += 86_400_000;
        Space.Tidy().ShouldBeTrue();

        for (int i = 0; i < 5; i++)
        {
            Space.Confirm("h" + i).Code.ShouldBe(Code.Expired);
        }

        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void E21_ServerDownPastDeadlines_TheyExpireBeforeTheFirstAnswer(bool fromSnapshot)
    {
        Space.Stock("sku", 5);
        Space.TryWith("short", null, 60_000, 0, ("sku", 5));
        SpaceMachine restarted = fromSnapshot ? Ending.Restore(Space.Machine) : Ending.Replay(Space.Batches, Options);
        var later = new Space(machine: restarted) { Now = Space.Now + 7_200_000 };

        while (later.Tidy())
        {
        }

        later.Buckets("sku").ShouldBe((5, 0, 0));
        later.Try("first", ("sku", 5)).Code.ShouldBe(Code.Ok);
        later.Machine.FindImbalance().ShouldBeNull();
    }

    [Theory]
    [InlineData(-1, Code.Ok)]
    [InlineData(0, Code.Expired)]
    [InlineData(1, Code.Expired)]
    public void E22_ExtendAtTheInstantOfExpiry_HasOneOutcome(long fromDeadlineMs, Code code)
    {
        Space.Stock("sku", 5);
        Answer hold = Space.TryWith("h", null, 60_000, 0, ("sku", 1));
        Space.Now = hold.ExpiresAtMs + fromDeadlineMs;

        Answer answer = Space.Extend("h", 60_000);

        answer.Code.ShouldBe(code);
        Space.Buckets("sku").Held.ShouldBe(code == Code.Ok ? 1 : 0);
        if (code == Code.Ok)
        {
            answer.ExpiresAtMs.ShouldBe(Space.Now + 60_000);
            Space.Now = answer.ExpiresAtMs - 1;
            Space.Tidy();
            Space.Get("h").State.ShouldBe(HoldState.Held);
            Space.Pass(100);
            Space.Peek("h").State.ShouldBe(HoldState.Expired);
        }
    }

    [Fact]
    public void E22_TotalLife_IsCapped_ForTheTryAndForEveryExtension()
    {
        Options = Options with { MaxLifeMs = 100_000 };
        Space.Stock("sku", 5);
        long end = Space.Now + 100_000;

        Space.TryWith("long", null, 500_000, 0, ("sku", 1)).ExpiresAtMs.ShouldBe(end);
        Space.TryWith("h", null, 60_000, 0, ("sku", 1));
        Space.Now += 50_000;
        Space.Extend("h", 40_000).ExpiresAtMs.ShouldBe(Space.Now + 40_000);
        Space.Extend("h", 60_000).ExpiresAtMs.ShouldBe(end);
        Space.Extend("h", Quantity.MaxTtlMs).ExpiresAtMs.ShouldBe(end);
        Space.LastEvents.ShouldBeEmpty("the deadline was there already");
        Space.Now = end - 1;
        Space.Extend("h", 60_000).ExpiresAtMs.ShouldBe(end);
        Space.Pass(65);
        Space.Peek("h").State.ShouldBe(HoldState.Expired);
    }

    [Fact]
    public void Extend_MayBringADeadlineNearer_AndARepeatedTryTellsTheNewOne()
    {
        Space.Stock("sku", 5);
        Space.TryWith("h", null, 600_000, 0, ("sku", 1));

        long deadline = Space.Extend("h", 1_000).ExpiresAtMs;

        deadline.ShouldBe(Space.Now + 1_000);
        Space.TryWith("h", null, 600_000, 0, ("sku", 1)).ExpiresAtMs.ShouldBe(deadline);
        Space.Pass(1_064);
        Space.Peek("h").State.ShouldBe(HoldState.Expired);
    }

    [Fact]
    public void E23_AMillionHoldsExpireInOneSecond_OthersAreStillAnswered()
    {
        const int holds = 1_000_000;
        SpaceMachine machine = new(new HoldOptions(), Space.Hasher);
        var space = new Space(machine: machine);
        space.Stock("sku", holds + 1_000_000);
        var output = new EventBuffer(0, 64 * 1024 * 1024);
        var hold = new TryHold(Space.Hasher);
        Span<byte> id = stackalloc byte[8];
        for (long i = 0; i < holds; i++)
        {
            // Printable, and different for every i.
            for (int b = 0; b < id.Length; b++)
            {
                id[b] = (byte)('a' + ((i >> (4 * b)) & 15));
            }

            hold.Reset(id, "owner"u8, 60_000 + (i % 1_000));
            hold.AddLine("sku"u8, 1);
            if (machine.Decide(hold, space.Now, output).Code != Code.Ok)
            {
                Assert.Fail("hold " + i);
            }
        }

        space.Now += 61_064;
        int batches = 0;
        bool more = true;
        while (more)
        {
            output.Clear();
            more = machine.Tidy(space.Now, output);
            output.Count.ShouldBeLessThanOrEqualTo(machine.Options.MaxExpiriesPerBatch);
            space.Try("between-" + batches++, ("sku", 1)).Code.ShouldBe(Code.Ok);
        }

        batches.ShouldBeInRange(holds / machine.Options.MaxExpiriesPerBatch, (holds / machine.Options.MaxExpiriesPerBatch) + 2);
        machine.LiveHolds.ShouldBe(batches);
        machine.FindImbalance().ShouldBeNull();
    }

    [Fact]
    public void E24_SaleOpensAtT_NothingBefore_WhateverClientsSend()
    {
        long opens = Space.Now + 3_600_000;
        long closes = opens + 1_000;
        Space.Stock("sku", 10, new ResourcePolicy { OpensAtMs = opens, ClosesAtMs = closes });

        Space.TryWith("early", "ann", 0, opens + 5, ("sku", 1)).Code.ShouldBe(Code.NotOpen);
        Space.Now = opens - 1;
        Space.Try("h0", ("sku", 1)).Code.ShouldBe(Code.NotOpen);
        Space.Now = opens;
        Space.Try("h1", ("sku", 1)).Code.ShouldBe(Code.Ok);
        Space.Now = closes - 1;
        Space.Try("h2", ("sku", 1)).Code.ShouldBe(Code.Ok);
        Space.Now = closes;
        Space.Try("h3", ("sku", 1)).Code.ShouldBe(Code.NotOpen);
        Space.Confirm("h2").Code.ShouldBe(Code.Ok, "what is held may finish");
        Space.Try("h1", ("sku", 1)).Repeat.ShouldBeTrue();
    }

    [Fact]
    public void TimeToLive_ComesFromTheTry_ThenTheShortestResource_ThenTheSpace()
    {
        Space.Stock("plain", 10);
        Space.Stock("slow", 10, new ResourcePolicy { HoldMs = 3_600_000 });
        Space.Stock("quick", 10, new ResourcePolicy { HoldMs = 5_000 });

        Space.Try("a", ("plain", 1)).ExpiresAtMs.ShouldBe(Space.Now + Options.DefaultTtlMs);
        Space.Try("b", ("slow", 1)).ExpiresAtMs.ShouldBe(Space.Now + 3_600_000);
        Space.Try("c", ("slow", 1), ("quick", 1), ("plain", 1)).ExpiresAtMs.ShouldBe(Space.Now + 5_000);
        Space.Try("d", ("slow", 1), ("plain", 1)).ExpiresAtMs.ShouldBe(Space.Now + Options.DefaultTtlMs);
        Space.TryWith("e", null, 7_000, 0, ("quick", 1)).ExpiresAtMs.ShouldBe(Space.Now + 7_000);
    }

    [Fact]
    public void TooOld_BeginsRightAfterTheRetention()
    {
        Space.Stock("sku", 10);

        Space.TryWith("h1", null, 0, Space.Now - Options.RetentionMs, ("sku", 1)).Code.ShouldBe(Code.Ok);
        Space.TryWith("h2", null, 0, Space.Now - Options.RetentionMs - 1, ("sku", 1)).Code.ShouldBe(Code.TooOld);
    }
}

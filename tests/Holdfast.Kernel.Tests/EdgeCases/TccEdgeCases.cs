namespace Holdfast.Kernel.Tests.EdgeCases;

public class TccEdgeCases : Scenario
{
    public TccEdgeCases() => Space.Stock("sku", 10);

    [Fact]
    public void E01_CancelBeforeTry_IsRecordedAsAnEmptyCancel_AndSucceeds()
    {
        Answer answer = Space.Cancel("h");

        (answer.Code, answer.State, answer.Repeat, answer.ExpiresAtMs).ShouldBe((Code.Ok, HoldState.Cancelled, false, 0));
        Space.LastEvents[0].ShouldBe((byte)EventType.CancelledEmpty);
        Space.Peek("h").Lines.ShouldBeEmpty();
    }

    [Fact]
    public void E02_TryAfterThatCancel_IsRefusedCancelled_WhateverItsBody()
    {
        Space.Cancel("h");

        Space.Try("h", ("sku", 1)).Code.ShouldBe(Code.Cancelled);
        Space.TryAs("h", "ann", ("nowhere", 1)).Code.ShouldBe(Code.Cancelled);
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Fact]
    public void E03_DuplicateTry_GetsTheSameAnswer_AndCountsOnce()
    {
        Answer first = Space.TryWith("h", "ann", 60_000, Space.Now, ("sku", 2), ("sku", 1));
        Space.Now += 5_000;

        Answer again = Space.TryWith("h", "ann", 60_000, Space.Now, ("sku", 3));

        (again.Code, again.State, again.ExpiresAtMs).ShouldBe((first.Code, first.State, first.ExpiresAtMs));
        (first.Repeat, again.Repeat).ShouldBe((false, true));
        Space.LastEvents.ShouldBeEmpty();
        Space.Buckets("sku").ShouldBe((7, 3, 0));
    }

    [Fact]
    public void E03_DuplicateTry_WithItsLinesInAnotherOrder_IsTheSameBody()
    {
        Space.Stock("other", 10);
        Space.Try("h", ("sku", 2), ("other", 1));

        Space.Try("h", ("other", 1), ("sku", 2)).Repeat.ShouldBeTrue();
    }

    [Fact]
    public void E03_DuplicateTry_AfterTheStockFellAndThePolicyClosed_StillSucceeds()
    {
        Space.Try("h", ("sku", 10));
        Space.Put("sku", new ResourcePolicy { Disabled = true });

        (Space.Try("h", ("sku", 10)) is { Code: Code.Ok, Repeat: true }).ShouldBeTrue();
    }

    [Fact]
    public void E04_SameId_OtherBody_IsConflict_AndNothingChanges()
    {
        Space.Stock("other", 10);
        Space.TryWith("h", "ann", 60_000, 0, ("sku", 2));
        string before = StateText.Of(Space.Machine);

        Space.TryWith("h", "ann", 60_000, 0, ("sku", 3)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", "bob", 60_000, 0, ("sku", 2)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", null, 60_000, 0, ("sku", 2)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", "ann", 0, 0, ("sku", 2)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", "ann", 60_000, 0, ("other", 2)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", "ann", 60_000, 0, ("sku", 2), ("other", 1)).Code.ShouldBe(Code.Conflict);
        Space.TryWith("h", "ann", 60_000, 0, ("nowhere", 2)).Code.ShouldBe(Code.Conflict);

        StateText.Of(Space.Machine).ShouldBe(before);
    }

    [Fact]
    public void E05_DuplicateConfirm_SameQuantities_GetsTheSameAnswer()
    {
        Space.Try("h", ("sku", 3));
        Answer first = Space.Confirm("h");

        foreach (Answer again in new[] { Space.Confirm("h"), Space.Confirm("h", ("sku", 3)), Space.Confirm("h", ("sku", 1), ("sku", 2)) })
        {
            (again.Code, again.State, again.ExpiresAtMs, again.Repeat).ShouldBe((first.Code, first.State, first.ExpiresAtMs, true));
        }

        Space.Buckets("sku").ShouldBe((7, 0, 3));
    }

    [Fact]
    public void E05_DuplicateConfirm_AfterAReturn_IsStillTheSame()
    {
        Space.Try("h", ("sku", 3));
        Space.Confirm("h");
        Space.Return("h", "r", ("sku", 2));

        Space.Confirm("h").Repeat.ShouldBeTrue();
        Space.Confirm("h", ("sku", 3)).Repeat.ShouldBeTrue();
        Space.Buckets("sku").ShouldBe((9, 0, 1));
    }

    [Fact]
    public void E06_DuplicateConfirm_OtherQuantities_IsConflict()
    {
        Space.Stock("other", 10);
        Space.Try("h", ("sku", 3), ("other", 1));
        Space.Confirm("h", ("sku", 2));

        Space.Confirm("h", ("sku", 3)).Code.ShouldBe(Code.Conflict);
        Space.Confirm("h", ("sku", 2), ("other", 1)).Code.ShouldBe(Code.Conflict);
        Space.Confirm("h").Code.ShouldBe(Code.Conflict, "everything was not what was confirmed");
        Space.Confirm("h", ("nowhere", 2)).Code.ShouldBe(Code.Conflict);
        Space.Confirm("h", ("sku", 2)).Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((8, 0, 2));
    }

    [Fact]
    public void E07_ConfirmMoreThanHeld_IsRefused_AndNothingChanges()
    {
        Space.Stock("other", 10);
        Space.Try("h", ("sku", 3), ("other", 1));
        string before = StateText.Of(Space.Machine);

        Answer answer = Space.Confirm("h", ("other", 1), ("sku", 4));

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.ExceedsHold, 4, 3));
        Space.Confirm("h", ("sku", 2), ("sku", 2)).Code.ShouldBe(Code.ExceedsHold, "the sum counts");
        Space.Confirm("h", ("nowhere", 1)).Code.ShouldBe(Code.ExceedsHold);
        StateText.Of(Space.Machine).ShouldBe(before);
    }

    [Fact]
    public void E08_ConfirmLessThanHeld_ConsumesThatMuch_AndReleasesTheRest()
    {
        Space.Stock("other", 10);
        Space.TryAs("h", "ann", ("sku", 3), ("other", 2));

        Answer answer = Space.Confirm("h", ("sku", 1));

        answer.State.ShouldBe(HoldState.Confirmed);
        Space.Buckets("sku").ShouldBe((9, 0, 1));
        Space.Buckets("other").ShouldBe((10, 0, 0));
        Space.Batches.Last().Count.ShouldBe(1, "one event consumes and releases");
    }

    [Fact]
    public void E08_ConfirmLessThanHeld_KeepingTheRemainder_LeavesItHeldToItsDeadline()
    {
        Answer hold = Space.TryAs("h", "ann", ("sku", 5));

        Answer answer = Space.ConfirmKeeping("h", ("sku", 2));

        (answer.State, answer.ExpiresAtMs).ShouldBe((HoldState.Held, hold.ExpiresAtMs));
        Space.Buckets("sku").ShouldBe((5, 3, 2));
        Space.ConfirmKeeping("h", ("sku", 4)).Code.ShouldBe(Code.ExceedsHold);
        Space.ConfirmKeeping("h", ("sku", 3)).State.ShouldBe(HoldState.Confirmed, "nothing is left to keep");
        Space.Buckets("sku").ShouldBe((5, 0, 5));
    }

    [Fact]
    public void E08_ARepeatedPartialConfirm_ConsumesOnce()
    {
        Space.Try("h", ("sku", 5));
        Space.ConfirmKeeping("h", ("sku", 2));

        (Space.ConfirmKeeping("h", ("sku", 2)) is { Code: Code.Ok, Repeat: true, State: HoldState.Held }).ShouldBeTrue();
        Space.Buckets("sku").ShouldBe((5, 3, 2));
        Space.Confirm("h").State.ShouldBe(HoldState.Confirmed);
        Space.Buckets("sku").ShouldBe((5, 0, 5));
        Space.Confirm("h").Repeat.ShouldBeTrue();
    }

    [Fact]
    public void E08_ARemainderThatExpires_GoesBackAlone()
    {
        Space.TryWith("h", "ann", 60_000, 0, ("sku", 5));
        Space.ConfirmKeeping("h", ("sku", 2));

        Space.Pass(60_064);

        Space.Peek("h").State.ShouldBe(HoldState.Expired);
        Space.Buckets("sku").ShouldBe((8, 0, 2));
        Space.Return("h", "r", ("sku", 2)).Code.ShouldBe(Code.Ok, "what was consumed may come back whatever became of the rest");
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void E09_ConfirmRacesCancel_TheFirstWins_AndTheOtherIsToldTheFinalState(bool confirmFirst)
    {
        Space.Try("h", ("sku", 3));

        if (confirmFirst)
        {
            Space.Confirm("h").Code.ShouldBe(Code.Ok);
            Space.Cancel("h").Code.ShouldBe(Code.Confirmed);
            Space.Buckets("sku").ShouldBe((7, 0, 3));
        }
        else
        {
            Space.Cancel("h").Code.ShouldBe(Code.Ok);
            Space.Confirm("h").Code.ShouldBe(Code.Cancelled);
            Space.Buckets("sku").ShouldBe((10, 0, 0));
        }
    }

    [Theory]
    [InlineData(-1, Code.Ok, HoldState.Confirmed)]
    [InlineData(0, Code.Expired, HoldState.Expired)]
    [InlineData(1, Code.Expired, HoldState.Expired)]
    public void E10_ConfirmRacesExpiry_TheJournalsOrderDecides_AndBothAgreeAfterwards(long fromDeadlineMs, Code code, HoldState state)
    {
        Answer hold = Space.Try("h", ("sku", 3));
        Space.Now = hold.ExpiresAtMs + fromDeadlineMs;

        Space.Confirm("h").Code.ShouldBe(code);
        Space.Pass(10_000);

        Space.Get("h").State.ShouldBe(state);
        Space.Confirm("h").Code.ShouldBe(code);
    }

    [Fact]
    public void E10_TheSweepComesFirst_ThenTheConfirmIsToldSo()
    {
        Answer hold = Space.Try("h", ("sku", 3));
        Space.Now = hold.ExpiresAtMs + 64;
        Space.Tidy();

        Space.Confirm("h").Code.ShouldBe(Code.Expired);
        Space.LastEvents.ShouldBeEmpty();
    }

    [Fact]
    public void E11_ConfirmWithoutTry_IsNotFound_AndNothingIsConsumed()
    {
        Space.Confirm("h").Code.ShouldBe(Code.NotFound);
        Space.Confirm("h", ("sku", 1)).Code.ShouldBe(Code.NotFound);
        Space.Try("h", ("sku", 1)).Code.ShouldBe(Code.Ok, "it left no trace");
        Space.Buckets("sku").ShouldBe((9, 1, 0));
    }

    [Fact]
    public void E12_AskingById_TellsTheTruthOfAnUnansweredTry()
    {
        Space.Try("h", ("sku", 3));

        (Space.Get("h") is { Code: Code.Ok, State: HoldState.Held, MustBeDurable: true }).ShouldBeTrue();
        Space.Get("never").Code.ShouldBe(Code.NotFound);
    }

    [Fact]
    public void E14_SeveralResources_OneShort_HoldsNone()
    {
        Space.Stock("scarce", 1);
        string before = StateText.Of(Space.Machine);

        Answer answer = Space.TryAs("h", "ann", ("sku", 2), ("scarce", 2));

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.Insufficient, 2, 1));
        answer.Resource.ShouldBe(Space.Utf8("scarce"));
        Space.LastEvents.ShouldBeEmpty();
        StateText.Of(Space.Machine).ShouldBe(before);
    }

    [Fact]
    public void E15_OneResourceOnTwoLines_IsCheckedAsTheirSum()
    {
        Answer answer = Space.Try("h", ("sku", 6), ("sku", 5));

        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.Insufficient, 11, 10));
        Space.Try("h", ("sku", 6), ("sku", 4)).Code.ShouldBe(Code.Ok);
        Space.Peek("h").Lines.ShouldHaveSingleItem().Quantity.ShouldBe(10);
    }

    [Fact]
    public void E16_CrossingRequestsOverTwoResources_AreEachAllOrNothing()
    {
        Space.Stock("a", 3);
        Space.Stock("b", 3);

        // One writer: there is nothing to lock, so crossing orders can only interleave whole.
        int held = Enumerable.Range(0, 10).Count(i => i % 2 == 0
            ? Space.Try("h" + i, ("a", 1), ("b", 1)).Code == Code.Ok
            : Space.Try("h" + i, ("b", 1), ("a", 1)).Code == Code.Ok);

        held.ShouldBe(3);
        Space.Buckets("a").ShouldBe((0, 3, 0));
        Space.Buckets("b").ShouldBe((0, 3, 0));
    }

    [Fact]
    public void E17_FinishedIdForgotten_LateRetryIsTooOld_NotHeldTwice()
    {
        long issued = Space.Now;
        Space.TryWith("h", "ann", 0, issued, ("sku", 3));
        Space.Confirm("h");
        Space.Pass(Options.RetentionMs);
        Space.Machine.KnownHolds.ShouldBe(1, "at the retention itself it is still known");
        Space.TryWith("h", "ann", 0, issued, ("sku", 3)).Code.ShouldBe(Code.Confirmed);

        Space.Pass(1);

        Space.Machine.KnownHolds.ShouldBe(0);
        Space.TryWith("h", "ann", 0, issued, ("sku", 3)).Code.ShouldBe(Code.TooOld);
        Space.Buckets("sku").ShouldBe((7, 0, 3));
    }

    [Fact]
    public void E17_WhatAForgottenHoldConsumed_StaysConsumed_AndStaysInTheOwnersLimit()
    {
        Space.Put("sku", new ResourcePolicy { LimitPerOwner = 3 });
        Space.TryAs("h", "ann", ("sku", 3));
        Space.Confirm("h");
        Space.Pass(Options.RetentionMs + 1);

        Space.Buckets("sku").ShouldBe((7, 0, 3));
        Answer answer = Space.TryAs("h2", "ann", ("sku", 1));
        (answer.Code, answer.Available).ShouldBe((Code.LimitExceeded, 0));
        answer.Detail.ShouldBeNull("the hold that stood in the way has been forgotten");
        Space.Return("h", "r", ("sku", 1)).Code.ShouldBe(Code.NotFound);
    }

    [Fact]
    public void E17_ALiveHold_IsNeverForgotten()
    {
        Options = Options with { RetentionMs = 1_000 };
        Space.TryWith("h", "ann", 3_600_000, 0, ("sku", 3));

        Space.Pass(3_000_000);

        Space.Get("h").State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public void E18_AThousandMovesOnOneId_LeaveOneOutcome()
    {
        var random = new Random(18);
        Space.Try("h", ("sku", 3));
        var final = new HashSet<HoldState>();
        for (int i = 0; i < 1_000; i++)
        {
            Answer answer = random.Next(3) switch
            {
                0 => Space.Try("h", ("sku", 3)),
                1 => Space.Confirm("h"),
                _ => Space.Cancel("h"),
            };
            HoldState state = Space.Peek("h").State;
            if (state != HoldState.Held)
            {
                final.Add(state);
            }

            answer.Code.ShouldBeOneOf(Code.Ok, Code.Confirmed, Code.Cancelled);
        }

        HoldState outcome = final.ShouldHaveSingleItem();
        Space.Buckets("sku").ShouldBe(outcome == HoldState.Confirmed ? (7, 0, 3) : (10, 0, 0));
    }
}

namespace Holdfast.Kernel.Tests.Transactions;

public class TransactionEdgeCases : TransactionScenario
{
    public TransactionEdgeCases() => Space.Stock("sku", 10);

    [Fact]
    public void E68_ConfirmFailsManyTimesThenSucceeds_OthersAreNotHeldUp()
    {
        Submit("t", Tcc("bad"), Tcc("good"));
        Run(c => c.Op == CallOp.Confirm && c.Branch == "bad" ? CallOutcome.Unknown : CallOutcome.Done).ShouldBe("bad.Try good.Try bad.Confirm good.Confirm");
        States("t").ShouldBe("Confirming: bad=Confirming good=Confirmed");

        for (int attempt = 2; attempt <= 20; attempt++)
        {
            Space.Now += 1_000;
            DueCall call = One();
            (call.Branch, call.Op, call.Attempt, call.Failures).ShouldBe(("bad", CallOp.Confirm, attempt, attempt - 1));
            Say(call, CallOutcome.Unknown);
        }

        Space.Now += 1_000;
        Run().ShouldBe("bad.Confirm");
        States("t").ShouldBe("Confirmed: bad=Confirmed good=Confirmed");
        View("t").EndedAtMs.ShouldBe(Space.Now);
    }

    [Fact]
    public void E71_BranchRegisteredAfterTheDecision_IsRefusedByTheDecision()
    {
        Begin("yes", Tcc("a"));
        Commit("yes").Code.ShouldBe(Code.Ok);
        Register("yes", Tcc("b")).Code.ShouldBe(Code.Confirmed);
        Begin("no", Tcc("a"));
        Abort("no").Code.ShouldBe(Code.Ok);
        Register("no", Tcc("b")).Code.ShouldBe(Code.Cancelled);

        View("yes").Branches.Count.ShouldBe(1);
        View("no").Branches.Count.ShouldBe(1);
    }

    [Fact]
    public void E72_DoubleSubmitOfOneId_IsOneTransaction_AnotherBodyIsAConflict()
    {
        Submit("t", Tcc("a"), Hold("stock", "sku", 1)).Repeat.ShouldBeFalse();
        TakeDue().Count.ShouldBe(1);

        Submit("t", Tcc("a"), Hold("stock", "sku", 1)).Repeat.ShouldBeTrue();
        Space.LastEvents.ShouldBeEmpty();
        Due().ShouldBeEmpty("nothing is called twice for it");
        Submit("t", Tcc("a"), Hold("stock", "sku", 2)).Code.ShouldBe(Code.Conflict);
        Begin("t", Tcc("a"), Hold("stock", "sku", 1)).Code.ShouldBe(Code.Conflict);
    }

    [Fact]
    public void E73_MessageWhoseSubmitIsLost_IsSettledByItsCheckBack()
    {
        foreach ((string id, CallOutcome said, string ends) in new[] { ("done", CallOutcome.Done, "Confirmed"), ("not", CallOutcome.Refused, "Cancelled") })
        {
            Space.Decide(new BeginTransaction(Space.Hasher, id, [Deliver("ship")], callerDriven: true, timeoutMs: 5_000, checkBack: new CallSpec("http://shop/check")));
            Space.Pass(4_999);
            Due().ShouldBeEmpty("the sender still has time");
            Space.Pass(1);

            DueCall first = One();
            (first.Op, first.Branch, first.Call.Url).ShouldBe((CallOp.Check, "-", "http://shop/check"));
            Say(first, CallOutcome.Later);
            Due().ShouldBeEmpty();
            Space.Pass(1_000);
            Say(One(), said);
            Run();

            View(id).State.ToString().ShouldBe(ends);
        }
    }

    [Fact]
    public void E73_SubmitThatComesWhileTheSenderIsAsked_Counts()
    {
        Space.Decide(new BeginTransaction(Space.Hasher, "m", [Deliver("ship")], callerDriven: true, timeoutMs: 5_000, checkBack: new CallSpec("http://shop/check")));
        Space.Pass(5_000);
        DueCall asked = One();

        Commit("m").Code.ShouldBe(Code.Ok);
        Say(asked, CallOutcome.Refused).Repeat.ShouldBeTrue("it was decided before");
        Run().ShouldBe("ship.Confirm");
        View("m").State.ShouldBe(TransactionState.Confirmed);
    }

    [Fact]
    public void E75_SagaStepRefused_OnlyTheFinishedOnesAreUndone_InReverse()
    {
        Submit("t", Step("a"), Step("b"), Step("c"), Step("d"));

        Run(c => c is { Branch: "c", Op: CallOp.Try } ? CallOutcome.Refused : CallOutcome.Done).ShouldBe("a.Try b.Try c.Try b.Cancel a.Cancel");
        States("t").ShouldBe("Cancelled: a=Cancelled b=Cancelled c=Cancelled d=Cancelled");
        (View("t").ReasonCode, View("t").Branches[3].Call.Attempts).ShouldBe(("refused", 0));
    }

    [Fact]
    public void E75_SagaStepThatMayHaveRun_IsUndoneToo()
    {
        Submit("t", Step("a"), Step("b"), Step("c"));
        Run(c => c.Branch == "b" ? CallOutcome.Unknown : CallOutcome.Done).ShouldBe("a.Try b.Try");
        Abort("t");

        Run().ShouldBe("b.Cancel a.Cancel");
        States("t").ShouldBe("Cancelled: a=Cancelled b=Cancelled c=Cancelled");
    }

    [Fact]
    public void E75_StepRefusedAfterAnAttemptThatNobodyAnswered_IsUndoneToo_ForThatOneMayStillArrive()
    {
        Submit("t", Step("a"), Step("b"));
        Run(c => c.Branch == "b" ? CallOutcome.Unknown : CallOutcome.Done).ShouldBe("a.Try b.Try");
        Space.Pass(1_000);
        Run(c => c is { Branch: "b", Op: CallOp.Try } ? CallOutcome.Refused : CallOutcome.Done).ShouldBe("b.Try b.Cancel a.Cancel");
        States("t").ShouldBe("Cancelled: a=Cancelled b=Cancelled");
        View("t").ReasonCode.ShouldBe("refused");
    }

    [Fact]
    public void E75_StepRefusedAfterARestart_IsUndoneToo_ForTheProcessBeforeMayHaveSentIt()
    {
        Submit("t", Step("a"), Step("b"));
        Say(One(), CallOutcome.Done);
        One().Branch.ShouldBe("b", "sent, and then the process dies");

        SpaceMachine restarted = Ending.Replay(Space.Batches, Options);
        var output = new EventBuffer();
        restarted.Tidy(Space.Now, output);
        DueCall again = restarted.TakeDueCall(Space.Now).ShouldNotBeNull();
        (again.Branch, again.Op, again.Attempt).ShouldBe(("b", CallOp.Try, 1));
        restarted.Decide(new AnswerCall(Space.Hasher, again, CallOutcome.Refused, "409", 0), Space.Now, output);

        restarted.TakeDueCall(Space.Now).ShouldNotBeNull().ShouldSatisfyAllConditions(c => c.Branch.ShouldBe("b"), c => c.Op.ShouldBe(CallOp.Cancel));
    }

    [Fact]
    public void E75_AnUndoThatFails_KeepsThoseBeforeItWaiting()
    {
        Submit("t", Step("a"), Step("b"), Step("c"));
        Run(c => (c.Branch, c.Op) switch
        {
            ("c", CallOp.Try) => CallOutcome.Refused,
            ("b", CallOp.Cancel) => CallOutcome.Unknown,
            _ => CallOutcome.Done,
        }).ShouldBe("a.Try b.Try c.Try b.Cancel");

        Space.Pass(1_000);
        Run().ShouldBe("b.Cancel a.Cancel");
        View("t").State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public void E75_StepsAreUndoneInReverse_WhateverStandsBetweenThem()
    {
        foreach (BranchSpec between in new[] { Hold("x", "sku", 1), Tcc("x"), Step("x") with { Cancel = null }, Deliver("x") })
        {
            string id = "t" + Space.Batches.Count;
            Submit(id, Step("a"), between, Step("c"), Step("d"));

            Run(c => c is { Branch: "d", Op: CallOp.Try } ? CallOutcome.Refused : CallOutcome.Done)
                .Replace("x.Try ", "", StringComparison.Ordinal).Replace("x.Cancel ", "", StringComparison.Ordinal)
                .ShouldBe("a.Try c.Try d.Try c.Cancel a.Cancel");
            View(id).State.ShouldBe(TransactionState.Cancelled);
        }
    }

    [Fact]
    public void E75_AStepInTheMiddleThatIsForced_DoesNotLetThoseBeforeItOvertakeThoseBehindIt()
    {
        Submit("t", Step("a"), Step("b"), Step("c"), Step("d"));
        Run(c => (c.Branch, c.Op) switch
        {
            ("d", CallOp.Try) => CallOutcome.Refused,
            ("c", CallOp.Cancel) => CallOutcome.Unknown,
            _ => CallOutcome.Done,
        }).ShouldBe("a.Try b.Try c.Try d.Try c.Cancel");
        Space.Decide(new ForceTransaction(Space.Hasher, "t", "undone by hand", "b", null, dryRun: false)).Code.ShouldBe(Code.Ok);

        Due().ShouldBeEmpty("the undo of c isn't done");
        Space.Pass(1_000);
        Run().ShouldBe("c.Cancel a.Cancel");
        View("t").State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public void E75_AnUndoAnsweredBeforeItsTurn_AsOlderJournalsHaveIt_IsTakenAsItIs()
    {
        Submit("t", Step("a"), Step("b"));
        DueCall first = One();
        Say(first, CallOutcome.Done);
        One().Branch.ShouldBe("b");
        Abort("t");

        Say(first with { Op = CallOp.Cancel }, CallOutcome.Done).Repeat.ShouldBeFalse();
        States("t").ShouldBe("Cancelling: a=Cancelled b=Cancelling");
        StateText.Of(Ending.Replay(Space.Batches, Options)).ShouldBe(StateText.Of(Space.Machine));
        Run().ShouldBe("b.Cancel");
        View("t").State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public void E76_BranchWhosePredecessorFailed_NeverRuns()
    {
        Submit("t", Step("left"), Step("right"), Step("join", "left", "right"), Step("alone") with { After = [] });

        Run(c => c is { Branch: "right", Op: CallOp.Try } ? CallOutcome.Refused : CallOutcome.Done)
            .ShouldBe("left.Try right.Try alone.Try left.Cancel alone.Cancel");
        View("t").Branches[2].Call.Attempts.ShouldBe(0);
        View("t").Branches[2].State.ShouldBe(BranchState.Cancelled);
    }

    [Fact]
    public void E80_DeadlinePassesWhileATryIsInFlight_ItIsCancelled_AndItsLateAnswerChangesNothing()
    {
        Space.Decide(new BeginTransaction(Space.Hasher, "t", [Hold("stock", "sku", 3), Tcc("points")], timeoutMs: 5_000));
        DueCall inFlight = One();
        Space.Buckets("sku").ShouldBe((7, 3, 0));
        Space.Pass(5_000);

        States("t").ShouldBe("Cancelling: stock=Cancelled points=Cancelling");
        Space.Buckets("sku").ShouldBe((10, 0, 0));
        DueCall undo = One();
        (undo.Branch, undo.Op).ShouldBe(("points", CallOp.Cancel));
        Say(inFlight, CallOutcome.Done).Repeat.ShouldBeTrue();
        States("t").ShouldBe("Cancelling: stock=Cancelled points=Cancelling");
        Say(undo, CallOutcome.Done);
        (View("t").State, View("t").ReasonCode).ShouldBe((TransactionState.Cancelled, "expired"));
        Commit("t").Code.ShouldBe(Code.Cancelled);
    }
}

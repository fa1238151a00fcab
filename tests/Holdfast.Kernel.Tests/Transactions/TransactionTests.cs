namespace Holdfast.Kernel.Tests.Transactions;

public class TransactionTests : TransactionScenario
{
    public TransactionTests() => Space.Stock("sku", 10);

    [Fact]
    public void BuiltInHoldsAlone_AreDecidedAndEndedInTheirOneCommand()
    {
        TransactionView view = Submit("t", Hold("a", "sku", 1), Hold("b", "sku", 2)).Detail.ShouldBeOfType<TransactionView>();

        view.State.ShouldBe(TransactionState.Confirmed);
        Space.Buckets("sku").ShouldBe((7, 0, 3));
        Space.Peek("t:a").State.ShouldBe(HoldState.Confirmed);
        Space.Machine.OpenTransactions.ShouldBe(0);
    }

    [Fact]
    public void BuiltInHoldThatDoesNotFit_AbortsAll_AndSaysWhy()
    {
        TransactionView view = Submit("t", Hold("a", "sku", 4), Hold("b", "sku", 7)).Detail.ShouldBeOfType<TransactionView>();

        (view.State, view.ReasonCode).ShouldBe((TransactionState.Cancelled, "insufficient"));
        view.ReasonText!.ShouldContain("asked 7 available 6");
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Fact]
    public void BuiltInHold_WaitsForThoseBeforeIt_AndIsReleasedWhenALaterOneRefuses()
    {
        Submit("t", Tcc("first"), Hold("stock", "sku", 2), Tcc("last"));
        Space.Buckets("sku").ShouldBe((10, 0, 0));
        Say(One(), CallOutcome.Done);
        Space.Buckets("sku").ShouldBe((8, 2, 0));
        Say(One(), CallOutcome.Refused);

        Space.Buckets("sku").ShouldBe((10, 0, 0));
        Run().ShouldBe("first.Cancel");
        View("t").State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public void HoldThatWasThereBefore_IsNotTakenOver()
    {
        Space.TryAs("t:stock", "ann", ("sku", 2));

        View2(Submit("t", Hold("stock", "sku", 2))).ReasonCode.ShouldBe("conflict");
        Space.Peek("t:stock").State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public void WithoutAfter_BranchesAreTriedInTheirOrder_WithAny_AsAGraph()
    {
        Submit("list", Tcc("a"), Tcc("b"));
        Due().ShouldBe("a.Try#1");
        Submit("graph", Tcc("c", "d"), Tcc("d"), Tcc("e"));
        Due().ShouldBe("d.Try#1 e.Try#1");
    }

    [Fact]
    public void CallerDriven_NothingIsTriedForTheCaller_CommitConfirmsAll()
    {
        Begin("t");
        Register("t", Tcc("points")).Code.ShouldBe(Code.Ok);
        Register("t", Hold("stock", "sku", 2)).Code.ShouldBe(Code.Ok);
        Register("t", Tcc("points")).Repeat.ShouldBeTrue();
        Register("t", Step("points")).Code.ShouldBe(Code.Conflict);
        Due().ShouldBeEmpty();
        Space.Buckets("sku").ShouldBe((8, 2, 0));

        Commit("t").Repeat.ShouldBeFalse();
        Commit("t").Repeat.ShouldBeTrue();
        Abort("t").Code.ShouldBe(Code.Confirmed);
        Run().ShouldBe("points.Confirm");
        Space.Buckets("sku").ShouldBe((8, 0, 2));
        States("t").ShouldBe("Confirmed: points=Confirmed stock=Confirmed");
    }

    [Fact]
    public void CallerDriven_AHoldThatIsRefused_LeavesTheTransactionAsItWas()
    {
        Begin("t");
        Register("t", Hold("stock", "sku", 11)).Code.ShouldBe(Code.Insufficient);
        Space.LastEvents.ShouldBeEmpty();
        View("t").Branches.ShouldBeEmpty();
        Register("t", Hold("stock", "sku", 10)).Code.ShouldBe(Code.Ok);
    }

    [Fact]
    public void CallerDriven_PastTheDeadline_CommitIsRefusedCancelled()
    {
        Begin("t", Tcc("a"));
        Space.Now += 60_000; // the sweep hasn't come yet

        Commit("t").Code.ShouldBe(Code.Cancelled);
        Run().ShouldBe("a.Cancel");
        View("t").ReasonCode.ShouldBe("expired");
    }

    [Fact]
    public void CommitWhoseHoldIsGone_AbortsInstead()
    {
        Begin("t", new BranchSpec("stock") { Hold = new HoldSpec(null, 1_000, [new("sku", 1)]) }, Tcc("a"));
        Space.Pass(1_000);

        Commit("t").Code.ShouldBe(Code.Cancelled);
        View("t").ReasonCode.ShouldBe("expired");
        Run().ShouldBe("a.Cancel");
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Fact]
    public void RefusedConfirm_IsStuckAtOnce_ARetryAsksAgain()
    {
        Submit("t", Tcc("a"), Tcc("b"));
        Run(c => c is { Branch: "a", Op: CallOp.Confirm } ? CallOutcome.Refused : CallOutcome.Done);
        (View("t").IsStuck, View("t").Branches[0].Call.IsStuck, View("t").Branches[1].State).ShouldBe((true, true, BranchState.Confirmed));
        Space.Pass(3_600_000);
        Due().ShouldBeEmpty("a stuck call waits for an operator");

        Space.Decide(new RetryTransaction(Space.Hasher, "t", null)).Code.ShouldBe(Code.Ok);
        Run().ShouldBe("a.Confirm");
        (View("t").State, View("t").IsStuck).ShouldBe((TransactionState.Confirmed, false));
    }

    [Fact]
    public void TooManyFailures_MakeAConfirmStuck_AndAbortATry()
    {
        Submit("t", Tcc("a"));
        Say(One(), CallOutcome.Done);
        for (int i = 0; i < new TransactionOptions().MaxFailures; i++)
        {
            Space.Now += 1;
            Say(One(), CallOutcome.Unknown, retryMs: 1);
        }

        View("t").IsStuck.ShouldBeTrue();
        Space.Decide(new BeginTransaction(Space.Hasher, "u", [Tcc("a")], timeoutMs: 3_600_000));
        for (int i = 0; i < new TransactionOptions().MaxFailures; i++)
        {
            Space.Now += 1;
            Say(TakeDue().Single(c => c.Transaction == "u"), CallOutcome.Unknown, retryMs: 1);
        }

        (View("u").State, View("u").ReasonCode).ShouldBe((TransactionState.Cancelling, "attempts"));
    }

    [Fact]
    public void Force_SaysFirstWhatItWouldDo_ThenCountsTheStuckBranchAsDone()
    {
        Submit("t", Step("a"), Step("b"));
        Run(c => (c.Branch, c.Op) switch
        {
            ("b", CallOp.Try) => CallOutcome.Refused,
            ("a", CallOp.Cancel) => CallOutcome.Refused,
            _ => CallOutcome.Done,
        });

        var dry = Space.Decide(new ForceTransaction(Space.Hasher, "t", "paid back by hand", null, null, dryRun: true)).Detail.ShouldBeOfType<TransactionView>();
        Space.LastEvents.ShouldBeEmpty();
        dry.WouldDo!.ShouldHaveSingleItem().ShouldContain("count branch 'a' as cancelled");
        Space.Decide(new ForceTransaction(Space.Hasher, "t", "paid back by hand", null, null, dryRun: false)).Code.ShouldBe(Code.Ok);
        States("t").ShouldBe("Cancelled: a=Cancelled b=Cancelled");
        View("t").Branches[0].Call.LastAnswer.ShouldBe("forced: paid back by hand");
        Space.Decide(new ForceTransaction(Space.Hasher, "t", " ", null, null, dryRun: false)).Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void Force_DecidesForACallerThatDoesNot_ButNeverCommitsWhatIsNotTried()
    {
        Submit("whole", Tcc("a"));
        Space.Decide(new ForceTransaction(Space.Hasher, "whole", "r", null, commit: true, dryRun: false)).Code.ShouldBe(Code.Conflict);
        Space.Decide(new ForceTransaction(Space.Hasher, "whole", "r", null, commit: false, dryRun: false)).Code.ShouldBe(Code.Ok);
        View("whole").ReasonCode.ShouldBe("forced");
        Begin("caller", Tcc("a"));
        Space.Decide(new ForceTransaction(Space.Hasher, "caller", "r", null, commit: true, dryRun: false)).Code.ShouldBe(Code.Ok);
        States("caller").ShouldBe("Confirming: a=Confirming");
        Space.Decide(new ForceTransaction(Space.Hasher, "caller", "r", null, commit: false, dryRun: false)).Code.ShouldBe(Code.Confirmed);
    }

    [Fact]
    public void Force_OfABranchThatHasEnded_SaysSo_ThoughAnotherIsStuck()
    {
        Submit("t", Tcc("a"), Tcc("b"));
        Run(c => c is { Branch: "b", Op: CallOp.Confirm } ? CallOutcome.Refused : CallOutcome.Done);

        var dry = Space.Decide(new ForceTransaction(Space.Hasher, "t", "r", "a", null, dryRun: true)).Detail.ShouldBeOfType<TransactionView>();
        dry.WouldDo!.ShouldHaveSingleItem().ShouldBe("nothing: branch 'a' is confirmed already");
        Submit("u", Tcc("a"));
        dry = Space.Decide(new ForceTransaction(Space.Hasher, "u", "r", "a", null, dryRun: true)).Detail.ShouldBeOfType<TransactionView>();
        dry.WouldDo!.ShouldHaveSingleItem().ShouldBe("nothing: branch 'a' is in phase one; name a decision to end phase one");
    }

    [Fact]
    public void HoldPartlyConsumedOutside_GivesTheRestBack_AndWaitsForAPerson()
    {
        Begin("t", Hold("stock", "sku", 5));
        Space.ConfirmKeeping("t:stock", ("sku", 2)).Code.ShouldBe(Code.Ok);
        Abort("t").Code.ShouldBe(Code.Ok);

        View("t").IsStuck.ShouldBeTrue();
        Space.Buckets("sku").ShouldBe((8, 0, 2));
        Space.Decide(new RetryTransaction(Space.Hasher, "t", null));
        View("t").IsStuck.ShouldBeTrue("the two units are still consumed");

        Space.Return("t:stock", "r", ("sku", 2)).Code.ShouldBe(Code.Ok);
        Space.Decide(new RetryTransaction(Space.Hasher, "t", null));
        (View("t").State, View("t").IsStuck).ShouldBe((TransactionState.Cancelled, false));
        Space.Buckets("sku").ShouldBe((10, 0, 0));
    }

    [Fact]
    public void HoldPartlyConsumedOutside_ThenExpired_WaitsForAPersonToo()
    {
        Begin("t", new BranchSpec("stock") { Hold = new HoldSpec(null, 1_000, [new("sku", 5)]) });
        Space.ConfirmKeeping("t:stock", ("sku", 2));
        Space.Pass(1_000);
        Commit("t").Code.ShouldBe(Code.Cancelled);

        View("t").IsStuck.ShouldBeTrue();
        Space.Buckets("sku").ShouldBe((8, 0, 2));
    }

    [Fact]
    public void HoldOfAMessage_OutlivesTheDeadline_SinceTheCheckBackDecides()
    {
        Space.Decide(new BeginTransaction(Space.Hasher, "m", [Hold("stock", "sku", 1), Deliver("ship")], callerDriven: true, timeoutMs: 5_000, checkBack: new CallSpec("http://shop/check")));
        Space.Pass(600_000);
        Say(One(), CallOutcome.Done);
        Run();
        States("m").ShouldBe("Confirmed: stock=Confirmed ship=Confirmed");
    }

    [Fact]
    public void AnswerOfAnEarlierAttempt_ChangesNothing()
    {
        Submit("t", Tcc("a"));
        DueCall first = One();
        Say(first, CallOutcome.Unknown);
        Space.Now += 1_000;
        DueCall second = One();

        Say(first, CallOutcome.Refused).Repeat.ShouldBeTrue();
        Space.LastEvents.ShouldBeEmpty();
        Say(second, CallOutcome.Done).Repeat.ShouldBeFalse();
    }

    [Fact]
    public void CallThatWasHandedOut_IsDueAgainAfterARestart()
    {
        Submit("t", Tcc("a"));
        Due().ShouldBe("a.Try#1");
        Due().ShouldBeEmpty();

        SpaceMachine replayed = Ending.Replay(Space.Batches, Space.Machine.Options);
        replayed.TakeDueCall(Space.Now)!.Attempt.ShouldBe(1);
        SpaceMachine restored = Ending.Restore(Space.Machine);
        restored.TakeDueCall(Space.Now)!.Branch.ShouldBe("a");
    }

    [Fact]
    public void Watermark_IsTheOldestOpenTransactionsBeginning()
    {
        long begun = Space.Now;
        Submit("old", Tcc("a"));
        Space.Now += 10;
        Submit("young", Tcc("b"));
        List<DueCall> calls = TakeDue();
        calls.ShouldAllBe(c => c.WatermarkMs == begun);
        Say(calls[0], CallOutcome.Refused);

        Say(calls[1], CallOutcome.Done);
        DueCall confirm = One();
        (confirm.BegunMs, confirm.WatermarkMs).ShouldBe((begun + 10, begun + 10));
    }

    [Fact]
    public void EndedOnes_AreForgottenAfterTheRetention_AndATooOldBeginIsRefused()
    {
        long issued = Space.Now;
        Submit("t", Hold("a", "sku", 1));
        Space.Pass(24 * 3_600_000);
        Get("t").Code.ShouldBe(Code.Ok);
        Space.Pass(1_000);
        Get("t").Code.ShouldBe(Code.NotFound);
        Space.Decide(new BeginTransaction(Space.Hasher, "t", [Hold("a", "sku", 1)], issuedAtMs: issued)).Code.ShouldBe(Code.TooOld);
        Space.Machine.KnownTransactions.ShouldBe(0);
    }

    [Fact]
    public void Lists_GoByStateAndPage_InTheOrderOfBeginning()
    {
        for (int i = 0; i < 5; i++)
        {
            Submit("open" + i, Tcc("a"));
            Submit("done" + i, Hold("a", "sku", 1));
        }

        List(TransactionState.Confirmed, null, 2).ShouldBe("done0 done1 next=done1");
        List(TransactionState.Confirmed, "done1", 10).ShouldBe("done2 done3 done4 next=");
        List(TransactionState.Trying, "open3", 10).ShouldBe("open4 next=");
        List(null, null, 3).ShouldBe("open0 done0 open1 next=open1");
    }

    [Fact]
    public void Lists_PassOverWhatIsForgotten_HoweverMuchItIs()
    {
        Submit("old", Tcc("a"));
        Run(c => c.Op == CallOp.Confirm ? CallOutcome.Refused : CallOutcome.Done);
        for (int i = 0; i < 21_000; i++)
        {
            Submit("gone" + i, Hold("a", "none", 1));
        }

        Space.Pass(25 * 3_600_000);
        Submit("young", Hold("a", "sku", 1));
        Submit("stuck", Tcc("a"));
        Run(c => c.Op == CallOp.Confirm ? CallOutcome.Refused : CallOutcome.Done);

        List(null, null, 10).ShouldBe("old young stuck next=");
        List(TransactionState.Confirmed, null, 10).ShouldBe("young next=");
        var page = Space.Decide(new ListTransactions(Space.Hasher, null, stuck: true, null, 1)).Detail.ShouldBeOfType<TransactionPage>();
        (page.Transactions.Single().Id, page.Next).ShouldBe(("old", "old"));
        page = Space.Decide(new ListTransactions(Space.Hasher, null, stuck: true, page.Next, 1)).Detail.ShouldBeOfType<TransactionPage>();
        (page.Transactions.Single().Id, page.Next).ShouldBe(("stuck", null));
    }

    [Fact]
    public void BodiesThatMeanNothing_AreInvalid_AndKeepNothing()
    {
        Submit("t").Code.ShouldBe(Code.Invalid);
        Submit("t", new BranchSpec("a")).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a:b")).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a"), Tcc("a")).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a", "b"), Tcc("b", "a")).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a", "nobody")).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a") with { Try = new CallSpec("ftp://a/") }).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a") with { Try = new CallSpec("http://a/", default, [new("Webhook-Id", "1")], 0) }).Code.ShouldBe(Code.Invalid);
        Submit("t", Tcc("a") with { Hold = new HoldSpec(null, 0, []) }).Code.ShouldBe(Code.Invalid);
        Submit("t", [.. Enumerable.Range(0, 65).Select(i => Tcc("b" + i))]).Code.ShouldBe(Code.Invalid);
        Submit(".", Tcc("a")).Code.ShouldBe(Code.Invalid, "no path can name it");
        Begin("..").Code.ShouldBe(Code.Invalid);
        foreach (string hop in new[] { "TE", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization" })
        {
            Submit("t", Tcc("a") with { Try = new CallSpec("http://a/", default, [new(hop, "1")], 0) }).Code.ShouldBe(Code.Invalid, hop);
        }

        Commit("t").Code.ShouldBe(Code.NotFound);
        Space.Machine.KnownTransactions.ShouldBe(0);
    }

    [Fact]
    public void CallThatWasHandedOut_IsTakenBack_WhenNobodyAsksForItAnyMore()
    {
        Submit("aborted", Tcc("a"));
        Submit("late", Tcc("a"));
        Submit("answered", Tcc("a"));
        Submit("forced", Deliver("a"));
        Begin("message", Tcc("a"));
        Submit("open", Tcc("a"));
        Space.Decide(new BeginTransaction(Space.Hasher, "checked", [Deliver("a")], callerDriven: true, timeoutMs: 1, checkBack: new CallSpec("http://shop/check")));
        Space.Now += 1;
        Dictionary<string, DueCall> calls = TakeDue().ToDictionary(c => c.Transaction);
        calls.Values.ShouldAllBe(c => c.IsAwaited);

        Abort("aborted");
        Say(calls["answered"], CallOutcome.Later);
        Space.Decide(new ForceTransaction(Space.Hasher, "forced", "r", "a", null, dryRun: false));
        Commit("checked");
        calls.Where(c => c.Value.IsAwaited).Select(c => c.Key).ShouldBe(["late", "open"], ignoreOrder: true);
        DueCall undo = TakeDue().Single(c => c.Op == CallOp.Cancel);
        (undo.Transaction, undo.IsAwaited).ShouldBe(("aborted", true));

        SpaceMachine machine = Ending.Restore(Space.Machine);
        DueCall last = machine.TakeDueCall(Space.Now).ShouldNotBeNull();
        machine.Dispose();
        last.IsAwaited.ShouldBeFalse("another machine hands it out again");
        Space.Pass(60_000);
        calls["late"].IsAwaited.ShouldBeFalse();
    }

    [Fact]
    public void HoldThatCouldNeverBeMade_IsInvalid_AndNobodyIsCalled()
    {
        string longName = new('o', 200);
        HoldSpec[] wrong =
        [
            new(null, 0, []),
            new(null, 0, [new("sku", 0)]),
            new(null, 0, [new("sku", -1)]),
            new(null, 0, [new("sku", Quantity.Max), new("sku", Quantity.Max)]),
            new(null, 0, [new("", 1)]),
            new(null, 0, [new(longName, 1)]),
            new(null, 0, [.. Enumerable.Range(0, 65).Select(_ => KeyValuePair.Create("sku", 1L))]),
            new(longName, 0, [new("sku", 1)]),
            new(null, long.MaxValue, [new("sku", 1)]),
        ];
        Begin("begun", Tcc("a"));
        foreach (HoldSpec hold in wrong)
        {
            var branch = new BranchSpec("stock") { Hold = hold };
            Submit("t", Tcc("a"), branch).Code.ShouldBe(Code.Invalid, hold.ToString());
            Register("begun", branch).Code.ShouldBe(Code.Invalid, hold.ToString());
        }

        Due().ShouldBeEmpty();
        Get("t").Code.ShouldBe(Code.NotFound);
        View("begun").Branches.Count.ShouldBe(1);
    }

    private static TransactionView View2(Answer answer) => answer.Detail.ShouldBeOfType<TransactionView>();

    private string List(TransactionState? state, string? after, int limit)
    {
        var page = Space.Decide(new ListTransactions(Space.Hasher, state, false, after, limit)).Detail.ShouldBeOfType<TransactionPage>();
        return string.Join(' ', page.Transactions.Select(t => t.Id)) + " next=" + page.Next;
    }
}

using System.Text;

namespace Holdfast.Kernel;

/// <summary>Decides what is asked of transactions, and what their deadlines and answers make of them.</summary>
internal sealed class TransactionDecisions(TransactionBook book, TransactionSink output, BranchHolds holds, TransactionOptions options)
{
    /// <summary>The first transaction that begins in this process; null: none is served yet. What was sent for those before it is not known here.</summary>
    private long? _servesFrom;

    public Answer Begin(BeginTransaction command, long nowMs)
    {
        if (command.IssuedAtMs > 0 && nowMs - command.IssuedAtMs > options.RetentionMs)
        {
            return Answer.Refused(Code.TooOld, "issuedAt is older than the retention: whether it was executed can't be known any more");
        }

        if (book.Find(command.TransactionId) is { } known)
        {
            return known.Fingerprint == command.Fingerprint
                ? Done(known, repeat: true)
                : Answer.Refused(Code.Conflict, "this id is known with another timeout, mode or other branches");
        }

        if (book.Open >= options.MaxOpen)
        {
            return Answer.Refused(Code.Overloaded, $"{book.Open} transactions are open: not executed, try again later");
        }

        output.Begun(command, nowMs + (command.TimeoutMs > 0 ? command.TimeoutMs : options.DefaultTimeoutMs));
        Transaction begun = book.Find(command.TransactionId)!;
        if (!CompleteAtOnce(begun, nowMs))
        {
            Advance(begun, nowMs);
        }

        return Done(begun, repeat: false);
    }

    /// <summary>A branch of a caller-driven transaction. A built-in hold that is refused leaves the transaction as it was.</summary>
    public Answer Register(RegisterBranch command, long nowMs)
    {
        if (Touch(command, nowMs) is not { } transaction)
        {
            return Unknown();
        }

        int known = transaction.Find(command.BranchName);
        if (transaction.State != TransactionState.Trying)
        {
            return AlreadyDecided(transaction); // E71
        }

        if (!transaction.CallerDriven)
        {
            return Answer.Refused(Code.Conflict, "this transaction was submitted whole: its branches are fixed");
        }

        if (known >= 0)
        {
            return SameBranch(transaction, known, command)
                ? Done(transaction, repeat: true)
                : Answer.Refused(Code.Conflict, $"branch '{command.BranchName}' is known with another body");
        }

        if (transaction.Branches.Count >= BranchRules.MaxBranches)
        {
            return Answer.Refused(Code.Invalid, "more than 64 branches");
        }

        if ((command.Branch!.After ?? []).FirstOrDefault(name => transaction.Find(name) < 0) is { } missing)
        {
            return Answer.Refused(Code.Invalid, $"branch '{command.BranchName}' is after '{missing}', which is not registered");
        }

        if (command.Branch.Hold is not null)
        {
            // Before the registration, so that a refusal changes nothing.
            var branch = new Branch(command.Branch, []) { HoldId = transaction.Id + ":" + command.BranchName };
            Answer held = holds.Try(transaction, branch, nowMs);
            if (held.Code != Code.Ok)
            {
                return held;
            }
        }

        output.Registered(transaction, command);
        if (command.Branch.Hold is not null)
        {
            output.Answered(transaction, transaction.Branches.Count - 1, CallOp.Try, CallOutcome.Done, "", 0);
        }

        return Done(transaction, repeat: false);
    }

    public Answer Decide(DecideTransaction command, long nowMs)
    {
        if (Touch(command, nowMs) is not { } transaction)
        {
            return Unknown();
        }

        if (transaction.State == TransactionState.Trying)
        {
            if (command.Commit && !transaction.CallerDriven)
            {
                return Answer.Refused(Code.Conflict, "this transaction was submitted whole: it commits by itself when every try is done");
            }

            if (command.Commit)
            {
                Commit(transaction, nowMs);
            }
            else
            {
                output.Decided(transaction, commit: false, "aborted", command.Reason ?? "the caller aborted it");
            }

            Advance(transaction, nowMs);
            return Committed(transaction) == command.Commit ? Done(transaction, repeat: false) : AlreadyDecided(transaction);
        }

        return Committed(transaction) == command.Commit ? Done(transaction, repeat: true) : AlreadyDecided(transaction);
    }

    /// <summary>What a participant said. An answer to what is no longer asked changes nothing.</summary>
    public Answer AnswerCall(AnswerCall command, long nowMs)
    {
        DueCall call = command.Call;
        if (book.Find(call.Transaction) is not { IsOpen: true } transaction || transaction.Number != call.Number || call.BranchIndex >= transaction.Branches.Count)
        {
            return new Answer { Repeat = true };
        }

        Branch? branch = call.BranchIndex < 0 ? null : transaction.Branches[call.BranchIndex];
        CallProgress progress = branch?.Progress ?? transaction.Check;
        bool awaited = branch is null
            ? transaction.State == TransactionState.Trying && call.Op == CallOp.Check
            : !branch.IsFinal && branch.PresentOp == call.Op && branch.PresentCall is not null;
        if (!awaited || progress.Attempts + 1 != call.Attempt || progress.IsStuck)
        {
            return new Answer { Repeat = true };
        }

        long due = command.Outcome switch
        {
            CallOutcome.Later => nowMs + options.LaterMs,
            CallOutcome.Unknown when progress.Failures + 1 < options.MaxFailures => nowMs + Math.Max(1, command.RetryMs),
            _ => 0,
        };
        if (command.Outcome == CallOutcome.Refused && branch is not null && MayRunYet(transaction, branch, call))
        {
            // An earlier request of this try got no usable answer. It may come to its participant yet, and find room: so the
            // branch is cancelled like one that was tried, and the cancel's marker keeps a late try out.
            output.Answered(transaction, call.BranchIndex, call.Op, CallOutcome.Unknown, command.Words + " (an earlier request may still arrive: it is undone too)", 0);
        }
        else
        {
            output.Answered(transaction, call.BranchIndex, call.Op, command.Outcome, command.Words, due);
        }

        if (transaction.State == TransactionState.Trying)
        {
            DecideByAnswer(transaction, call, command, due, nowMs);
        }

        Advance(transaction, nowMs);
        return default;
    }

    /// <summary>Whether a refused try may have been sent before: an attempt that nobody answered, or one of the process before this.</summary>
    private bool MayRunYet(Transaction transaction, Branch branch, DueCall call) =>
        call.Op == CallOp.Try && branch.Spec.Cancel is not null && (call.Attempt > 1 || transaction.Number < _servesFrom);

    public Answer Get(GetTransaction command, long nowMs)
    {
        if (Touch(command, nowMs) is not { } transaction)
        {
            return Unknown();
        }

        return Done(transaction, repeat: false);
    }

    /// <summary>A get that writes nothing, not even an abort that is due.</summary>
    public Answer Peek(GetTransaction command) => book.Find(command.TransactionId) is { } transaction ? Done(transaction, repeat: false) : Unknown();

    public Answer List(ListTransactions command)
    {
        const int lookedAtMax = 20_000;
        bool openOnly = command.Stuck || command.State is TransactionState.Trying or TransactionState.Confirming or TransactionState.Cancelling;
        LinkedList<Transaction> all = openOnly ? book.OpenOnes : book.Known;
        LinkedListNode<Transaction>? at = all.First;
        if (command.After is not null && book.Find(command.After) is { } last)
        {
            at = Behind(last, all, openOnly ? last.InOpen : last.InKnown);
        }

        var page = new List<TransactionView>();
        Transaction? lookedAt = null;
        for (int looked = 0; at is not null && page.Count < command.Limit && looked < lookedAtMax; at = at.Next, looked++)
        {
            lookedAt = at.Value;
            if (Wanted(lookedAt, command))
            {
                page.Add(TransactionViews.Of(lookedAt));
            }
        }

        return new Answer { Detail = new TransactionPage(page, at is null ? null : lookedAt!.Id) };
    }

    /// <summary>Where the next page begins. The last one may have ended since, and then has no place among the open ones any more.</summary>
    private static LinkedListNode<Transaction>? Behind(Transaction last, LinkedList<Transaction> all, LinkedListNode<Transaction>? place)
    {
        if (place is not null)
        {
            return place.Next;
        }

        LinkedListNode<Transaction>? at = all.First;
        while (at is not null && at.Value.Number < last.Number)
        {
            at = at.Next;
        }

        return at;
    }

    public Answer Retry(RetryTransaction command, long nowMs)
    {
        if (Touch(command, nowMs) is not { } transaction)
        {
            return Unknown();
        }

        if (command.Branch is not null && transaction.Find(command.Branch) < 0)
        {
            return Answer.Refused(Code.NotFound, $"no branch '{command.Branch}' in this transaction");
        }

        for (int i = 0; i < transaction.Branches.Count; i++)
        {
            Branch branch = transaction.Branches[i];
            if ((command.Branch is null || branch.Spec.Name == command.Branch) && (branch.Progress.IsStuck || branch.Progress.NextAtMs > nowMs))
            {
                output.Retried(transaction, i);
            }
        }

        if (command.Branch is null && (transaction.Check.IsStuck || (transaction.Check.Attempts > 0 && transaction.Check.NextAtMs > nowMs)))
        {
            output.Retried(transaction, -1);
        }

        Advance(transaction, nowMs);
        return Done(transaction, repeat: false);
    }

    public Answer Force(ForceTransaction command, long nowMs)
    {
        if (Touch(command, nowMs) is not { } transaction)
        {
            return Unknown();
        }

        if (command.Branch is not null && transaction.Find(command.Branch) < 0)
        {
            return Answer.Refused(Code.NotFound, $"no branch '{command.Branch}' in this transaction");
        }

        if (command.Commit is { } commit && transaction.State != TransactionState.Trying && Committed(transaction) != commit)
        {
            return AlreadyDecided(transaction);
        }

        bool decides = command.Commit is not null && transaction.State == TransactionState.Trying;
        if (decides && command.Commit == true && !transaction.CallerDriven)
        {
            // It commits by itself once all are tried; before that there is something that can't be confirmed.
            return Answer.Refused(Code.Conflict, "not every branch is tried, so it can't be committed: abort it, or retry what waits");
        }

        List<int> forced = [.. Enumerable.Range(0, transaction.Branches.Count).Where(i => MayForce(transaction.Branches[i], command.Branch))];
        if (command.DryRun)
        {
            return new Answer { Detail = TransactionViews.Of(transaction) with { WouldDo = WouldDo(transaction, command, decides, forced) } };
        }

        if (decides)
        {
            if (command.Commit == true)
            {
                Commit(transaction, nowMs, command.Reason);
            }
            else
            {
                output.Decided(transaction, commit: false, "forced", command.Reason);
            }
        }

        foreach (int index in forced)
        {
            output.Forced(transaction, index, command.Reason);
        }

        Advance(transaction, nowMs);
        return Done(transaction, repeat: false);
    }

    /// <summary>Aborts what is past its deadline and forgets what ended long ago; bounded.</summary>
    /// <returns>True when the bound was reached, so that more may be due.</returns>
    public bool Tidy(long nowMs)
    {
        _servesFrom ??= book.NextNumber;
        int left = options.MaxSettledPerBatch;
        while (left > 0 && book.Due.TakeDeadline(nowMs) is { } late)
        {
            left--;
            Settle(late, nowMs);
        }

        int forgotten = 0;
        foreach (Transaction ended in book.Ended)
        {
            if (forgotten == options.MaxSettledPerBatch || ended.EndedAtMs + options.RetentionMs >= nowMs)
            {
                break;
            }

            forgotten++;
        }

        if (forgotten > 0)
        {
            output.Forgotten(forgotten);
        }

        return left == 0 || forgotten == options.MaxSettledPerBatch;
    }

    /// <summary>The transaction that a command is about, its deadline settled; null: there is none.</summary>
    private Transaction? Touch(TransactionCommand command, long nowMs)
    {
        Transaction? transaction = book.Find(command.TransactionId);
        if (transaction is not null)
        {
            Settle(transaction, nowMs);
        }

        return transaction;
    }

    /// <summary>
    /// Whoever touches a transaction past its deadline learns what the journal then says: it is aborted. A message isn't:
    /// it is asked.
    /// </summary>
    private void Settle(Transaction transaction, long nowMs)
    {
        if (transaction.State == TransactionState.Trying && transaction.CheckBack is null && transaction.DeadlineMs <= nowMs)
        {
            output.Decided(transaction, commit: false, "expired", "the deadline passed before it was decided");
            Advance(transaction, nowMs);
        }
    }

    /// <summary>What an answer makes of an undecided transaction.</summary>
    private void DecideByAnswer(Transaction transaction, DueCall call, AnswerCall answer, long due, long nowMs)
    {
        switch (answer.Outcome)
        {
            case CallOutcome.Done when call.Op == CallOp.Check:
                Commit(transaction, nowMs);
                break;
            case CallOutcome.Refused when call.Op == CallOp.Check:
                output.Decided(transaction, commit: false, "refused", "the check-back answered that the local work was not done: " + answer.Words);
                break;
            case CallOutcome.Refused:
                output.Decided(transaction, commit: false, "refused", $"branch '{call.Branch}' refused: {answer.Words}");
                break;
            case CallOutcome.Unknown when due == 0 && call.Op == CallOp.Try:
                output.Decided(transaction, commit: false, "attempts", $"branch '{call.Branch}' gave no usable answer to {call.Attempt} attempts: {answer.Words}");
                break;
        }
    }

    /// <summary>Commits, unless a built-in hold is gone: then it aborts, since not all can be confirmed any more.</summary>
    private void Commit(Transaction transaction, long nowMs, string? forcedReason = null)
    {
        foreach (Branch branch in transaction.Branches)
        {
            if (branch.HoldId is not null && holds.Lost(branch, nowMs) is { } lost)
            {
                output.Decided(transaction, commit: false, lost, $"hold {branch.HoldId} was {lost} before the commit");
                return;
            }
        }

        output.Decided(transaction, commit: true, forcedReason is null ? null : "forced", forcedReason);
    }

    /// <summary>The fast path of built-in holds alone: made and consumed here, told by one event in place of one a step.</summary>
    /// <returns>False: it goes on step by step, with the holds that were made so far.</returns>
    private bool CompleteAtOnce(Transaction transaction, long nowMs)
    {
        List<Branch> branches = transaction.Branches;
        for (int i = 0; i < branches.Count; i++)
        {
            if (branches[i].HoldId is null || Array.Exists(branches[i].After, after => after >= i))
            {
                return false;
            }
        }

        if (transaction.CallerDriven)
        {
            return false;
        }

        int made = 0;
        while (made < branches.Count && holds.Try(transaction, branches[made], nowMs).Code == Code.Ok)
        {
            made++;
        }

        if (made < branches.Count)
        {
            for (int i = 0; i < made; i++)
            {
                output.Answered(transaction, i, CallOp.Try, CallOutcome.Done, "", 0);
            }

            return false;
        }

        foreach (Branch branch in branches)
        {
            holds.Confirm(branch, nowMs);
        }

        output.Completed(transaction);
        return true;
    }

    /// <summary>Takes every step that needs no call: built-in holds, the decision when all are tried, the end.</summary>
    private void Advance(Transaction transaction, long nowMs)
    {
        while (transaction.State == TransactionState.Trying && TryHolds(transaction, nowMs))
        {
            // A hold that was made may have let others begin.
        }

        if (transaction is { State: TransactionState.Trying, CallerDriven: false } && transaction.Branches.TrueForAll(static b => b.State == BranchState.Tried))
        {
            Commit(transaction, nowMs);
        }

        if (transaction is { IsOpen: true, State: not TransactionState.Trying })
        {
            FinishHolds(transaction, nowMs);
            if (transaction.Branches.TrueForAll(static b => b.IsFinal))
            {
                output.Ended(transaction);
            }
        }
    }

    /// <returns>Whether one was made.</returns>
    private bool TryHolds(Transaction transaction, long nowMs)
    {
        bool made = false;
        for (int i = 0; i < transaction.Branches.Count; i++)
        {
            Branch branch = transaction.Branches[i];
            if (branch.State != BranchState.Trying || branch.HoldId is null)
            {
                continue;
            }

            Answer answer = holds.Try(transaction, branch, nowMs);
            if (answer.Code != Code.Ok)
            {
                string words = Words(answer);
                output.Answered(transaction, i, CallOp.Try, CallOutcome.Refused, words, 0);
                output.Decided(transaction, commit: false, answer.Code.Text(), $"branch '{branch.Spec.Name}': {words}");
                return false;
            }

            output.Answered(transaction, i, CallOp.Try, CallOutcome.Done, "", 0);
            made = true;
        }

        return made;
    }

    private void FinishHolds(Transaction transaction, long nowMs)
    {
        for (int i = 0; i < transaction.Branches.Count; i++)
        {
            Branch branch = transaction.Branches[i];
            if (branch.HoldId is null || branch.IsFinal || branch.Progress.IsStuck)
            {
                continue;
            }

            if (branch.State == BranchState.Confirming)
            {
                holds.Confirm(branch, nowMs);
                output.Answered(transaction, i, CallOp.Confirm, CallOutcome.Done, "", 0);
            }
            else if (holds.Cancel(branch, nowMs))
            {
                output.Answered(transaction, i, CallOp.Cancel, CallOutcome.Done, "", 0);
            }
            else
            {
                output.Answered(transaction, i, CallOp.Cancel, CallOutcome.Refused, "units of the hold were consumed outside the transaction: give them back with a return, then retry", 0);
            }
        }
    }

    private static bool MayForce(Branch branch, string? named) =>
        branch.State is BranchState.Confirming or BranchState.Cancelling
        && (named is null ? branch.Progress.IsStuck : branch.Spec.Name == named);

    private static List<string> WouldDo(Transaction transaction, ForceTransaction command, bool decides, List<int> forced)
    {
        var words = new List<string>();
        if (decides)
        {
            words.Add(command.Commit == true
                ? "decide to commit: every branch is then confirmed"
                : "decide to abort: every branch that may have run is then cancelled");
        }

        foreach (int index in forced)
        {
            Branch branch = transaction.Branches[index];
            string done = branch.State == BranchState.Confirming ? "confirmed" : "cancelled";
            words.Add($"count branch '{branch.Spec.Name}' as {done} without calling it again (last answer: {branch.Progress.LastAnswer ?? "none"})");
        }

        if (words.Count == 0)
        {
            Branch? named = command.Branch is null ? null : transaction.Branches[transaction.Find(command.Branch)];
            string why = named switch
            {
                null => "no branch is stuck",
                { IsFinal: true } => $"branch '{named.Spec.Name}' is {(named.State == BranchState.Confirmed ? "confirmed" : "cancelled")} already",
                _ => $"branch '{named.Spec.Name}' is in phase one",
            };
            words.Add("nothing: " + why + (transaction.State == TransactionState.Trying ? "; name a decision to end phase one" : ""));
        }

        return words;
    }

    private static bool Wanted(Transaction transaction, ListTransactions command) =>
        (!command.Stuck || transaction.IsStuck)
        && (command.State is not { } state || (transaction.State == state && (command.Stuck || !transaction.IsStuck)));

    private static bool SameBranch(Transaction transaction, int index, RegisterBranch command)
    {
        var known = new EventBuffer(0, 256);
        BranchSpec spec = transaction.Branches[index].Spec;
        BranchCodec.Write(known, spec, afterPrevious: spec.After is null);
        return known.Payload.SequenceEqual(command.Encoded);
    }

    private static bool Committed(Transaction transaction) => transaction.State is TransactionState.Confirming or TransactionState.Confirmed;

    private static Answer AlreadyDecided(Transaction transaction) => Committed(transaction)
        ? Answer.Refused(Code.Confirmed, "the transaction is decided: it commits")
        : Answer.Refused(
            Code.Cancelled,
            "the transaction is decided: it is cancelled" + (transaction.ReasonText is { } why ? $" ({why})" : ""));

    private static Answer Unknown() => Answer.Refused(Code.NotFound, "no transaction with this id");

    private static string Words(in Answer answer)
    {
        string resource = answer.Resource is null ? "" : " " + Encoding.UTF8.GetString(answer.Resource);
        return answer.Code switch
        {
            Code.Insufficient or Code.LimitExceeded => $"{answer.Code.Text()}{resource} asked {answer.Asked} available {answer.Available}",
            _ => answer.Code.Text() + resource + (answer.Detail is string text ? ": " + text : ""),
        };
    }

    private static Answer Done(Transaction transaction, bool repeat) => new() { Repeat = repeat, Detail = TransactionViews.Of(transaction) };
}

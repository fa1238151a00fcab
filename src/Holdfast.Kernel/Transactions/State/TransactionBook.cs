namespace Holdfast.Kernel;

/// <summary>
/// The state of a space's transactions, and the only code that changes it: <see cref="Evolve"/>. What follows from an
/// event by the modes' own rules (who may start, who must be undone before whom) is derived here; what could be decided
/// otherwise is an event.
/// </summary>
internal sealed class TransactionBook(Ledger ledger)
{
    private readonly Dictionary<string, Transaction> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<Transaction> _known = [];
    private readonly LinkedList<Transaction> _open = [];
    private readonly Queue<Transaction> _ended = new();

    /// <summary>When calls are due. Kept beside the state, not part of it.</summary>
    public DueTimes Due { get; } = new();

    /// <summary>Told the ids of those that end or get stuck; not part of the state.</summary>
    public ICollection<string>? Settled { get; set; }

    /// <summary>Told the ids of those that get stuck; not part of the state.</summary>
    public ICollection<string>? NewlyStuck { get; set; }

    public int Open => _open.Count;

    /// <summary>Open ones that wait for an operator.</summary>
    public int Stuck { get; private set; }

    public int Count => _byId.Count;

    public long NextNumber { get; private set; } = 1;

    /// <summary>Those that haven't ended, in the order in which they began.</summary>
    public LinkedList<Transaction> OpenOnes => _open;

    /// <summary>All known ones in that order. Numbers between them may be missing: they are forgotten in the order in which they ended.</summary>
    public LinkedList<Transaction> Known => _known;

    /// <summary>Ended ones, in the order in which they ended.</summary>
    public IReadOnlyCollection<Transaction> Ended => _ended;

    /// <summary>The smallest number that hasn't ended.</summary>
    public long LowestOpen => _open.First?.Value.Number ?? NextNumber;

    /// <summary>The smallest number that is still known.</summary>
    public long LowestKnown => _known.First?.Value.Number ?? NextNumber;

    /// <summary>When the oldest open transaction began; all before it have ended.</summary>
    public long WatermarkMs => _open.First?.Value.CreatedAtMs ?? ledger.LastTimeMs;

    public Transaction? Find(string id) => _byId.GetValueOrDefault(id);

    public void Evolve(TransactionEvent happened, long timeMs)
    {
        Transaction? transaction = Find(happened.Transaction);
        bool wasStuck = transaction is { IsStuck: true };
        Apply(happened, timeMs);
        if (transaction is not null && transaction.IsStuck != wasStuck)
        {
            Stuck += wasStuck ? -1 : 1;
            if (!wasStuck)
            {
                Settled?.Add(transaction.Id);
                NewlyStuck?.Add(transaction.Id);
            }
        }
    }

    private void Apply(TransactionEvent happened, long timeMs)
    {
        switch (happened)
        {
            case TransactionBegunEvent e:
                Begun(e, timeMs);
                break;
            case BranchRegisteredEvent e:
                Registered(e);
                break;
            case CallAnsweredEvent e:
                Answered(e, timeMs);
                break;
            case TransactionDecidedEvent e:
                Decided(e, timeMs);
                break;
            case TransactionEndedEvent e:
                HasEnded(Require(e), timeMs);
                break;
            case TransactionCompletedEvent e:
                Completed(Require(e), timeMs);
                break;
            case CallRetriedEvent e:
                Retried(e, timeMs);
                break;
            case CallForcedEvent e:
                Forced(e, timeMs);
                break;
            case TransactionsForgottenEvent e:
                Forgotten(e.Count);
                break;
            default:
                throw new InvalidDataException($"{happened.GetType().Name} is not known to this book.");
        }
    }

    /// <summary>What was handed out and not answered is not asked for any more: another machine will hand it out.</summary>
    public void TakeBackCalls()
    {
        foreach (Transaction transaction in _open)
        {
            transaction.Check.TakeBack();
            transaction.Branches.ForEach(static b => b.Progress.TakeBack());
        }
    }

    /// <summary>Puts ended transactions back in the order in which they ended, then open ones in the order in which they began.</summary>
    public void Restore(long nextNumber, IReadOnlyList<Transaction> transactions)
    {
        NextNumber = nextNumber;
        foreach (Transaction transaction in transactions)
        {
            if (transaction.IsOpen)
            {
                Stuck += transaction.IsStuck ? 1 : 0;
                Due.AddAll(transaction);
            }
            else
            {
                _ended.Enqueue(transaction);
            }
        }

        foreach (Transaction transaction in transactions.OrderBy(t => t.Number))
        {
            Keep(transaction);
        }
    }

    private void Keep(Transaction transaction)
    {
        Fits(_byId.TryAdd(transaction.Id, transaction));
        transaction.InKnown = _known.AddLast(transaction);
        transaction.InOpen = transaction.IsOpen ? _open.AddLast(transaction) : null;
    }

    private void Begun(TransactionBegunEvent begun, long timeMs)
    {
        var transaction = new Transaction
        {
            Number = NextNumber++,
            Id = begun.Transaction,
            Fingerprint = begun.Fingerprint,
            CallerDriven = begun.CallerDriven,
            CreatedAtMs = timeMs,
            DeadlineMs = begun.DeadlineMs,
            Trace = begun.Trace,
            CheckBack = begun.CheckBack,
        };
        foreach (EncodedBranch branch in begun.Branches)
        {
            Add(transaction, branch);
        }

        // A branch may come before those it waits for.
        Resolve(transaction);
        Keep(transaction);
        Mix(transaction, (ulong)begun.DeadlineMs);
        if (transaction.CheckBack is null)
        {
            Due.AddDeadline(transaction);
        }
        else
        {
            transaction.Check.Start(begun.DeadlineMs);
            Due.AddCheck(transaction);
        }

        StartReady(transaction, timeMs);
        Due.Compact(_open);
    }

    private static void Add(Transaction transaction, EncodedBranch branch)
    {
        BranchSpec spec = branch.Spec;
        int index = transaction.Branches.Count;
        transaction.Branches.Add(new Branch(spec, branch.AfterPrevious && index > 0 ? [index - 1] : new int[spec.After?.Count ?? 0])
        {
            HoldId = spec.Hold is null ? null : transaction.Id + ":" + spec.Name,

            // The caller tries what it has registered at any time from then on.
            State = transaction.CallerDriven ? BranchState.Trying : BranchState.Pending,
        });
    }

    private void Registered(BranchRegisteredEvent registered)
    {
        Transaction transaction = Require(registered);
        Fits(transaction.State == TransactionState.Trying);
        Add(transaction, registered.Branch);
        Resolve(transaction);
        Mix(transaction, (ulong)transaction.Branches.Count);
    }

    /// <summary>Turns names in <c>after</c> into indices.</summary>
    private static void Resolve(Transaction transaction)
    {
        foreach (Branch branch in transaction.Branches)
        {
            for (int i = 0; branch.Spec.After is { } names && i < names.Count; i++)
            {
                branch.After[i] = transaction.Find(names[i]);
                Fits(branch.After[i] >= 0);
            }
        }
    }

    private void Answered(CallAnsweredEvent answered, long timeMs)
    {
        Transaction transaction = Require(answered);
        (_, int index, CallOp op, CallOutcome outcome, string? text, long due) = answered;
        Branch? branch = index < 0 ? null : transaction.Branches[index];
        Fits(branch is null ? op == CallOp.Check : branch.PresentOp == op);
        CallProgress progress = branch?.Progress ?? transaction.Check;
        progress.TakeBack();
        progress.LastAnswer = text;
        progress.Attempts += branch?.HoldId is null ? 1 : 0;
        Mix(transaction, ((ulong)index << 32) ^ ((ulong)op << 8) ^ (ulong)outcome ^ (ulong)due);
        switch (outcome)
        {
            case CallOutcome.Done:
                progress.Stop();
                Done(transaction, branch, timeMs);
                break;
            case CallOutcome.Refused when op == CallOp.Try:
                progress.Stop();
                branch!.State = BranchState.Cancelled;
                break;
            case CallOutcome.Refused:
                progress.Stop();
                progress.IsStuck = op != CallOp.Check;
                break;
            default:
                progress.Failures += outcome == CallOutcome.Unknown ? 1 : 0;
                progress.NextAtMs = due;

                // Given up: a try is aborted by the decision that follows; the rest waits for an operator.
                progress.IsStuck = due == 0 && op != CallOp.Try;
                break;
        }

        if (progress.NextAtMs != 0)
        {
            Due.AddCall(transaction, index, progress.NextAtMs);
        }
    }

    private void Done(Transaction transaction, Branch? branch, long timeMs)
    {
        switch (branch?.State)
        {
            case BranchState.Trying:
                branch.State = BranchState.Tried;
                StartReady(transaction, timeMs);
                break;
            case BranchState.Confirming:
                branch.State = BranchState.Confirmed;
                break;
            case BranchState.Cancelling:
                branch.State = BranchState.Cancelled;
                StartUndo(transaction, timeMs);
                break;
        }
    }

    /// <summary>Phase one of a whole transaction: whoever waits for nobody any more begins.</summary>
    private void StartReady(Transaction transaction, long timeMs)
    {
        if (transaction.CallerDriven)
        {
            return;
        }

        List<Branch> branches = transaction.Branches;
        bool moved = true;
        while (moved)
        {
            moved = false;
            for (int i = 0; i < branches.Count; i++)
            {
                Branch branch = branches[i];
                if (branch.State != BranchState.Pending || Array.Exists(branch.After, a => branches[a].State != BranchState.Tried))
                {
                    continue;
                }

                moved = true;
                branch.State = branch.Spec.Hold is null && branch.Spec.Try is null ? BranchState.Tried : BranchState.Trying;
                if (branch.PresentCall is not null)
                {
                    Start(transaction, i, timeMs);
                }
            }
        }
    }

    private void Decided(TransactionDecidedEvent decided, long timeMs)
    {
        Transaction transaction = Require(decided);
        (_, bool commit, string? code, string? text) = decided;
        Fits(transaction.State == TransactionState.Trying);
        transaction.State = commit ? TransactionState.Confirming : TransactionState.Cancelling;
        transaction.ReasonCode = code;
        transaction.ReasonText = text;
        transaction.Check.Stop();
        Mix(transaction, commit ? 1UL : 2);
        for (int i = 0; i < transaction.Branches.Count; i++)
        {
            Branch branch = transaction.Branches[i];
            if (commit)
            {
                bool calls = branch.Spec.Confirm is not null;
                branch.State = calls || branch.HoldId is not null ? BranchState.Confirming : BranchState.Confirmed;
                Start(transaction, i, calls ? timeMs : 0);
            }
            else if (branch.State is BranchState.Trying or BranchState.Tried && (branch.Spec.Cancel is not null || branch.HoldId is not null))
            {
                branch.State = BranchState.Cancelling;
                Start(transaction, i, 0);
            }
            else
            {
                branch.State = BranchState.Cancelled;
                branch.Progress.Stop();
            }
        }

        StartUndo(transaction, timeMs);
    }

    private void Start(Transaction transaction, int index, long atMs)
    {
        CallProgress progress = transaction.Branches[index].Progress;
        progress.Start(atMs);
        if (atMs != 0)
        {
            Due.AddCall(transaction, index, atMs);
        }
    }

    /// <summary>
    /// Phase two of an abort: a saga's step is undone when those after it are, whatever stands between them; everybody else
    /// at once.
    /// </summary>
    private void StartUndo(Transaction transaction, long timeMs)
    {
        List<Branch> branches = transaction.Branches;
        Span<bool> waits = stackalloc bool[BranchRules.MaxBranches];
        for (int i = 0; i < branches.Count; i++)
        {
            if (branches[i] is { IsSagaStep: true, State: BranchState.Cancelling })
            {
                MarkBefore(branches, i, waits);
            }
        }

        for (int i = 0; i < branches.Count; i++)
        {
            Branch branch = branches[i];
            if (branch.State != BranchState.Cancelling || branch.HoldId is not null || branch.Progress.NextAtMs != 0 || branch.Progress.IsStuck)
            {
                continue;
            }

            if (!branch.IsSagaStep || !waits[i])
            {
                Start(transaction, i, timeMs);
            }
        }
    }

    /// <summary>Marks all that come before a branch, directly or through others.</summary>
    private static void MarkBefore(List<Branch> branches, int index, Span<bool> marked)
    {
        foreach (int before in branches[index].After)
        {
            if (!marked[before])
            {
                marked[before] = true;
                MarkBefore(branches, before, marked);
            }
        }
    }

    private void Completed(Transaction transaction, long timeMs)
    {
        Fits(transaction.State == TransactionState.Trying && transaction.Branches.TrueForAll(static b => b.HoldId is not null));
        transaction.State = TransactionState.Confirming;
        transaction.Check.Stop();
        foreach (Branch branch in transaction.Branches)
        {
            branch.State = BranchState.Confirmed;
        }

        HasEnded(transaction, timeMs);
    }

    private void HasEnded(Transaction transaction, long timeMs)
    {
        Fits(transaction.IsOpen && transaction.State is TransactionState.Confirming or TransactionState.Cancelling);
        Fits(transaction.Branches.TrueForAll(static b => b.IsFinal));
        transaction.State = transaction.State == TransactionState.Confirming ? TransactionState.Confirmed : TransactionState.Cancelled;
        transaction.EndedAtMs = timeMs;
        transaction.CheckBack = null;
        foreach (Branch branch in transaction.Branches)
        {
            branch.Spec = new BranchSpec(branch.Spec.Name);
        }

        Settled?.Add(transaction.Id);
        _open.Remove(transaction.InOpen!);
        transaction.InOpen = null;
        _ended.Enqueue(transaction);

        Mix(transaction, (ulong)timeMs);
    }

    private void Retried(CallRetriedEvent retried, long timeMs)
    {
        Transaction transaction = Require(retried);
        int index = retried.Branch;
        CallProgress progress = index < 0 ? transaction.Check : transaction.Branches[index].Progress;
        progress.Failures = 0;
        progress.IsStuck = false;
        progress.NextAtMs = timeMs;
        Due.AddCall(transaction, index, timeMs);
        Mix(transaction, (ulong)timeMs ^ (ulong)index);
    }

    private void Forced(CallForcedEvent forced, long timeMs)
    {
        Transaction transaction = Require(forced);
        Branch branch = transaction.Branches[forced.Branch];
        Fits(branch.State is BranchState.Confirming or BranchState.Cancelling);
        branch.Progress.Stop();
        branch.Progress.LastAnswer = "forced: " + forced.Reason;
        Mix(transaction, (ulong)timeMs);
        Done(transaction, branch, timeMs);
    }

    private void Forgotten(int count)
    {
        Fits(count <= _ended.Count);
        for (int i = 0; i < count; i++)
        {
            Transaction forgotten = _ended.Dequeue();
            _byId.Remove(forgotten.Id);
            _known.Remove(forgotten.InKnown!);
        }

        ledger.Mix((ulong)_byId.Count);
    }

    private Transaction Require(TransactionEvent happened) =>
        Find(happened.Transaction) is { IsOpen: true } transaction
            ? transaction
            : throw new InvalidDataException("The journal names a transaction that is not open.");

    private static void Fits(bool fits)
    {
        if (!fits)
        {
            throw new InvalidDataException("The journal has a transaction's event that does not fit the state: it is not this space's, or not in order.");
        }
    }

    private void Mix(Transaction transaction, ulong value)
    {
        ledger.Mix((ulong)transaction.Number ^ ((ulong)transaction.State << 56));
        ledger.Mix(value);
    }
}

namespace Holdfast.Kernel;

/// <summary>
/// When calls and deadlines are due. Entries are never taken out when state moves on; one that no longer fits is passed
/// over when its time comes, and all are built anew when most are such.
/// </summary>
internal sealed class DueTimes
{
    private const int CheckIndex = -1;
    private const int KeptBeyondOpen = 4096;

    // What is due at the same time comes in the order in which it was added.
    private readonly PriorityQueue<(Transaction Transaction, int Branch), (long DueMs, long Order)> _calls = new();
    private readonly PriorityQueue<Transaction, (long DueMs, long Order)> _deadlines = new();
    private long _added;

    /// <summary>When the next call is due, unix milliseconds; <see cref="long.MaxValue"/>: none is.</summary>
    public long NextCallMs => _calls.TryPeek(out _, out (long DueMs, long) next) ? next.DueMs : long.MaxValue;

    /// <summary>When the next phase one is over, unix milliseconds; <see cref="long.MaxValue"/>: none is.</summary>
    public long NextDeadlineMs => _deadlines.TryPeek(out _, out (long DueMs, long) next) ? next.DueMs : long.MaxValue;

    public void AddCall(Transaction transaction, int branch, long atMs) => _calls.Enqueue((transaction, branch), (atMs, _added++));

    public void AddCheck(Transaction transaction) => AddCall(transaction, CheckIndex, transaction.Check.NextAtMs);

    public void AddDeadline(Transaction transaction) => _deadlines.Enqueue(transaction, (transaction.DeadlineMs, _added++));

    /// <summary>Everything that an open transaction waits for.</summary>
    public void AddAll(Transaction transaction)
    {
        if (transaction.State == TransactionState.Trying && transaction.CheckBack is null)
        {
            AddDeadline(transaction);
        }

        if (transaction.Check.NextAtMs != 0)
        {
            AddCheck(transaction);
        }

        for (int i = 0; i < transaction.Branches.Count; i++)
        {
            if (transaction.Branches[i].Progress is { NextAtMs: not 0 } progress)
            {
                AddCall(transaction, i, progress.NextAtMs);
            }
        }
    }

    /// <summary>The next transaction whose phase one is over, or null.</summary>
    public Transaction? TakeDeadline(long nowMs)
    {
        while (_deadlines.TryPeek(out Transaction? transaction, out (long DueMs, long) next) && next.DueMs <= nowMs)
        {
            _deadlines.Dequeue();
            if (transaction.State == TransactionState.Trying)
            {
                return transaction;
            }
        }

        return null;
    }

    /// <summary>The next call that is due and with nobody, or null; it is then in flight.</summary>
    public DueCall? TakeCall(long nowMs, long watermarkMs)
    {
        while (_calls.TryPeek(out (Transaction Transaction, int Branch) entry, out (long DueMs, long) next) && next.DueMs <= nowMs)
        {
            _calls.Dequeue();
            if (entry.Transaction.IsOpen && Call(entry.Transaction, entry.Branch, next.DueMs, watermarkMs) is { } call)
            {
                return call;
            }
        }

        return null;
    }

    /// <summary>Drops what no longer fits, when that is most of it: a machine that only follows never takes anything.</summary>
    public void Compact(LinkedList<Transaction> open)
    {
        if (_deadlines.Count <= KeptBeyondOpen + (2 * open.Count) && _calls.Count <= KeptBeyondOpen + (4L * BranchRules.MaxBranches * open.Count))
        {
            return;
        }

        _calls.Clear();
        _deadlines.Clear();
        foreach (Transaction transaction in open)
        {
            AddAll(transaction);
        }
    }

    private static DueCall? Call(Transaction transaction, int index, long due, long watermarkMs)
    {
        Branch? branch = index == CheckIndex ? null : transaction.Branches[index];
        CallProgress progress = branch?.Progress ?? transaction.Check;
        CallSpec? call = branch is null ? transaction.CheckBack : branch.PresentCall;
        if (progress.InFlight || progress.NextAtMs != due || call is null)
        {
            return null;
        }

        progress.InFlight = true;
        return progress.Handed = new DueCall(
            transaction.Id,
            transaction.Number,
            index,
            branch?.Spec.Name ?? "-",
            branch?.PresentOp ?? CallOp.Check,
            progress.Attempts + 1,
            progress.Failures,
            call,
            transaction.CreatedAtMs,
            watermarkMs,
            branch?.State == BranchState.Trying ? transaction.DeadlineMs : 0,
            transaction.Trace);
    }
}

namespace Holdfast.Kernel;

/// <summary>Where a transaction is in its life.</summary>
public enum TransactionState : byte
{
    /// <summary>Phase one: not decided.</summary>
    Trying = 0,

    /// <summary>Decided to commit; branches are being confirmed.</summary>
    Confirming = 1,

    /// <summary>All branches are confirmed.</summary>
    Confirmed = 2,

    /// <summary>Decided to abort; branches are being cancelled.</summary>
    Cancelling = 3,

    /// <summary>All branches are cancelled, or never ran.</summary>
    Cancelled = 4,
}

/// <summary>Where a branch is in its life.</summary>
public enum BranchState : byte
{
    /// <summary>Waits for the branches before it; never called.</summary>
    Pending = 0,

    /// <summary>Its try was begun, by the coordinator or by the caller, and may have run.</summary>
    Trying = 1,

    /// <summary>Its try is done.</summary>
    Tried = 2,

    /// <summary>Its confirm is due or underway.</summary>
    Confirming = 3,

    /// <summary>Done.</summary>
    Confirmed = 4,

    /// <summary>Its cancel is due, underway, or waits for the undo of those after it.</summary>
    Cancelling = 5,

    /// <summary>Undone, refused, or never run.</summary>
    Cancelled = 6,
}

/// <summary>A transaction as it stands.</summary>
/// <param name="Id">The caller's id.</param>
/// <param name="State">Where it is.</param>
/// <param name="IsStuck">Whether a call waits for an operator.</param>
/// <param name="CallerDriven">Whether the caller tries the branches and decides.</param>
/// <param name="ReasonCode">Why it was aborted (or <c>forced</c>); null while undecided and after a plain commit.</param>
/// <param name="ReasonText">The same for people.</param>
/// <param name="CreatedAtMs">When it began, unix milliseconds.</param>
/// <param name="DeadlineMs">The end of phase one, unix milliseconds.</param>
/// <param name="EndedAtMs">When it ended, unix milliseconds; 0 while open.</param>
/// <param name="Check">The check-back's progress; null when there is none.</param>
/// <param name="Branches">Its branches, in the order they came.</param>
public sealed record TransactionView(
    string Id,
    TransactionState State,
    bool IsStuck,
    bool CallerDriven,
    string? ReasonCode,
    string? ReasonText,
    long CreatedAtMs,
    long DeadlineMs,
    long EndedAtMs,
    CallView? Check,
    IReadOnlyList<BranchView> Branches)
{
    /// <summary>What an operator's dry run would do, in words; null otherwise.</summary>
    public IReadOnlyList<string>? WouldDo { get; init; }
}

/// <summary>A branch as it stands.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Where it is.</param>
/// <param name="HoldId">Its hold, where it is a built-in one.</param>
/// <param name="Call">The progress of its present operation.</param>
public sealed record BranchView(string Name, BranchState State, string? HoldId, CallView Call);

/// <summary>Progress of one operation.</summary>
/// <param name="Op">Which.</param>
/// <param name="Url">Who is called; null when nobody is (a hold, a call that does not exist, an ended transaction).</param>
/// <param name="Attempts">Answers, or timeouts, so far.</param>
/// <param name="LastAnswer">The last one, in words; null before the first.</param>
/// <param name="NextAtMs">When it is called next, unix milliseconds; 0: not by itself.</param>
/// <param name="IsStuck">Whether it waits for an operator.</param>
public sealed record CallView(CallOp Op, string? Url, int Attempts, string? LastAnswer, long NextAtMs, bool IsStuck);

/// <summary>A page of transactions.</summary>
/// <param name="Transactions">In the order they began; perhaps fewer than asked for, or none, though there are more.</param>
/// <param name="Next">Id of the last transaction looked at: where the next page begins. Null when there are no more.</param>
public sealed record TransactionPage(IReadOnlyList<TransactionView> Transactions, string? Next);

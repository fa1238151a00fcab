using System.Text;

namespace Holdfast.Kernel;

/// <summary>Something asked of a transaction. Not pooled like the commands on holds: made for one question.</summary>
public abstract class TransactionCommand : Command
{
    private protected TransactionCommand(NameHasher hasher, string id)
        : base(hasher)
    {
        TransactionId = id;
        Begin(Encoding.UTF8.GetBytes(id), "the transaction's id");
    }

    /// <summary>The transaction's id.</summary>
    public string TransactionId { get; }
}

/// <summary>Begin a transaction. Idempotent by id: the same body again gets the same transaction.</summary>
public sealed class BeginTransaction : TransactionCommand
{
    /// <summary>Longest encoded body: 1 MiB.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>A transaction with its branches.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="id">The caller's id.</param>
    /// <param name="branches">Its branches. None with <c>after</c>: tried in this order. Any: a graph.</param>
    /// <param name="callerDriven">Whether the caller tries the branches and commits or aborts.</param>
    /// <param name="timeoutMs">Deadline of phase one from now, in milliseconds; 0: the default.</param>
    /// <param name="issuedAtMs">When the caller first sent it, unix milliseconds; 0: not said.</param>
    /// <param name="checkBack">A message's check-back: asked past the deadline in place of cancelling.</param>
    /// <param name="trace">The caller's W3C traceparent, carried to the participants; not part of what makes a repeat.</param>
    public BeginTransaction(
        NameHasher hasher,
        string id,
        IReadOnlyList<BranchSpec> branches,
        bool callerDriven = false,
        long timeoutMs = 0,
        long issuedAtMs = 0,
        CallSpec? checkBack = null,
        string? trace = null)
        : base(hasher, id)
    {
        TimeoutMs = timeoutMs;
        IssuedAtMs = issuedAtMs;
        CallerDriven = callerDriven;
        Trace = trace is { Length: <= 128 } ? trace : null;
        RefuseDots(IdBytes, "the transaction's id");
        if (FindProblem(branches, checkBack) is { } problem)
        {
            Fail(problem);
            return;
        }

        var encoded = new EventBuffer(0, 512);
        encoded.Byte((byte)((callerDriven ? 1 : 0) | (checkBack is null ? 0 : 2)));
        encoded.VarUInt((ulong)timeoutMs);
        BranchCodec.WriteCall(encoded, checkBack);
        encoded.VarUInt((ulong)branches.Count);
        bool inOrder = callerDriven || branches.All(b => b.After is null);
        for (int i = 0; i < branches.Count; i++)
        {
            BranchCodec.Write(encoded, branches[i], afterPrevious: inOrder && i > 0 && branches[i].After is null);
        }

        Encoded = encoded.Payload.ToArray();
        if (Encoded.Length > MaxBytes)
        {
            Fail("the transaction has more than 1 MiB");
        }

        Fingerprint = Fingerprints.Of(Encoded);
    }

    /// <summary>Whether the caller tries the branches and decides.</summary>
    public bool CallerDriven { get; }

    /// <summary>Deadline of phase one from now, in milliseconds; 0: the default.</summary>
    public long TimeoutMs { get; }

    /// <summary>When the caller first sent it, unix milliseconds; 0: not said.</summary>
    public long IssuedAtMs { get; }

    internal string? Trace { get; }

    internal byte[] Encoded { get; } = [];

    internal UInt128 Fingerprint { get; }

    private string? FindProblem(IReadOnlyList<BranchSpec> branches, CallSpec? checkBack)
    {
        if (TimeoutMs is < 0 or > TransactionOptions.MaxTimeoutMs)
        {
            return "timeoutSeconds must be above 0 and at most 7 days";
        }

        if (branches.Count > BranchRules.MaxBranches)
        {
            return "more than 64 branches";
        }

        if (branches.Count == 0 && !CallerDriven)
        {
            return "a transaction needs at least one branch; with begin they may be registered later";
        }

        if (checkBack is not null && !CallerDriven)
        {
            return "checkBack needs begin: a whole transaction has nobody to ask";
        }

        return branches.Select(b => BranchRules.Problem(Hasher, b, TransactionId)).FirstOrDefault(p => p is not null)
            ?? BranchRules.Problem(checkBack, "-", "checkBack")
            ?? BranchRules.GraphProblem(branches);
    }
}

/// <summary>Register a branch of a caller-driven transaction, before its try. Idempotent by name.</summary>
public sealed class RegisterBranch : TransactionCommand
{
    /// <summary>A branch of a transaction that was begun.</summary>
    public RegisterBranch(NameHasher hasher, string id, BranchSpec branch)
        : base(hasher, id)
    {
        BranchName = branch.Name;
        if (BranchRules.Problem(hasher, branch, id) is { } problem)
        {
            Fail(problem);
            return;
        }

        var encoded = new EventBuffer(0, 256);
        BranchCodec.Write(encoded, branch, afterPrevious: branch.After is null);
        Encoded = encoded.Payload.ToArray();
        Branch = branch;
    }

    internal string BranchName { get; }

    internal BranchSpec? Branch { get; }

    internal byte[] Encoded { get; } = [];
}

/// <summary>Commit or abort. Idempotent; the other decision is refused by the one that was taken.</summary>
public sealed class DecideTransaction : TransactionCommand
{
    /// <summary>A decision.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="id">The transaction.</param>
    /// <param name="commit">Commit, or abort.</param>
    /// <param name="reason">Why it is aborted, for people; null: not said.</param>
    public DecideTransaction(NameHasher hasher, string id, bool commit, string? reason = null)
        : base(hasher, id)
    {
        Commit = commit;
        Reason = reason;
        if (reason is not null && Name.ReasonProblem(Encoding.UTF8.GetBytes(reason), "the reason") is { } problem)
        {
            Fail(problem);
        }
    }

    internal bool Commit { get; }

    internal string? Reason { get; }
}

/// <summary>What a participant answered, or that it didn't. Sent by the dispatcher; one that is no longer awaited changes nothing.</summary>
public sealed class AnswerCall : TransactionCommand
{
    /// <summary>Longest answer in words that is kept, in characters.</summary>
    public const int MaxTextLength = 160;

    /// <summary>The answer to one call.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="call">The call.</param>
    /// <param name="outcome">What its status says.</param>
    /// <param name="text">The answer in words, for people.</param>
    /// <param name="retryMs">When to ask again after an unknown outcome, in milliseconds from now: drawn by the dispatcher.</param>
    public AnswerCall(NameHasher hasher, DueCall call, CallOutcome outcome, string text, long retryMs)
        : base(hasher, call.Transaction)
    {
        Call = call;
        Outcome = outcome;
        Words = text.Length > MaxTextLength ? text[..MaxTextLength] : text;
        RetryMs = retryMs;
    }

    internal DueCall Call { get; }

    internal CallOutcome Outcome { get; }

    internal string Words { get; }

    internal long RetryMs { get; }
}

/// <summary>Ask again now what is stuck or waits for its next attempt. For operators.</summary>
public sealed class RetryTransaction : TransactionCommand
{
    /// <summary>One branch, or all of them.</summary>
    public RetryTransaction(NameHasher hasher, string id, string? branch)
        : base(hasher, id)
    {
        Branch = branch;
    }

    internal string? Branch { get; }
}

/// <summary>Take what is stuck as done without calling, or decide in place of whoever doesn't. For operators; the reason is kept.</summary>
public sealed class ForceTransaction : TransactionCommand
{
    /// <summary>An operator's word.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="id">The transaction.</param>
    /// <param name="reason">Why; kept in the journal.</param>
    /// <param name="branch">One branch; null: all that are stuck.</param>
    /// <param name="commit">The decision, where there is none yet; null: none.</param>
    /// <param name="dryRun">Only say what it would do.</param>
    public ForceTransaction(NameHasher hasher, string id, string reason, string? branch, bool? commit, bool dryRun)
        : base(hasher, id)
    {
        Reason = reason;
        Branch = branch;
        Commit = commit;
        DryRun = dryRun;
        if (string.IsNullOrWhiteSpace(reason))
        {
            Fail("reason is missing: say why, for the audit trail");
        }
        else if (Name.ReasonProblem(Encoding.UTF8.GetBytes(reason), "the reason") is { } problem)
        {
            Fail(problem);
        }
    }

    internal string Reason { get; }

    internal string? Branch { get; }

    internal bool? Commit { get; }

    internal bool DryRun { get; }
}

/// <summary>Read a transaction. The answer waits until what it tells is durable.</summary>
public sealed class GetTransaction : TransactionCommand
{
    /// <summary>A read.</summary>
    public GetTransaction(NameHasher hasher, string id)
        : base(hasher, id)
    {
    }
}

/// <summary>A page of transactions in the order they began.</summary>
public sealed class ListTransactions : Command
{
    /// <summary>A page.</summary>
    /// <param name="hasher">The space's.</param>
    /// <param name="state">Only those in this state; null: all.</param>
    /// <param name="stuck">Only those that wait for an operator.</param>
    /// <param name="after">Id of the last of the page before; null: the first page.</param>
    /// <param name="limit">Most entries, 1 to 1,000.</param>
    public ListTransactions(NameHasher hasher, TransactionState? state, bool stuck, string? after, int limit)
        : base(hasher)
    {
        State = state;
        Stuck = stuck;
        After = after;
        Limit = limit;
        Begin("-"u8, "the list");
        if (limit is < 1 or > 1000)
        {
            Fail("limit must be from 1 to 1000");
        }
    }

    internal TransactionState? State { get; }

    internal bool Stuck { get; }

    internal string? After { get; }

    internal int Limit { get; }
}

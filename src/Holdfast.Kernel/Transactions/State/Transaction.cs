namespace Holdfast.Kernel;

/// <summary>A transaction's state. Changed by events only; <see cref="CallProgress.InFlight"/> and <see cref="CallProgress.Handed"/> alone are not part of it.</summary>
internal sealed class Transaction
{
    public required long Number { get; init; }

    public required string Id { get; init; }

    public required UInt128 Fingerprint { get; init; }

    public required bool CallerDriven { get; init; }

    public required long CreatedAtMs { get; init; }

    public required long DeadlineMs { get; init; }

    public string? Trace { get; init; }

    /// <summary>The check-back of a message.</summary>
    public CallSpec? CheckBack { get; set; }

    public CallProgress Check { get; } = new();

    public List<Branch> Branches { get; } = [];

    public TransactionState State { get; set; }

    public string? ReasonCode { get; set; }

    public string? ReasonText { get; set; }

    public long EndedAtMs { get; set; }

    /// <summary>Its place among the known ones, and among the open ones while it is one.</summary>
    public LinkedListNode<Transaction>? InKnown { get; set; }

    public LinkedListNode<Transaction>? InOpen { get; set; }

    public bool IsOpen => EndedAtMs == 0;

    public bool IsStuck => Check.IsStuck || Branches.Exists(static b => b.Progress.IsStuck);

    public int Find(string name) => Branches.FindIndex(b => b.Spec.Name == name);
}

/// <summary>A branch's state.</summary>
internal sealed class Branch(BranchSpec spec, int[] after)
{
    public BranchSpec Spec { get; set; } = spec;

    /// <summary>Indices of the branches that come before it.</summary>
    public int[] After { get; } = after;

    public BranchState State { get; set; }

    public CallProgress Progress { get; } = new();

    public string? HoldId { get; init; }

    /// <summary>A step whose undo has an order: it has something to undo and nothing to confirm.</summary>
    public bool IsSagaStep => Spec is { Confirm: null, Cancel: not null };

    public bool IsFinal => State is BranchState.Confirmed or BranchState.Cancelled;

    /// <summary>The call of its present state, if it has one.</summary>
    public CallSpec? PresentCall => State switch
    {
        BranchState.Trying => Spec.Try,
        BranchState.Confirming => Spec.Confirm,
        BranchState.Cancelling => Spec.Cancel,
        _ => null,
    };

    public CallOp PresentOp => State switch
    {
        BranchState.Confirming or BranchState.Confirmed => CallOp.Confirm,
        BranchState.Cancelling or BranchState.Cancelled => CallOp.Cancel,
        _ => CallOp.Try,
    };
}

/// <summary>How far the calls of one operation have come.</summary>
internal sealed class CallProgress
{
    /// <summary>Answers and timeouts so far.</summary>
    public int Attempts { get; set; }

    /// <summary>Those without a usable answer.</summary>
    public int Failures { get; set; }

    public string? LastAnswer { get; set; }

    /// <summary>When it is called next, unix milliseconds; 0: not by itself.</summary>
    public long NextAtMs { get; set; }

    public bool IsStuck { get; set; }

    /// <summary>Whether the present attempt is with the dispatcher. Not journaled: after a restart it is made again.</summary>
    public bool InFlight { get; set; }

    /// <summary>That attempt, of a transaction's call.</summary>
    public DueCall? Handed { get; set; }

    /// <summary>A new operation begins; 0: it isn't called by itself.</summary>
    public void Start(long nextAtMs)
    {
        Attempts = 0;
        Failures = 0;
        NextAtMs = nextAtMs;
        IsStuck = false;
        TakeBack();
    }

    public void Stop()
    {
        NextAtMs = 0;
        IsStuck = false;
        TakeBack();
    }

    /// <summary>The present attempt is over, or not asked for any more: whoever has it and hasn't sent it need not.</summary>
    public void TakeBack()
    {
        Handed?.TakeBack();
        Handed = null;
        InFlight = false;
    }
}

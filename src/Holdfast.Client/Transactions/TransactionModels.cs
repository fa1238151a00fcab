using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Client;

/// <summary>Where a transaction is.</summary>
public enum TransactionState
{
    /// <summary>A state that this version of the client does not know: see <see cref="Transaction.StateText"/>.</summary>
    Unknown = 0,

    /// <summary>Not decided.</summary>
    Trying,

    /// <summary>Decided to commit; branches are being confirmed.</summary>
    Confirming,

    /// <summary>All branches are confirmed.</summary>
    Confirmed,

    /// <summary>Decided to abort; branches are being cancelled.</summary>
    Cancelling,

    /// <summary>All branches are cancelled, or never ran.</summary>
    Cancelled,

    /// <summary>Decided, but a branch waits for an operator: see <see cref="Transaction.Explanation"/>.</summary>
    Stuck,
}

/// <summary>A transaction as it stands.</summary>
public sealed record Transaction
{
    /// <summary>The caller's id.</summary>
    public required string Id { get; init; }

    /// <summary>Where it is.</summary>
    public required TransactionState State { get; init; }

    /// <summary>The same as the server sent it.</summary>
    public required string StateText { get; init; }

    /// <summary>True: it commits. False: it aborts. Null: not decided.</summary>
    public bool? Commits { get; init; }

    /// <summary>Why it was aborted (<c>refused</c>, <c>expired</c>, <c>aborted</c>, <c>insufficient</c> ...), or <c>forced</c>.</summary>
    public string? ReasonCode { get; init; }

    /// <summary>The same for people.</summary>
    public string? Reason { get; init; }

    /// <summary>When it began, by the server's journal.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Until when it must be decided.</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>When it ended; null while open.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Its branches.</summary>
    public required IReadOnlyList<TransactionBranch> Branches { get; init; }

    /// <summary>What was called, what it answered, and what happens next; null when there is nothing to explain.</summary>
    public string? Explanation { get; init; }

    /// <summary>What a dry run would do; null otherwise.</summary>
    public IReadOnlyList<string>? WouldDo { get; init; }
}

/// <summary>A branch as it stands.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State"><c>pending</c>, <c>trying</c>, <c>tried</c>, <c>confirming</c>, <c>confirmed</c>, <c>cancelling</c>, <c>cancelled</c> or <c>stuck</c>.</param>
/// <param name="Attempts">Answers to its present operation so far.</param>
/// <param name="LastAnswer">The last one, in words.</param>
/// <param name="NextAt">When it is called next.</param>
/// <param name="Hold">Its hold's id, where it is a built-in one.</param>
public sealed record TransactionBranch(string Name, string State, int Attempts, string? LastAnswer, DateTimeOffset? NextAt, string? Hold);

/// <summary>What became of a call on a transaction.</summary>
public sealed record TransactionResult
{
    /// <summary>The transaction after the call; null when refused.</summary>
    public Transaction? Transaction { get; init; }

    /// <summary>Why not; null when it was done, now or before.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>Whether it was done, now or by an earlier call with the same id.</summary>
    [MemberNotNullWhen(true, nameof(Transaction))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Refusal is null;

    /// <summary>The transaction, for callers to whom a refusal is an error.</summary>
    /// <exception cref="HoldRefusedException">The call was refused.</exception>
    public Transaction EnsureSucceeded() => Succeeded ? Transaction : throw new HoldRefusedException(Refusal);
}

/// <summary>What became of a branch's try: a participant's answer to a try that this client made, or the server's to a hold.</summary>
/// <param name="Refusal">Why it was refused; null when it did what was asked.</param>
public sealed record TryResult(Refusal? Refusal)
{
    /// <summary>Whether the branch was tried.</summary>
    public bool Succeeded => Refusal is null;

    /// <summary>Nothing, for callers to whom a refusal is an error: leaving the <c>await using</c> block then aborts the transaction.</summary>
    /// <exception cref="HoldRefusedException">The participant refused, or the registration was refused.</exception>
    public void EnsureSucceeded()
    {
        if (Refusal is not null)
        {
            throw new HoldRefusedException(Refusal);
        }
    }
}

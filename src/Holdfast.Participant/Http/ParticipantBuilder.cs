namespace Holdfast.Participant;

/// <summary>The actions of one participant; those that it hasn't are not mapped.</summary>
public sealed class ParticipantBuilder
{
    internal Dictionary<BranchOp, BranchAction> Actions { get; } = [];

    /// <summary>Reserves, or does. <see cref="BranchResult.Refused"/> aborts the transaction.</summary>
    public ParticipantBuilder Try(BranchAction action) => Set(BranchOp.Try, action);

    /// <summary>Consumes what the try reserved, or delivers. Must succeed sooner or later.</summary>
    public ParticipantBuilder Confirm(BranchAction action) => Set(BranchOp.Confirm, action);

    /// <summary>Releases what the try reserved, or undoes it. Runs only if the try ran. Must succeed sooner or later.</summary>
    public ParticipantBuilder Cancel(BranchAction action) => Set(BranchOp.Cancel, action);

    private ParticipantBuilder Set(BranchOp op, BranchAction action)
    {
        ArgumentNullException.ThrowIfNull(action);
        Actions[op] = action;
        return this;
    }
}

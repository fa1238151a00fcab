namespace Holdfast.Kernel;

/// <summary>Makes views of transactions.</summary>
internal static class TransactionViews
{
    public static TransactionView Of(Transaction transaction)
    {
        var branches = new BranchView[transaction.Branches.Count];
        for (int i = 0; i < branches.Length; i++)
        {
            Branch branch = transaction.Branches[i];
            branches[i] = new BranchView(branch.Spec.Name, branch.State, branch.HoldId, Of(branch.PresentOp, branch.PresentCall, branch.Progress));
        }

        CallView? check = transaction.CheckBack is null ? null : Of(CallOp.Check, transaction.CheckBack, transaction.Check);
        return new TransactionView(
            transaction.Id,
            transaction.State,
            transaction.IsStuck,
            transaction.CallerDriven,
            transaction.ReasonCode,
            transaction.ReasonText,
            transaction.CreatedAtMs,
            transaction.DeadlineMs,
            transaction.EndedAtMs,
            check,
            branches);
    }

    private static CallView Of(CallOp op, CallSpec? call, CallProgress progress) =>
        new(op, call?.Url, progress.Attempts, progress.LastAnswer, progress.NextAtMs, progress.IsStuck);
}

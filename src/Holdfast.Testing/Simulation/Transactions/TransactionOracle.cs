using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>All or nothing for every transaction, judged by the participants' books and not by the coordinator's word.</summary>
internal static class TransactionOracle
{
    /// <summary>What may be said right when a branch's business has run: saga steps are undone in reverse (E75), and none runs before those it comes after (E76).</summary>
    public static string? Ran(SimulatedTransaction transaction, PlannedBranch branch, CallOp op, SimulatedParticipant[] participants)
    {
        int index = transaction.Branches.ToList().IndexOf(branch);
        if (op == CallOp.Try)
        {
            PlannedBranch? missing = Before(transaction, index).FirstOrDefault(b => b.Kind != BranchKind.Hold && Count(transaction, b, "Try", participants) == 0);
            return missing is null || transaction.Driver != Driver.Coordinator ? null : $"{transaction.Id}/{branch.Name} was tried before {missing.Name}, which it comes after";
        }

        if (op == CallOp.Cancel && branch.Kind == BranchKind.SagaStep)
        {
            for (int later = index + 1; later < transaction.Branches.Count; later++)
            {
                PlannedBranch other = transaction.Branches[later];
                if (other.Kind == BranchKind.SagaStep && Before(transaction, later).Contains(branch)
                    && Count(transaction, other, "Try", participants) > Count(transaction, other, "Cancel", participants))
                {
                    return $"{transaction.Id}/{branch.Name} was undone before {other.Name}, which came after it";
                }
            }
        }

        return null;
    }

    public static string? Check(
        List<SimulatedTransaction> transactions, Func<string, TransactionView?> view, Func<string, HoldState> hold, SimulatedParticipant[] participants, SimulatedParticipant sender)
    {
        foreach (SimulatedTransaction transaction in transactions)
        {
            TransactionView? end = view(transaction.Id);
            if (end is null)
            {
                if (transaction.ToldBegun)
                {
                    return $"{transaction.Id} was acknowledged, but it is not there";
                }

                if (transaction.Branches.Any(b => b.Kind != BranchKind.Hold && Effect(transaction, b, participants) != 0))
                {
                    return $"{transaction.Id} is not there, but it had effects";
                }

                continue;
            }

            bool confirmed = end.State == TransactionState.Confirmed;
            if (transaction.ToldDecision is { } told && told != confirmed)
            {
                return $"{transaction.Id} was told to {(told ? "commit" : "abort")}, but ended {end.State}";
            }

            if (transaction.Driver == Driver.Message && confirmed != sender.Ran.Contains(transaction.Id + "/- Local"))
            {
                return $"message {transaction.Id} ended {end.State}, but its local work was {(confirmed ? "not " : "")}done";
            }

            foreach (PlannedBranch branch in transaction.Branches)
            {
                if (Check(transaction, branch, end, confirmed, hold, participants) is { } problem)
                {
                    return problem;
                }
            }
        }

        return participants.Select(p => p.FindImbalance()).FirstOrDefault(p => p is not null)
            ?? (participants.Any(p => p.Frozen != 0) ? "units are frozen though every transaction has ended" : null);
    }

    private static string? Check(
        SimulatedTransaction transaction, PlannedBranch branch, TransactionView end, bool confirmed, Func<string, HoldState> hold, SimulatedParticipant[] participants)
    {
        BranchView? seen = end.Branches.FirstOrDefault(b => b.Name == branch.Name);
        string name = transaction.Id + "/" + branch.Name;
        if (seen is null)
        {
            // Never registered by its caller.
            return branch.Kind == BranchKind.Hold || Effect(transaction, branch, participants) == 0 ? null : $"{name} was never registered, but had an effect";
        }

        if (seen.State != (confirmed ? BranchState.Confirmed : BranchState.Cancelled))
        {
            return $"{transaction.Id} ended {end.State}, but its branch {branch.Name} {seen.State}";
        }

        if (branch.Kind == BranchKind.Hold)
        {
            HoldState state = hold(seen.HoldId!);
            return confirmed ? (state == HoldState.Confirmed ? null : $"{name}'s hold is {state}, though the transaction is confirmed")
                : state is HoldState.Confirmed or HoldState.Held ? $"{name}'s hold is {state}, though the transaction is cancelled"
                : null;
        }

        int tried = Count(transaction, branch, "Try", participants);
        int delivered = Count(transaction, branch, "Confirm", participants);
        int undone = Count(transaction, branch, "Cancel", participants);
        if (tried > 1 || delivered > 1 || undone > 1)
        {
            return $"{name} ran more than once: try {tried}, confirm {delivered}, cancel {undone}";
        }

        bool triedByCaller = transaction.Driver == Driver.Caller && tried == 0; // a caller may commit what it never tried
        bool right = (branch.Kind, confirmed) switch
        {
            (BranchKind.Tcc, true) => (tried, delivered, undone) == (1, 1, 0) || triedByCaller,
            (BranchKind.SagaStep, true) => (tried, undone) == (1, 0) || triedByCaller,
            (BranchKind.Delivery, true) => delivered == 1,
            (BranchKind.Delivery, false) => delivered == 0,
            _ => tried == undone && delivered == 0,
        };
        return right ? null : $"{transaction.Id} ended {end.State}, but at {branch.Name} ({branch.Kind}) ran: try {tried}, confirm {delivered}, cancel {undone}";
    }

    /// <summary>What a branch left behind: 0 when nothing did, or all was undone.</summary>
    private static int Effect(SimulatedTransaction transaction, PlannedBranch branch, SimulatedParticipant[] participants) =>
        Count(transaction, branch, "Try", participants) + (branch.Kind == BranchKind.Delivery ? Count(transaction, branch, "Confirm", participants) : 0)
        - Count(transaction, branch, "Cancel", participants);

    private static int Count(SimulatedTransaction transaction, PlannedBranch branch, string op, SimulatedParticipant[] participants)
    {
        string line = $"{transaction.Id}/{branch.Name} {op}";
        return participants[branch.Participant].Ran.Count(r => r == line);
    }

    /// <summary>The branches that must be tried before this one.</summary>
    private static IEnumerable<PlannedBranch> Before(SimulatedTransaction transaction, int index)
    {
        PlannedBranch branch = transaction.Branches[index];
        bool graph = transaction.Branches.Any(b => b.After is not null);
        return graph ? transaction.Branches.Where(b => branch.After?.Contains(b.Name) == true)
            : index > 0 ? [transaction.Branches[index - 1]]
            : [];
    }
}

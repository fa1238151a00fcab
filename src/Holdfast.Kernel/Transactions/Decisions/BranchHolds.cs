using System.Text;

namespace Holdfast.Kernel;

/// <summary>The built-in branch: a hold of this space, decided within the transaction's own command.</summary>
internal sealed class BranchHolds(Ledger ledger, EventSink output, TryDecision tries)
{
    private readonly TryHold _try = new(ledger.Hasher);

    /// <summary>Makes the branch's hold.</summary>
    public Answer Try(Transaction transaction, Branch branch, long nowMs)
    {
        // A message may be decided long after its deadline: its hold stays as long as any may.
        long ttl = transaction.CheckBack is null ? transaction.DeadlineMs - nowMs : Quantity.MaxTtlMs;
        TryHold command = Fill(branch.HoldId!, branch.Spec.Hold!, ttl);
        Answer answer = command.Problem is { } problem ? Answer.Refused(Code.Invalid, problem) : tries.Decide(command, nowMs);
        return answer is { Code: Code.Ok, Repeat: true }
            ? Answer.Refused(Code.Conflict, $"a hold with the id {branch.HoldId} was there before the transaction")
            : answer;
    }

    /// <summary>What stands in the way of committing: its hold is gone. Null: nothing.</summary>
    public string? Lost(Branch branch, long nowMs) => StateOf(branch, nowMs) switch
    {
        HoldState.Held or HoldState.Confirmed => null,
        HoldState.Expired => "expired",
        _ => "cancelled",
    };

    /// <summary>Consumes it; after <see cref="Lost"/> said null this can't fail.</summary>
    public void Confirm(Branch branch, long nowMs)
    {
        if (StateOf(branch, nowMs) == HoldState.Held)
        {
            output.Confirmed(Encoding.UTF8.GetBytes(branch.HoldId!), keepRemainder: false, []);
        }
    }

    /// <summary>Releases it.</summary>
    /// <returns>False when it was consumed outside the transaction, so that there is nothing to release.</returns>
    public bool Cancel(Branch branch, long nowMs)
    {
        switch (StateOf(branch, nowMs))
        {
            case HoldState.Held:
                output.Named(EventType.Cancelled, Encoding.UTF8.GetBytes(branch.HoldId!));
                return true;
            case HoldState.Confirmed:
                return false;
            default:
                return true;
        }
    }

    private HoldState? StateOf(Branch branch, long nowMs)
    {
        byte[] id = Encoding.UTF8.GetBytes(branch.HoldId!);
        int slot = ledger.Holds.Find(ledger.Hasher.Hash(id), id);
        return slot < 0 ? null : HoldDecisions.Settle(ledger, output, slot, nowMs);
    }

    private TryHold Fill(string id, HoldSpec hold, long timeLeftMs)
    {
        _try.Reset(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(hold.Owner ?? ""), hold.TtlMs > 0 ? hold.TtlMs : Math.Max(1, timeLeftMs));
        foreach ((string resource, long quantity) in hold.Lines)
        {
            _try.AddLine(Encoding.UTF8.GetBytes(resource), quantity);
        }

        return _try;
    }
}

using System.Text;

namespace Holdfast.Kernel;

/// <summary>The built-in branch: a hold of this space, decided within the transaction's own command.</summary>
internal sealed class BranchHolds(Ledger ledger, EventSink output, TryDecision tries)
{
    private readonly TryHold _try = new(ledger.Hasher);
    private readonly LineState[] _lines = new LineState[LinedCommand.MaxLines];

    /// <summary>Makes the branch's hold.</summary>
    public Answer Try(Transaction transaction, Branch branch, long nowMs)
    {
        // A message may be decided long after its deadline: its hold stays as long as any may.
        long ttl = transaction.CheckBack is null ? transaction.DeadlineMs - nowMs : Quantity.MaxTtlMs;
        HoldSpec hold = branch.Spec.Hold!;
        hold.Fill(_try, branch.HoldId!, hold.TtlMs > 0 ? hold.TtlMs : Math.Max(1, ttl));
        Answer answer = _try.Problem is { } problem ? Answer.Refused(Code.Invalid, problem) : tries.Decide(_try, nowMs);
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

    /// <summary>Releases what is still held of it.</summary>
    /// <returns>False when units of it were consumed outside the transaction and not given back since: nothing here can undo that.</returns>
    public bool Cancel(Branch branch, long nowMs)
    {
        byte[] id = Encoding.UTF8.GetBytes(branch.HoldId!);
        int slot = ledger.Holds.Find(ledger.Hasher.Hash(id), id);
        if (slot < 0)
        {
            return true;
        }

        if (HoldDecisions.Settle(ledger, output, slot, nowMs) == HoldState.Held)
        {
            output.Named(EventType.Cancelled, id);
        }

        int lines = ledger.Holds.ReadLines(slot, _lines).LineCount;
        return Array.FindIndex(_lines, 0, lines, static line => line.Consumed > 0) < 0;
    }

    private HoldState? StateOf(Branch branch, long nowMs)
    {
        byte[] id = Encoding.UTF8.GetBytes(branch.HoldId!);
        int slot = ledger.Holds.Find(ledger.Hasher.Hash(id), id);
        return slot < 0 ? null : HoldDecisions.Settle(ledger, output, slot, nowMs);
    }
}

using System.Text;

namespace Holdfast.Kernel;

/// <summary>The holds of checkouts: made, consumed and released within the checkouts' own commands.</summary>
internal sealed class CheckoutHolds(Ledger ledger, EventSink output, TryDecision tries, HoldOptions options)
{
    private readonly TryHold _try = new(ledger.Hasher);

    /// <summary>Makes a hold.</summary>
    public Answer Try(string id, string? owner, IReadOnlyList<KeyValuePair<string, long>> lines, long ttlMs, long nowMs)
    {
        _try.Reset(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(owner ?? ""), ttlMs);
        foreach ((string resource, long quantity) in lines)
        {
            _try.AddLine(Encoding.UTF8.GetBytes(resource), quantity);
        }

        Answer answer = _try.Problem is { } problem ? Answer.Refused(Code.Invalid, problem) : tries.Decide(_try, nowMs);
        return answer is { Code: Code.Ok, Repeat: true }
            ? Answer.Refused(Code.Conflict, $"a hold with the id {id} was there before the checkout")
            : answer;
    }

    /// <summary>
    /// Consumes what the checkout holds; of one that was released, takes it anew. Consumed once already (by somebody's own
    /// confirm), it is not consumed again (E40).
    /// </summary>
    /// <param name="checkout">Whose.</param>
    /// <param name="nowMs">The batch's time.</param>
    /// <param name="rescued">Whether it was taken anew.</param>
    /// <returns>Ok, or why it can't be had any more.</returns>
    public Answer Consume(Checkout checkout, long nowMs, out bool rescued)
    {
        rescued = false;
        switch (StateOf(checkout.FirstHoldId, nowMs))
        {
            case HoldState.Confirmed:
                return default;
            case HoldState.Held:
                Confirm(checkout.FirstHoldId);
                return default;
        }

        Answer again = Try(checkout.RescueHoldId, checkout.Owner, checkout.Lines, options.DefaultTtlMs, nowMs);
        if (again.Code == Code.Ok)
        {
            Confirm(checkout.RescueHoldId);
            rescued = true;
        }

        return again;
    }

    /// <summary>Gives back what is still held.</summary>
    public void Release(Checkout checkout, long nowMs)
    {
        if (StateOf(checkout.FirstHoldId, nowMs) == HoldState.Held)
        {
            output.Named(EventType.Cancelled, Encoding.UTF8.GetBytes(checkout.FirstHoldId));
        }
    }

    /// <summary>Keeps it as long as any hold may live.</summary>
    public void Keep(Checkout checkout, long nowMs)
    {
        if (StateOf(checkout.FirstHoldId, nowMs) == HoldState.Held)
        {
            output.Extended(Encoding.UTF8.GetBytes(checkout.FirstHoldId), checkout.CreatedAtMs + options.MaxLifeMs);
        }
    }

    private void Confirm(string id) => output.Confirmed(Encoding.UTF8.GetBytes(id), keepRemainder: false, []);

    private HoldState? StateOf(string holdId, long nowMs)
    {
        byte[] id = Encoding.UTF8.GetBytes(holdId);
        int slot = ledger.Holds.Find(ledger.Hasher.Hash(id), id);
        return slot < 0 ? null : HoldDecisions.Settle(ledger, output, slot, nowMs);
    }
}

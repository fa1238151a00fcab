using System.Text;

namespace Holdfast.Kernel;

/// <summary>Walks over everything that a machine knows, for a view that begins at its state. Not while it evolves.</summary>
public static class Contents
{
    /// <summary>All resources in the order of their numbers.</summary>
    public static IEnumerable<ResourceView> ListResources(this SpaceMachine machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        for (int i = 0; i < machine.Ledger.Resources.Count; i++)
        {
            yield return machine.Ledger.Resources[i].View();
        }
    }

    /// <summary>All known holds: finished ones in the order in which they ended, then the live ones in no order.</summary>
    public static IEnumerable<KnownHold> ListHolds(this SpaceMachine machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        HoldTable holds = machine.Ledger.Holds;
        for (int slot = holds.OldestFinished; slot >= 0; slot = holds[slot].Next)
        {
            yield return Hold(holds, slot);
        }

        for (int slot = 0; slot < holds.End; slot++)
        {
            if (holds[slot].State == HoldState.Held)
            {
                yield return Hold(holds, slot);
            }
        }
    }

    private static KnownHold Hold(HoldTable holds, int slot)
    {
        Span<LineState> lines = new LineState[LinedCommand.MaxLines];
        HoldHeader header = holds.ReadLines(slot, lines);
        ReadOnlySpan<byte> owner = holds.OwnerOf(slot);
        var known = new KnownHoldLine[header.LineCount];
        for (int i = 0; i < known.Length; i++)
        {
            known[i] = new KnownHoldLine(lines[i].Resource, lines[i].Quantity, lines[i].Held, lines[i].Consumed, lines[i].Returned);
        }

        return new KnownHold(
            Encoding.UTF8.GetString(holds.IdOf(slot)),
            owner.IsEmpty ? null : Encoding.UTF8.GetString(owner),
            holds[slot].State,
            header.CreatedAtMs,
            header.LineCount == 0 ? 0 : header.DeadlineMs,
            holds[slot].State == HoldState.Held ? null : holds[slot].TimeMs,
            known);
    }
}

/// <summary>A hold with its resources by number.</summary>
/// <param name="Id">The caller's id.</param>
/// <param name="Owner">Who holds; null when nobody was named.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="CreatedAtMs">When the try was decided, unix milliseconds.</param>
/// <param name="ExpiresAtMs">Its deadline, unix milliseconds; 0 for a tombstone.</param>
/// <param name="FinishedAtMs">When it ended; null while it is held.</param>
/// <param name="Lines">Its lines, in the try's order.</param>
public sealed record KnownHold(
    string Id, string? Owner, HoldState State, long CreatedAtMs, long ExpiresAtMs, long? FinishedAtMs, IReadOnlyList<KnownHoldLine> Lines);

/// <summary>A line of a hold, its resource by number.</summary>
/// <param name="Resource">The resource's number: the order of the first put, from 0.</param>
/// <param name="Quantity">What the try asked for.</param>
/// <param name="Held">What is still reserved.</param>
/// <param name="Consumed">What was confirmed, less what came back.</param>
/// <param name="Returned">What came back by returns.</param>
public readonly record struct KnownHoldLine(int Resource, long Quantity, long Held, long Consumed, long Returned);

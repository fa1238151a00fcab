using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>One page of a list. Walk on by giving <see cref="Next"/> as <c>after</c>; null: this was the last page.</summary>
/// <param name="Items">The items, in the list's order.</param>
/// <param name="Next">An opaque cursor, valid as long as the views aren't rebuilt from a snapshot.</param>
public sealed record ViewPage<T>(IReadOnlyList<T> Items, string? Next);

/// <summary>Which holds to list. All conditions must hold.</summary>
public sealed record HoldQuery
{
    /// <summary>Only this owner's; null: anybody's.</summary>
    public string? Owner { get; init; }

    /// <summary>Only those in this state; null: in any.</summary>
    public HoldState? State { get; init; }

    /// <summary>Only those with a line on this resource; null: on any.</summary>
    public string? Resource { get; init; }

    /// <summary>The cursor of the page before; null: from the beginning.</summary>
    public string? After { get; init; }

    /// <summary>Most items; null: 100. 1 to 1,000.</summary>
    public int? Limit { get; init; }

    /// <summary>Newest first rather than oldest first. A cursor belongs to its direction.</summary>
    public bool NewestFirst { get; init; }
}

/// <summary>A hold as the views know it; finished ones stay, also when the loop has forgotten their ids.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="FinishedAtMs">When it ended, unix milliseconds; null while it is held.</param>
/// <param name="Sequence">The batch that changed it last (the snapshot's, for one that the views took over from a snapshot).</param>
public sealed record ListedHold(HoldView Hold, long? FinishedAtMs, long Sequence);

/// <summary>A change of a resource's buckets. The sums of all movements of a resource are its buckets (unless the views
/// were started from a snapshot of a trimmed journal: then they begin there).</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Sequence">The batch.</param>
/// <param name="Ordinal">The event's place within the batch, from 0.</param>
/// <param name="TimeMs">The batch's time, unix milliseconds.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Hold">The hold's id; null for a change of supply.</param>
/// <param name="Available">Change of available.</param>
/// <param name="Held">Change of held.</param>
/// <param name="Consumed">Change of consumed.</param>
/// <param name="Reason">Why, where the caller said so (adjustments, returns).</param>
/// <param name="Reference">The adjustment's or return's id.</param>
public sealed record Movement(
    string Resource, long Sequence, int Ordinal, long TimeMs, EventType Kind, string? Hold,
    long Available, long Held, long Consumed, string? Reason, string? Reference);

/// <summary>Live holds that a deficit puts at risk (E42).</summary>
/// <param name="Holds">Newest first.</param>
/// <param name="Covered">Units of the resource that they hold together.</param>
/// <param name="Complete">Whether they cover the deficit, or there are no more; false: the list was cut at 1,000.</param>
public sealed record HoldsAtRisk(IReadOnlyList<ListedHold> Holds, long Covered, bool Complete);

/// <summary>A list was asked for in a way that can't be answered (a cursor that isn't one, a limit out of bounds): <c>invalid</c>.</summary>
public sealed class ViewQueryException(string message) : Exception(message);

/// <summary>The view database can't be read at the moment: <c>unavailable</c>. Holds and stock themselves are not touched by it.</summary>
public sealed class ViewsUnavailableException(string message, Exception? inner = null) : Exception(message, inner);

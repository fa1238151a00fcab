namespace Holdfast.Client;

/// <summary>A hold in a list.</summary>
/// <param name="Hold">The hold.</param>
/// <param name="CreatedAt">When it was made, by the server's journal.</param>
/// <param name="FinishedAt">When it was confirmed, cancelled or expired; null while it is held.</param>
/// <param name="Sequence">The journal's batch that made it.</param>
public sealed record ListedHold(Hold Hold, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt, long Sequence);

/// <summary>A change of a resource's quantities. Those of one resource add up to what it has.</summary>
public sealed record Movement
{
    /// <summary>The journal's batch.</summary>
    public required long Sequence { get; init; }

    /// <summary>The event's place within the batch, from 0.</summary>
    public required long Ordinal { get; init; }

    /// <summary>When, by the server's journal.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>What happened: <c>supply_adjusted</c>, <c>held</c>, <c>confirmed</c>, <c>cancelled</c>, <c>expired</c> or <c>returned</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The hold's id; null for a change of supply.</summary>
    public string? Hold { get; init; }

    /// <summary>Change of <see cref="Resource.Available"/>.</summary>
    public required long Available { get; init; }

    /// <summary>Change of <see cref="Resource.Held"/>.</summary>
    public required long Held { get; init; }

    /// <summary>Change of <see cref="Resource.Consumed"/>.</summary>
    public required long Consumed { get; init; }

    /// <summary>Why, where the caller said so (adjustments, returns).</summary>
    public string? Reason { get; init; }

    /// <summary>The adjustment's or return's id.</summary>
    public string? Reference { get; init; }
}

using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>A row of holds, with its lines.</summary>
internal sealed class ViewHold(long number, string id, string? owner, long createdAtMs, ViewLine[] lines)
{
    /// <summary>Events of one batch have at most 20 bits of ordinals; the sequence stands before them.</summary>
    private const int OrdinalBits = 20;

    /// <summary>The key: rises in the order in which holds were made, and is the same after every rebuild from the journal.</summary>
    public long Number { get; } = number;

    public string Id { get; } = id;

    public string? Owner { get; } = owner;

    public long CreatedAtMs { get; } = createdAtMs;

    public ViewLine[] Lines { get; } = lines;

    public HoldState State { get; set; }

    /// <summary>Whether the stored views list its lines among the live ones.</summary>
    public bool ListedLive { get; init; }

    /// <summary>Its lines leave the list of live ones together, when it ends (also those that were confirmed before the rest); none ever comes back to it.</summary>
    public bool LeavesLive => ListedLive && State != HoldState.Held;

    public long ExpiresAtMs { get; set; }

    public long? FinishedAtMs { get; set; }

    public long Sequence { get; set; }

    public RowChange Change { get; set; }

    public bool LinesChanged { get; set; }

    public static long NumberOf(long sequence, int ordinal) =>
        ordinal < 1 << OrdinalBits
            ? (sequence << OrdinalBits) | (uint)ordinal
            : throw new NotSupportedException("A batch has more than a million events: the views can't number its holds. Lower MaxBatchCommands.");
}

/// <summary>A row of hold lines; its place in the array is its line number.</summary>
internal struct ViewLine
{
    public int Resource;
    public long Quantity;
    public long Held;
    public long Consumed;
    public long Returned;
}

/// <summary>A row of resources.</summary>
internal sealed class ViewResource(int number, string id)
{
    public int Number { get; } = number;

    public string Id { get; } = id;

    public long Available { get; set; }

    public long Held { get; set; }

    public long Consumed { get; set; }

    public long Supplied { get; set; }

    public long Version { get; set; }

    public ResourcePolicy Policy { get; set; } = ResourcePolicy.Default;

    public RowChange Change { get; set; }
}

/// <summary>A row of movements; hold 0: none.</summary>
internal readonly record struct ViewMovement(
    int Resource, long Sequence, int Ordinal, long TimeMs, EventType Kind, long Hold,
    long Available, long Held, long Consumed, string? Reason, string? Reference);

namespace Holdfast.Kernel;

/// <summary>Where a hold is in its life.</summary>
public enum HoldState : byte
{
    /// <summary>Not known.</summary>
    None = 0,

    /// <summary>Reserved until its deadline.</summary>
    Held,

    /// <summary>Consumed (wholly, or as much as the confirm named).</summary>
    Confirmed,

    /// <summary>Released by a cancel; also the tombstone that a cancel before its try leaves.</summary>
    Cancelled,

    /// <summary>Released because its deadline passed.</summary>
    Expired,
}

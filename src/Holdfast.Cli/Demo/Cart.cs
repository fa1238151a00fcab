namespace Holdfast.Cli.Demo;

/// <summary>What the server told about a cart. Only what was told counts: it must be true ever after.</summary>
internal enum Told
{
    /// <summary>Nothing was asked.</summary>
    Nothing,

    /// <summary>Asked, but no answer came: it may or may not have been done.</summary>
    Unknown,

    /// <summary>Held.</summary>
    Held,

    /// <summary>Refused for a reason that keeps nothing (sold out, over the limit).</summary>
    Refused,

    /// <summary>Confirmed.</summary>
    Confirmed,

    /// <summary>Cancelled.</summary>
    Cancelled,

    /// <summary>Expired.</summary>
    Expired,
}

/// <summary>What the shopper will do with a cart.</summary>
internal enum Plan
{
    Buy,
    PutBack,
    Abandon,
}

/// <summary>One hold in the shoppers' own book.</summary>
internal sealed record Cart(string Id, string Owner, long Quantity, Plan Plan, TimeSpan Ttl)
{
    /// <summary>What was told about the try.</summary>
    public Told Tried { get; set; }

    /// <summary>What was told about its end.</summary>
    public Told Ended { get; set; }
}

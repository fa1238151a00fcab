namespace Holdfast.Server.Outlets;

/// <summary>Where messages go.</summary>
internal interface IOutletSink : IAsyncDisposable
{
    /// <summary>How many may be underway at once.</summary>
    int AtOnce { get; }

    /// <summary>Sends one message; never throws for what the other side does.</summary>
    Task<Delivery> SendAsync(DueMessage message, CancellationToken cancellationToken);
}

/// <summary>What came of a delivery.</summary>
/// <param name="Taken">The other side has it.</param>
/// <param name="Text">In words.</param>
internal sealed record Delivery(bool Taken, string Text)
{
    /// <summary>The other side wants no more, ever (410).</summary>
    public bool Gone { get; init; }

    /// <summary>The other side is overloaded (429, 502, 504): everything slows down.</summary>
    public bool SlowDown { get; init; }

    /// <summary>Nobody is there: the attempt doesn't count (a broker that is away).</summary>
    public bool NobodyThere { get; init; }
}

using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Client;

/// <summary>What became of a call on a hold: its state, or why not.</summary>
public sealed record HoldResult
{
    /// <summary>The hold's id; the one that the client made when the request had none.</summary>
    public required string Id { get; init; }

    /// <summary>The state after the call, or null when it was refused.</summary>
    public HoldState? State { get; init; }

    /// <summary>The hold after the call. Null when refused, and for confirm, cancel and extend over RESP, whose answer is
    /// the state alone.</summary>
    public Hold? Hold { get; init; }

    /// <summary>Why not, or null when it was done. A refusal changed nothing.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>True when it was done (now, or by an earlier call with the same id).</summary>
    [MemberNotNullWhen(true, nameof(State))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Refusal is null;

    /// <summary>This result, for callers to whom a refusal is an error.</summary>
    /// <exception cref="HoldRefusedException">The call was refused.</exception>
    public HoldResult EnsureSucceeded() => Refusal is null ? this : throw new HoldRefusedException(Refusal);
}

/// <summary>What became of <see cref="IHoldfastClient.PutResourceAsync"/>.</summary>
public sealed record ResourceResult
{
    /// <summary>The resource after the call, or null when refused.</summary>
    public Resource? Resource { get; init; }

    /// <summary>Why not, or null when it was done. A refusal changed nothing.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>True when it was done.</summary>
    [MemberNotNullWhen(true, nameof(Resource))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Refusal is null;

    /// <summary>The resource, for callers to whom a refusal is an error.</summary>
    /// <exception cref="HoldRefusedException">The call was refused.</exception>
    public Resource EnsureSucceeded() => Succeeded ? Resource : throw new HoldRefusedException(Refusal);
}

/// <summary>What became of <see cref="IHoldfastClient.AdjustAsync"/>.</summary>
public sealed record AdjustmentResult
{
    /// <summary>The adjustment's id; the one that the client made when it had none.</summary>
    public required string Id { get; init; }

    /// <summary>Units available after the adjustment, or null when refused.</summary>
    public long? Available { get; init; }

    /// <summary>The resource after the call. Null when refused, and over RESP, whose answer is the available units alone.</summary>
    public Resource? Resource { get; init; }

    /// <summary>Why not, or null when it was done. A refusal changed nothing.</summary>
    public Refusal? Refusal { get; init; }

    /// <summary>True when it was done (now, or by an earlier call with the same id).</summary>
    [MemberNotNullWhen(true, nameof(Available))]
    [MemberNotNullWhen(false, nameof(Refusal))]
    public bool Succeeded => Refusal is null;

    /// <summary>This result, for callers to whom a refusal is an error.</summary>
    /// <exception cref="HoldRefusedException">The adjustment was refused.</exception>
    public AdjustmentResult EnsureSucceeded() => Refusal is null ? this : throw new HoldRefusedException(Refusal);
}

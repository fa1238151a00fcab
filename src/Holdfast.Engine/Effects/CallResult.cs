using Holdfast.Kernel;

namespace Holdfast.Engine.Effects;

/// <summary>What came of a call.</summary>
/// <param name="Outcome">What its status says.</param>
/// <param name="Text">The answer in words: <c>503</c>, <c>timeout after 10 s</c>, <c>409 not enough points</c>.</param>
/// <param name="RetryMs">When to ask again after an unknown outcome, in milliseconds: exponential, full jitter, capped.</param>
public readonly record struct CallResult(CallOutcome Outcome, string Text, long RetryMs)
{
    /// <summary>Whether the host, and not only this call, seems unwell: no answer, or a gateway's word that there is none.</summary>
    internal bool HostFails { get; init; }
}

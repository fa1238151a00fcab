using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// Holds and resources of one space, in this process. Every call may be repeated with the same id: it is carried out
/// once. Refusals are values, not exceptions; every answer that tells of state is durable when it comes. Cancelling a
/// wait doesn't undo what was sent: ask again by id. What is injected may be kept from before the host starts; a call before
/// Holdfast has started throws <see cref="HoldfastException"/>.
/// </summary>
public interface IHoldfast
{
    /// <summary>The space that these calls are for.</summary>
    string SpaceName { get; }

    /// <summary>The same calls for another space, which must exist.</summary>
    /// <exception cref="HoldfastException">No such space.</exception>
    IHoldfast In(string space);

    /// <summary>Makes a hold: all lines or none.</summary>
    ValueTask<Outcome<HoldView>> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default);

    /// <summary>
    /// Consumes a hold: everything (<paramref name="lines"/> null; an empty list is <c>invalid</c>), or the lines named; the rest is
    /// released unless <paramref name="keepRemainder"/>.
    /// </summary>
    ValueTask<Outcome<HoldView>> ConfirmAsync(string id, IReadOnlyList<HoldLine>? lines = null, bool keepRemainder = false, CancellationToken cancellationToken = default);

    /// <summary>Releases a hold. Of an unknown id it leaves a tombstone, and a late try is refused.</summary>
    ValueTask<Outcome<HoldView>> CancelAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Sets a live hold's deadline to now plus <paramref name="ttl"/>, up to the longest life of a hold.</summary>
    ValueTask<Outcome<HoldView>> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default);

    /// <summary>Puts consumed units of a hold back; idempotent by return id. The reason must not be empty.</summary>
    ValueTask<Outcome<HoldView>> ReturnAsync(string id, string returnId, IReadOnlyList<HoldLine> lines, string reason, CancellationToken cancellationToken = default);

    /// <summary>Reads a hold; <c>not_found</c> when there is none.</summary>
    ValueTask<Outcome<HoldView>> GetHoldAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Creates a resource or replaces its whole policy.</summary>
    ValueTask<Outcome<ResourceView>> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default);

    /// <summary>Changes a resource's supply; idempotent by adjustment id.</summary>
    ValueTask<Outcome<ResourceView>> AdjustAsync(string resource, SupplyAdjustment adjustment, CancellationToken cancellationToken = default);

    /// <summary>Reads a resource; <c>unknown_resource</c> when there is none.</summary>
    ValueTask<Outcome<ResourceView>> GetResourceAsync(string id, CancellationToken cancellationToken = default);
}

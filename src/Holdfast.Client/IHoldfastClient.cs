namespace Holdfast.Client;

/// <summary>
/// A space of a Holdfast server: hold scarce things, then consume or release them. Safe for any number of concurrent
/// callers; make one per space and keep it.
/// </summary>
/// <remarks>
/// <para>A business refusal (sold out, not open, not the owner, ...) is a value in the result, never an exception.</para>
/// <para>Every call that changes something carries an id (yours, or one that the client makes), so repeating it is
/// harmless. An overloaded server, a lost connection and an unknown outcome are therefore retried under the same id
/// within the bounds of <see cref="RetryOptions"/>.</para>
/// <para>Each call may throw <see cref="HoldfastUnavailableException"/> (retries exhausted),
/// <see cref="HoldfastDeniedException"/> (key missing, wrong or without the role),
/// <see cref="HoldfastProtocolException"/> (the other side does not speak this protocol, or has no such space) and
/// <see cref="OperationCanceledException"/>. After the last one the outcome is unknown: the call may have been sent.</para>
/// <para>An id that is null, empty or not valid UTF-16 is an <see cref="ArgumentException"/>; in a line it is refused
/// <see cref="RefusalCode.Invalid"/>.</para>
/// <para>The value tasks are pooled: await each once.</para>
/// </remarks>
public interface IHoldfastClient : IAsyncDisposable
{
    /// <summary>The calls on transactions. Always over HTTP.</summary>
    TransactionsClient Transactions { get; }

    /// <summary>The calls on checkouts and payments. HTTP only: a RESP client needs <see cref="HoldfastClientOptions.HttpAddress"/> as well.</summary>
    CheckoutsClient Checkouts { get; }

    /// <summary>Holds, resources and movements as lists. HTTP only: a RESP client needs <see cref="HoldfastClientOptions.HttpAddress"/> as well.</summary>
    ListsClient Lists { get; }

    /// <summary>Reserves all lines until the deadline, or none. Idempotent by <see cref="HoldRequest.Id"/>.</summary>
    ValueTask<HoldResult> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default);

    /// <summary>Consumes what is held, or the smaller part that <paramref name="request"/> names. Idempotent: the same
    /// confirm again gets the same answer, other quantities get <see cref="RefusalCode.Conflict"/>.</summary>
    ValueTask<HoldResult> ConfirmAsync(string id, ConfirmRequest? request = null, CancellationToken cancellationToken = default);

    /// <summary>Releases what is held. Idempotent, and also succeeds for an id never seen or already expired; a later
    /// try under that id is then refused, so a late duplicate can't hold again.</summary>
    ValueTask<HoldResult> CancelAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Moves the deadline to <paramref name="ttl"/> from now by the server's clock; the server caps the total life.</summary>
    /// <param name="id">The hold's id.</param>
    /// <param name="ttl">Time to live from now; sent in whole seconds, rounded up; more than zero.</param>
    /// <param name="cancellationToken">Gives up waiting; the outcome is then unknown.</param>
    ValueTask<HoldResult> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default);

    /// <summary>Puts consumed units of a confirmed hold back on offer. Idempotent by <see cref="ReturnRequest.Id"/>.
    /// HTTP only: a RESP client needs <see cref="HoldfastClientOptions.HttpAddress"/> as well.</summary>
    ValueTask<HoldResult> ReturnAsync(string holdId, ReturnRequest request, CancellationToken cancellationToken = default);

    /// <summary>The hold as it is, or null when the id is not known (never seen, or forgotten after the retention).</summary>
    ValueTask<Hold?> GetHoldAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Creates the resource or replaces its policy; the quantities stay as they are. Idempotent.
    /// HTTP only: a RESP client needs <see cref="HoldfastClientOptions.HttpAddress"/> as well.</summary>
    ValueTask<ResourceResult> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default);

    /// <summary>The resource as it is, or null when it is unknown.</summary>
    ValueTask<Resource?> GetResourceAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Changes the supply of a resource. Idempotent by <see cref="Adjustment.Id"/>. A delta without force goes
    /// over either transport; the other forms are HTTP only.</summary>
    ValueTask<AdjustmentResult> AdjustAsync(string resource, Adjustment adjustment, CancellationToken cancellationToken = default);
}

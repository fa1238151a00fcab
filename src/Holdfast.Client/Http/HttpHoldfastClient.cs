namespace Holdfast.Client;

/// <summary>Holdfast over HTTP and JSON.</summary>
public sealed class HttpHoldfastClient : IHoldfastClient
{
    /// <summary>Does no I/O: the first call connects.</summary>
    public HttpHoldfastClient(HoldfastClientOptions options) => ArgumentNullException.ThrowIfNull(options);

    /// <inheritdoc/>
    public ValueTask<HoldResult> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<HoldResult> ConfirmAsync(string id, ConfirmRequest? request = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<HoldResult> CancelAsync(string id, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<HoldResult> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<HoldResult> ReturnAsync(string holdId, ReturnRequest request, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Hold?> GetHoldAsync(string id, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<ResourceResult> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<Resource?> GetResourceAsync(string id, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask<AdjustmentResult> AdjustAsync(string resource, Adjustment adjustment, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}

using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>
/// Holds and resources as lists, over HTTP, fetched page by page while they are read. They come from the server's views,
/// which may be behind while a sale is on; a single thing is told as it is by <see cref="IHoldfastClient.GetHoldAsync"/> and
/// <see cref="IHoldfastClient.GetResourceAsync"/>.
/// </summary>
public sealed class ListsClient
{
    private readonly HttpChannel _channel;

    internal ListsClient(HttpChannel channel) => _channel = channel;

    /// <summary>All known holds in the order in which they were made.</summary>
    /// <param name="owner">Only this owner's; null: all.</param>
    /// <param name="state">Only in this state; null: all.</param>
    /// <param name="resource">Only those with a line on this resource; null: all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<ListedHold> HoldsAsync(
        string? owner = null, HoldState? state = null, string? resource = null, CancellationToken cancellationToken = default)
    {
        string filter = (owner is null ? "" : "&owner=" + Uri.EscapeDataString(Requests.Id(owner, nameof(owner))))
            + (state is { } wanted ? "&state=" + wanted.ToString().ToLowerInvariant() : "")
            + (resource is null ? "" : "&resource=" + Uri.EscapeDataString(Requests.Id(resource, nameof(resource))));
        return _channel.ListAsync("holds", filter, ListJson.Default.PageBodyListedHoldBody, cancellationToken)
            .Select(item => new ListedHold(item.ToHold(), item.CreatedAt, item.FinishedAt, item.Sequence));
    }

    /// <summary>All resources in the order of their ids.</summary>
    /// <param name="prefix">Only those whose id begins with this; null: all.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<Resource> ResourcesAsync(string? prefix = null, CancellationToken cancellationToken = default)
    {
        string filter = string.IsNullOrEmpty(prefix) ? "" : "&prefix=" + Uri.EscapeDataString(prefix);
        return _channel.ListAsync("resources", filter, ListJson.Default.PageBodyResourceBody, cancellationToken).Select(item => item.ToResource());
    }

    /// <summary>What happened to a resource, oldest first; nothing when there is no such resource.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public IAsyncEnumerable<Movement> MovementsAsync(string resource, CancellationToken cancellationToken = default) =>
        _channel.ListAsync($"resources/{HttpChannel.Segment(resource)}/movements", "", ListJson.Default.PageBodyMovement, cancellationToken);
}

using System.Runtime.CompilerServices;
using System.Text.Json;
using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>
/// The calls on checkouts, over HTTP. Every call may be repeated with the same id, and is by itself when an answer is lost.
/// Refusals are values.
/// <code>
/// Checkout order = (await client.Checkouts.BeginAsync(new("order-17", "ann", "stripe", new(4999, "EUR"), new HoldLine("sku-1", 1)))).EnsureSucceeded();
/// // send the shopper to order.PayUrl, then:
/// Checkout? now = await client.Checkouts.FindAsync("order-17", wait: TimeSpan.FromSeconds(30));
/// </code>
/// </summary>
public sealed class CheckoutsClient
{
    // A new checkout's answer waits up to 10 seconds for the provider's order.
    private static readonly TimeSpan OrderWait = TimeSpan.FromSeconds(10);

    private readonly HttpChannel _channel;
    private readonly HoldfastClientOptions _options;

    internal CheckoutsClient(HttpChannel channel, HoldfastClientOptions options)
    {
        _channel = channel;
        _options = options;
    }

    /// <summary>Holds the units and opens the order at the provider.</summary>
    /// <param name="request">What is bought, by whom, for how much.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer; what was sent stands.</param>
    public Task<CheckoutResult> BeginAsync(CheckoutRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var body = new CheckoutBeginBody(
            HttpChannel.PathId(request.Id, nameof(request)),
            request.Owner,
            [.. request.Lines.Select(l => new LineBody(l.Resource, l.Quantity))],
            request.Amount,
            request.Channel,
            (decimal?)request.Ttl?.TotalSeconds,
            _options.TimeProvider.GetUtcNow());
        return PostAsync("checkouts", JsonSerializer.SerializeToUtf8Bytes(body, CheckoutJson.Default.CheckoutBeginBody), request.Id, null, cancellationToken, OrderWait);
    }

    /// <summary>Reads a checkout; with a wait, when it is paid, ended or conflicted, or the time is over. Null: there is none.</summary>
    /// <param name="id">The checkout.</param>
    /// <param name="wait">How long to wait for its outcome, at most 60 seconds; null: not at all.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async Task<Checkout?> FindAsync(string id, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        (await _channel.FindAsync(Path(id, ""), CheckoutJson.Default.CheckoutStateBody, cancellationToken, wait).ConfigureAwait(false))?.ToCheckout();

    /// <summary>Cancels a checkout that is not paid. Its order is closed at the provider first, so it may answer <c>closing</c>, or turn out paid.</summary>
    public Task<CheckoutResult> CancelAsync(string id, string? reason = null, TimeSpan? wait = null, CancellationToken cancellationToken = default) =>
        PostAsync(Path(id, "/cancel"), JsonSerializer.SerializeToUtf8Bytes(new AbortBody(reason), CheckoutJson.Default.AbortBody), id, wait, cancellationToken);

    /// <summary>Sends money back. Idempotent by the refund's id; the sum never exceeds what was paid (<c>exceeds_paid</c>).</summary>
    /// <param name="id">The checkout.</param>
    /// <param name="refund">The refund's id.</param>
    /// <param name="reason">Why; kept in the journal.</param>
    /// <param name="amount">How much; null: all that is left.</param>
    /// <param name="transaction">Of which payment; null: the order's.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    public Task<CheckoutResult> RefundAsync(
        string id, string refund, string reason, Money? amount = null, string? transaction = null, CancellationToken cancellationToken = default)
    {
        var body = new RefundBody(refund, amount, transaction, reason);
        return PostAsync(Path(id, "/refunds"), JsonSerializer.SerializeToUtf8Bytes(body, CheckoutJson.Default.RefundBody), id, null, cancellationToken);
    }

    /// <summary>Decides about a payment of another amount: takes it as it is, or sends it back. Needs the role <c>approve</c>.</summary>
    public Task<CheckoutResult> ResolveAsync(string id, bool accept, string reason, CancellationToken cancellationToken = default)
    {
        var body = new ResolveBody(accept ? "accept" : "refund", reason);
        return PostAsync(Path(id, "/resolve"), JsonSerializer.SerializeToUtf8Bytes(body, CheckoutJson.Default.ResolveBody), id, null, cancellationToken);
    }

    /// <summary>Has calls to the provider that gave up made again now. Needs the role <c>operate</c>.</summary>
    public Task<CheckoutResult> RetryAsync(string id, CancellationToken cancellationToken = default) =>
        PostAsync(Path(id, "/retry"), null, id, null, cancellationToken);

    /// <summary>All known checkouts in the order in which they began.</summary>
    /// <param name="state">Only in this state; null: all.</param>
    /// <param name="stuck">Only those that wait for an operator.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async IAsyncEnumerable<Checkout> ListAsync(CheckoutState? state = null, bool stuck = false, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string query = stuck ? "&state=stuck" : state is { } wanted ? "&state=" + wanted.ToString().ToLowerInvariant() : "";
        await foreach (CheckoutStateBody item in _channel.ListAsync("checkouts", query, CheckoutJson.Default.PageBodyCheckoutStateBody, cancellationToken).ConfigureAwait(false))
        {
            yield return item.ToCheckout();
        }
    }

    private async Task<CheckoutResult> PostAsync(string path, byte[]? body, string id, TimeSpan? wait, CancellationToken cancellationToken, TimeSpan? patience = null)
    {
        HttpAnswer<CheckoutStateBody> answer = await _channel
            .SendAsync(HttpMethod.Post, path, body, CheckoutJson.Default.CheckoutStateBody, id, cancellationToken, wait, patience).ConfigureAwait(false);
        return new CheckoutResult { Checkout = answer.Body?.ToCheckout(), Refusal = answer.Refusal };
    }

    private static string Path(string id, string action) => "checkouts/" + HttpChannel.Segment(id) + action;
}

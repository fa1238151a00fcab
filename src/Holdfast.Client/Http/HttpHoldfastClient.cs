using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>Holdfast over HTTP and JSON: every call of the interface, at an HTTP request each.</summary>
public sealed class HttpHoldfastClient : IHoldfastClient
{
    private readonly HoldfastClientOptions _options;
    private readonly HttpChannel _channel;
    private readonly HttpClient _http;
    private readonly bool _owned;

    /// <summary>Makes its own connection pool. Does no I/O: the first call connects.</summary>
    /// <exception cref="ArgumentException">The options are not usable; the message names the property.</exception>
    public HttpHoldfastClient(HoldfastClientOptions options)
        : this(NewHttpClient(options), options) => _owned = true;

    /// <summary>Uses an <see cref="HttpClient"/> made elsewhere (IHttpClientFactory), which stays the caller's to dispose.
    /// Its <c>BaseAddress</c> is used when <see cref="HoldfastClientOptions.HttpAddress"/> is null. Handlers in it must not
    /// retry by themselves: this client does, and knows what is safe.</summary>
    public HttpHoldfastClient(HttpClient http, HoldfastClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(http);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _http = http;
        _options = options;
        _channel = new HttpChannel(http, options);
        Transactions = new TransactionsClient(_channel, options, http);
        Checkouts = new CheckoutsClient(_channel, options);
        Lists = new ListsClient(_channel);
    }

    /// <inheritdoc/>
    public TransactionsClient Transactions { get; }

    /// <inheritdoc/>
    public CheckoutsClient Checkouts { get; }

    /// <inheritdoc/>
    public ListsClient Lists { get; }

    /// <inheritdoc/>
    public async ValueTask<HoldResult> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        Requests.CheckOwner(request.Owner, nameof(request));
        var id = HttpChannel.PathId(request.Id ?? _options.MakeId(), nameof(request));
        long? ttlSeconds = request.Ttl is { } ttl ? Requests.Seconds(ttl) : null;
        if (Requests.CheckLines(request.Lines) is { } invalid)
        {
            return new HoldResult { Id = id, Refusal = invalid };
        }

        var body = new TryBody(id, request.Owner, ttlSeconds, _options.TimeProvider.GetUtcNow(), Lines(request.Lines)!);
        return await PostHoldAsync("holds", Bytes(body, WireJson.Default.TryBody), id, id, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> ConfirmAsync(string id, ConfirmRequest? request = null, CancellationToken cancellationToken = default)
    {
        var path = $"holds/{HttpChannel.Segment(id)}/confirm";
        if (request?.Lines is { } lines && Requests.CheckLines(lines) is { } invalid)
        {
            return new(new HoldResult { Id = id, Refusal = invalid });
        }

        var body = request is null or { Lines: null, KeepRemainder: false }
            ? null
            : Bytes(new ConfirmBody(Lines(request.Lines), request.KeepRemainder ? true : null), WireJson.Default.ConfirmBody);
        return PostHoldAsync(path, body, id, id, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> CancelAsync(string id, CancellationToken cancellationToken = default) =>
        PostHoldAsync($"holds/{HttpChannel.Segment(id)}/cancel", null, id, id, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<HoldResult> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default) =>
        PostHoldAsync(
            $"holds/{HttpChannel.Segment(id)}/extend", Bytes(new ExtendBody(Requests.Seconds(ttl)), WireJson.Default.ExtendBody), id, id, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<HoldResult> ReturnAsync(string holdId, ReturnRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var path = $"holds/{HttpChannel.Segment(holdId)}/returns";
        var id = Requests.Id(request.Id ?? _options.MakeId(), nameof(request));
        if ((Requests.CheckLines(request.Lines) ?? Requests.CheckReason(request.Reason)) is { } invalid)
        {
            return new(new HoldResult { Id = holdId, Refusal = invalid });
        }

        var body = Bytes(new ReturnBody(id, Lines(request.Lines)!, Requests.Reason(request.Reason)), WireJson.Default.ReturnBody);
        return PostHoldAsync(path, body, holdId, id, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<Hold?> GetHoldAsync(string id, CancellationToken cancellationToken = default) =>
        (await _channel.FindAsync($"holds/{HttpChannel.Segment(id)}", WireJson.Default.HoldBody, cancellationToken).ConfigureAwait(false))?.ToHold();

    /// <inheritdoc/>
    public async ValueTask<ResourceResult> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var body = new PolicyBody(
            policy.LimitPerOwner, policy.OpensAt, policy.ClosesAt, policy.Owner, policy.Overdraft, policy.HoldSeconds, policy.Disabled, policy.SafetyStock);
        var answer = await _channel.SendAsync(
            HttpMethod.Put,
            $"resources/{HttpChannel.Segment(id)}",
            Bytes(body, WireJson.Default.PolicyBody),
            WireJson.Default.ResourceBody,
            id,
            cancellationToken).ConfigureAwait(false);
        return new ResourceResult { Resource = answer.Body?.ToResource(), Refusal = answer.Refusal };
    }

    /// <inheritdoc/>
    public async ValueTask<Resource?> GetResourceAsync(string id, CancellationToken cancellationToken = default) =>
        (await _channel.FindAsync($"resources/{HttpChannel.Segment(id)}", WireJson.Default.ResourceBody, cancellationToken).ConfigureAwait(false))?.ToResource();

    /// <inheritdoc/>
    public async ValueTask<AdjustmentResult> AdjustAsync(string resource, Adjustment adjustment, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(adjustment);
        var path = $"resources/{HttpChannel.Segment(resource)}/adjustments";
        var id = Requests.Id(adjustment.Id ?? _options.MakeId(), nameof(adjustment));
        if (Requests.CheckReason(adjustment.Reason) is { } invalid)
        {
            return new AdjustmentResult { Id = id, Refusal = invalid };
        }

        var body = new AdjustBody(
            id, adjustment.Delta, adjustment.Set, adjustment.ExpectedVersion, Requests.Reason(adjustment.Reason), adjustment.Force ? true : null);
        var answer = await _channel.SendAsync(
            HttpMethod.Post,
            path,
            Bytes(body, WireJson.Default.AdjustBody),
            WireJson.Default.ResourceBody,
            id,
            cancellationToken).ConfigureAwait(false);
        return new AdjustmentResult
        {
            Id = id,
            Available = answer.Body?.Available,
            Resource = answer.Body?.ToResource(),
            Refusal = answer.Refusal,
        };
    }

    /// <summary>Closes the connections, when they are its own.</summary>
    public ValueTask DisposeAsync()
    {
        if (_owned)
        {
            _http.Dispose();
        }

        return default;
    }

    private async ValueTask<HoldResult> PostHoldAsync(
        string path, byte[]? body, string holdId, string idempotencyId, CancellationToken cancellationToken)
    {
        var answer = await _channel.SendAsync(
            HttpMethod.Post, path, body, WireJson.Default.HoldBody, idempotencyId, cancellationToken).ConfigureAwait(false);
        var hold = answer.Body?.ToHold();
        return new HoldResult { Id = holdId, State = hold?.State, Hold = hold, Refusal = answer.Refusal };
    }

    private static LineBody[]? Lines(IReadOnlyList<HoldLine>? lines) =>
        lines?.Select(line => new LineBody(line.Resource, line.Quantity)).ToArray();

    private static byte[] Bytes<T>(T body, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(body, type);

    private static HttpClient NewHttpClient(HoldfastClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            // A server behind a name may move.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // A redirect means a wrong address; following it would turn a POST into a GET.
            AllowAutoRedirect = false,
            UseCookies = false,
        };
        // The channel bounds each attempt by itself, with the injected clock.
        return new HttpClient(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }
}

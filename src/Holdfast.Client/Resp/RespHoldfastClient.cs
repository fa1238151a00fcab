using System.Runtime.CompilerServices;
using Holdfast.Client.Resp;
using Holdfast.Client.Retries;

namespace Holdfast.Client;

/// <summary>
/// The fast client: one TCP connection for all callers, pipelined by itself. What many callers ask at the same time goes
/// out as one write and is answered in order. Reconnects by itself; what was in flight is asked again under the same ids.
/// </summary>
/// <remarks>
/// <para>Calls without a RESP form (returns, policies, absolute or forced adjustments) go over HTTP when
/// <see cref="HoldfastClientOptions.HttpAddress"/> is set, and throw <see cref="NotSupportedException"/> when not.</para>
/// <para>Beyond the commands of plain Holdfast RESP this client uses three forms that are Holdfast's own extension:
/// <c>ttl@unixMilliseconds</c> as the ttl of <c>HOLD.TRY</c> (the time of the first attempt; <c>0@...</c> is the default
/// ttl), <c>HOLD.CONFIRM id [KEEP] [resource quantity ...]</c>, and <c>HOLD.EXTEND id ttl-seconds</c>, which answers
/// <c>+held</c>.</para>
/// </remarks>
public sealed class RespHoldfastClient : IHoldfastClient
{
    private readonly HoldfastClientOptions _options;
    private readonly Backoff _backoff;
    private readonly PendingCommand.Pool _pool;
    private readonly RespConnector _connector;
    private readonly HttpHoldfastClient? _http;

    /// <summary>Does no I/O: the first call connects.</summary>
    /// <exception cref="ArgumentException">The options are not usable; the message names the property.</exception>
    public RespHoldfastClient(HoldfastClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _backoff = new Backoff(options.Retry, options.Random);
        _pool = new PendingCommand.Pool(options.PendingCommandsMax);
        _connector = new RespConnector(options, _backoff, _pool);
        _http = options.HttpAddress is null ? null : new HttpHoldfastClient(options);
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Transactions go over HTTP: set <see cref="HoldfastClientOptions.HttpAddress"/> too.</exception>
    public TransactionsClient Transactions => _http?.Transactions
        ?? throw new NotSupportedException($"Transactions go over HTTP: set {nameof(HoldfastClientOptions)}.{nameof(HoldfastClientOptions.HttpAddress)} too.");

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Checkouts go over HTTP: set <see cref="HoldfastClientOptions.HttpAddress"/> too.</exception>
    public CheckoutsClient Checkouts => _http?.Checkouts
        ?? throw new NotSupportedException($"Checkouts go over HTTP: set {nameof(HoldfastClientOptions)}.{nameof(HoldfastClientOptions.HttpAddress)} too.");

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Lists go over HTTP: set <see cref="HoldfastClientOptions.HttpAddress"/> too.</exception>
    public ListsClient Lists => _http?.Lists
        ?? throw new NotSupportedException($"Lists go over HTTP: set {nameof(HoldfastClientOptions)}.{nameof(HoldfastClientOptions.HttpAddress)} too.");

    /// <summary>The last connection (for tests and measurements).</summary>
    internal RespConnection? Connection => _connector.Last;

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<HoldResult> TryHoldAsync(HoldRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        Requests.CheckOwner(request.Owner, nameof(request));
        var id = Requests.Id(request.Id ?? _options.MakeId(), nameof(request));
        var ttlSeconds = request.Ttl is { } ttl ? Requests.Seconds(ttl) : 0;
        if (Requests.CheckLines(request.Lines) is { } invalid)
        {
            return new HoldResult { Id = id, Refusal = invalid };
        }

        var issuedAtMs = _options.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds();
        var reply = await SendAsync(new TryHoldCommand(id, request, ttlSeconds, issuedAtMs), id, cancellationToken).ConfigureAwait(false);
        if (RespReplies.ToRefusal(reply) is { } refusal)
        {
            return new HoldResult { Id = id, Refusal = refusal };
        }

        var state = RespReplies.ToState(reply);
        return new HoldResult
        {
            Id = id,
            State = state,
            Hold = new Hold { Id = id, Owner = request.Owner, State = state, Lines = request.Lines },
        };
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> ConfirmAsync(string id, ConfirmRequest? request = null, CancellationToken cancellationToken = default)
    {
        Requests.Id(id, nameof(id));
        return request?.Lines is { } lines && Requests.CheckLines(lines) is { } invalid
            ? new(new HoldResult { Id = id, Refusal = invalid })
            : StateAsync(new ConfirmCommand(id, request), id, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> CancelAsync(string id, CancellationToken cancellationToken = default)
    {
        Requests.Id(id, nameof(id));
        return StateAsync(new UnaryCommand("HOLD.CANCEL", id), id, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> ExtendAsync(string id, TimeSpan ttl, CancellationToken cancellationToken = default)
    {
        Requests.Id(id, nameof(id));
        return StateAsync(new ExtendCommand(id, Requests.Seconds(ttl)), id, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<HoldResult> ReturnAsync(string holdId, ReturnRequest request, CancellationToken cancellationToken = default) =>
        Http("A return").ReturnAsync(holdId, request, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<Hold?> GetHoldAsync(string id, CancellationToken cancellationToken = default)
    {
        Requests.Id(id, nameof(id));
        var reply = await SendAsync(new UnaryCommand("HOLD.GET", id), id: null, cancellationToken).ConfigureAwait(false);
        return IsMissing(reply) ? null : RespReplies.ToHold(reply);
    }

    /// <inheritdoc/>
    public ValueTask<ResourceResult> PutResourceAsync(string id, ResourcePolicy policy, CancellationToken cancellationToken = default) =>
        Http("Setting a policy").PutResourceAsync(id, policy, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<Resource?> GetResourceAsync(string id, CancellationToken cancellationToken = default)
    {
        Requests.Id(id, nameof(id));
        var reply = await SendAsync(new UnaryCommand("STOCK.GET", id), id: null, cancellationToken).ConfigureAwait(false);
        return IsMissing(reply) ? null : RespReplies.ToResource(reply);
    }

    /// <inheritdoc/>
    public async ValueTask<AdjustmentResult> AdjustAsync(string resource, Adjustment adjustment, CancellationToken cancellationToken = default)
    {
        Requests.Id(resource, nameof(resource));
        ArgumentNullException.ThrowIfNull(adjustment);
        if (adjustment.Delta is not { } delta || adjustment.Force)
        {
            return await Http("An absolute or forced adjustment").AdjustAsync(resource, adjustment, cancellationToken).ConfigureAwait(false);
        }

        var id = Requests.Id(adjustment.Id ?? _options.MakeId(), nameof(adjustment));
        if (Requests.CheckReason(adjustment.Reason) is { } invalid)
        {
            return new AdjustmentResult { Id = id, Refusal = invalid };
        }

        var reply = await SendAsync(new AdjustCommand(resource, id, delta, Requests.Reason(adjustment.Reason)), id, cancellationToken).ConfigureAwait(false);
        return RespReplies.ToRefusal(reply) is { } refusal
            ? new AdjustmentResult { Id = id, Refusal = refusal }
            : new AdjustmentResult { Id = id, Available = RespReplies.ToInteger(reply) };
    }

    /// <summary>Closes the connection. Calls that still wait fail with <see cref="ObjectDisposedException"/>; their outcome is unknown.</summary>
    public async ValueTask DisposeAsync()
    {
        _connector.Dispose();
        if (_http is not null)
        {
            await _http.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static bool IsMissing(in RespValue reply)
    {
        if (RespReplies.ToRefusal(reply) is not { } refusal)
        {
            return reply.Kind == RespKind.Null;
        }

        return refusal.Code is RefusalCode.NotFound or RefusalCode.UnknownResource ? true : throw new HoldRefusedException(refusal);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<HoldResult> StateAsync<TCommand>(TCommand command, string id, CancellationToken cancellationToken)
        where TCommand : struct, IRespCommand
    {
        var reply = await SendAsync(command, id, cancellationToken).ConfigureAwait(false);
        return RespReplies.ToRefusal(reply) is { } refusal
            ? new HoldResult { Id = id, Refusal = refusal }
            : new HoldResult { Id = id, State = RespReplies.ToState(reply) };
    }

    private HttpHoldfastClient Http(string what) => _http ?? throw new NotSupportedException(
        $"{what} has no RESP form. Set {nameof(HoldfastClientOptions.HttpAddress)} as well, and it goes over HTTP.");

    // The first attempt on a live connection: no timer and no linked token, the connection itself bounds the wait.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<RespValue> SendAsync<TCommand>(TCommand command, string? id, CancellationToken cancellationToken)
        where TCommand : struct, IRespCommand
    {
        cancellationToken.ThrowIfCancellationRequested();
        var startedAt = _options.TimeProvider.GetTimestamp();
        AttemptFailure? failure = null;
        if (_connector.Current is { } connection)
        {
            var pending = _pool.Rent();
            connection.Enqueue(command, pending);
            var completion = await pending.WaitAsync(cancellationToken).ConfigureAwait(false);
            failure = Failure(completion);
            if (failure is null)
            {
                return completion.Reply;
            }
        }

        return await RetryAsync(command, failure, new RetrySession(_options, _backoff, startedAt, id), cancellationToken).ConfigureAwait(false);
    }

    private async Task<RespValue> RetryAsync<TCommand>(
        TCommand command, AttemptFailure? firstFailure, RetrySession session, CancellationToken cancellationToken)
        where TCommand : struct, IRespCommand
    {
        if (firstFailure is { } first)
        {
            await session.PauseAsync(first, cancellationToken).ConfigureAwait(false);
        }

        while (true)
        {
            var mayHaveExecuted = false;
            AttemptFailure failure;
            using var budget = new CancellationTokenSource(Max(session.Remaining, TimeSpan.Zero), _options.TimeProvider);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(budget.Token, cancellationToken);
            try
            {
                var opened = await _connector.OpenAsync().WaitAsync(either.Token).ConfigureAwait(false);
                failure = opened.Failure;
                if (opened.Connection is { } connection)
                {
                    mayHaveExecuted = true;
                    var pending = _pool.Rent();
                    connection.Enqueue(command, pending);
                    var completion = await pending.WaitAsync(either.Token).ConfigureAwait(false);
                    if (Failure(completion) is not { } failed)
                    {
                        return completion.Reply;
                    }

                    failure = failed;
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw session.TimedOut(mayHaveExecuted);
            }
            catch (OperationCanceledException)
            {
                // Not the linked token, of which the caller knows nothing.
                throw new OperationCanceledException(cancellationToken);
            }

            await session.PauseAsync(failure, cancellationToken).ConfigureAwait(false);
        }
    }

    private static AttemptFailure? Failure(in Completion completion) => completion.Kind switch
    {
        _ when completion.Cause is RespFormatException e => throw RespReplies.NotResp(e),
        CompletionKind.Reply => RespReplies.RetryableFailure(completion.Reply),
        CompletionKind.Lost => new AttemptFailure(MayHaveExecuted: true, completion.Reason!, Cause: completion.Cause),
        _ => new AttemptFailure(MayHaveExecuted: false, completion.Reason!, Cause: completion.Cause),
    };

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}

using System.Collections.Concurrent;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine.Payments;

/// <summary>
/// Makes the calls to payment providers that the spaces demand, and brings each answer back as a command. Each channel has
/// its own bound, so that one that doesn't answer never delays another's. What isn't answered in time is unknown, and asked
/// again under the same id.
/// </summary>
public sealed partial class PaymentHost : IAsyncDisposable, IDisposable
{
    private static readonly TimeSpan BringAgainAfter = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<string, SemaphoreSlim> _lanes = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private readonly HttpMessageInvoker _http;
    private readonly PaymentOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<ulong> _random;
    private readonly ILogger _logger;
    private int _active;
    private long _made;

    /// <summary>Attaches to every space that the host opens from now on.</summary>
    public PaymentHost(SpaceHost host, PaymentOptions options, TimeProvider time, Func<ulong> random, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(host);
        _options = options;
        _time = time;
        _random = random;
        _logger = loggers.CreateLogger("Holdfast.Payments");
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            MaxConnectionsPerServer = options.MaxCallsPerChannel,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = TimeSpan.FromSeconds(5),
            ActivityHeadersPropagator = null,
        });
        Channels = new PaymentChannels(_http, time, random);
        host.SpaceOpened += space => space.PaymentCallDue += call => _ = MakeAsync(space, call);
    }

    /// <summary>The channels in use.</summary>
    public PaymentChannels Channels { get; }

    /// <summary>Calls underway.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Calls made so far.</summary>
    public long Made => Interlocked.Read(ref _made);

    /// <summary>Stops making calls: what is underway is made again by whoever starts next.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        _http.Dispose();
    }

    /// <summary>The same, and blocks until it is done: for containers that are disposed synchronously.</summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private async Task MakeAsync(Space space, PaymentCall call)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // raised on the journal's thread
        SemaphoreSlim lane = _lanes.GetOrAdd(call.Channel, _ => new SemaphoreSlim(_options.MaxCallsPerChannel));
        try
        {
            PaymentResult result;
            await lane.WaitAsync(_stopping.Token);
            Interlocked.Increment(ref _active);
            try
            {
                result = await AskAsync(space, call);
            }
            finally
            {
                Interlocked.Decrement(ref _active);
                lane.Release();
            }

            Interlocked.Increment(ref _made);
            await BringAsync(space, call, result);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Made again after the next start.
        }
    }

    /// <summary>Whatever goes wrong, the outcome is unknown: never failed.</summary>
    private async Task<PaymentResult> AskAsync(Space space, PaymentCall call)
    {
        if (Channels.Find(call.Channel) is not { MakesCalls: true } channel)
        {
            return new PaymentResult(PaymentOutcome.Unknown, $"channel '{call.Channel}' is not configured to make calls");
        }

        using var late = new CancellationTokenSource(_options.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _stopping.Token);
        var order = new PaymentOrder(space.Name, call.Order, call.Amount, call.Currency, call.ProviderOrder, DateTimeOffset.FromUnixTimeMilliseconds(call.DeadlineMs));
        RefundOrder? refund = call.Refund is { } r
            ? new RefundOrder(order, r.Transaction, r.PaidAmount, r.ProviderKey, r.Amount, r.Reason, r.ProviderRefund)
            : null;
        try
        {
            return await (call.Op switch
            {
                PaymentOp.Create => channel.CreateAsync(order, either.Token),
                PaymentOp.Query => channel.QueryAsync(order, either.Token),
                PaymentOp.Close => channel.CloseAsync(order, either.Token),
                PaymentOp.Refund => channel.RefundAsync(refund!, either.Token),
                _ => channel.QueryRefundAsync(refund!, either.Token),
            });
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            return new PaymentResult(PaymentOutcome.Unknown, "no answer in time");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or PaymentChannelException)
        {
            return new PaymentResult(PaymentOutcome.Unknown, e is HttpRequestException ? "no connection to the provider, or it broke" : e.Message);
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            Defect(_logger, call.Channel, call.Op.Text(), e);
            return new PaymentResult(PaymentOutcome.Unknown, "the channel met a defect; the log says which");
        }
    }

    private async Task BringAsync(Space space, PaymentCall call, PaymentResult result)
    {
        while (!_stopping.IsCancellationRequested)
        {
            Answer answer = await space.AskAsync(new AnswerPaymentCall(space.Hasher, call, result, RetryMs(call.Failures)));
            if (answer.Code is not (Code.Overloaded or Code.Unavailable) || space.Status == SpaceStatus.Stopped)
            {
                return;
            }

            await Task.Delay(BringAgainAfter, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Half fixed, half drawn: a provider that was away isn't asked by everybody at once, and nobody at once again.</summary>
    private long RetryMs(int failures)
    {
        double most = Math.Min(_options.BackoffMax.TotalMilliseconds, _options.BackoffBase.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 30)));
        double share = (_random() >> 11) * (1.0 / (1UL << 53));
        return Math.Max(10, (long)((most / 2) + (share * most / 2)));
    }

    [LoggerMessage(30, LogLevel.Error, "Channel {Channel}: a defect while making a {Op} call; its outcome counts as unknown.")]
    private static partial void Defect(ILogger logger, string channel, string op, Exception exception);
}

/// <summary>How calls to payment providers are made.</summary>
public sealed record PaymentOptions
{
    /// <summary>Most calls of one channel at once; the rest wait. Default 64.</summary>
    public int MaxCallsPerChannel { get; init; } = 64;

    /// <summary>How long an answer may take. Default 15 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The first wait after an unknown outcome; it doubles with each further one. Default 1 second.</summary>
    public TimeSpan BackoffBase { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait. Default 5 minutes.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromMinutes(5);
}

using Holdfast.Kernel;
using Polly.CircuitBreaker;

namespace Holdfast.Engine.Effects;

/// <summary>
/// Makes the calls that committed state demands, each host on a lane of its own: a host that is slow or down keeps its own
/// calls waiting and nobody else's. Holds no state that must survive: what it is working on is due again after a restart.
/// </summary>
public sealed class EffectDispatcher : IAsyncDisposable
{
    private readonly EffectOptions _options;
    private readonly TimeProvider _time;
    private readonly CallSender _sender;
    private readonly HttpMessageInvoker _http;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Dictionary<string, HostLane> _lanes = new(StringComparer.Ordinal);
    private readonly Queue<HostLane> _line = new();
    private readonly Lock _lock = new();
    private readonly long[] _outcomes = new long[4];
    private int _active;
    private int _waiting;

    /// <summary>A dispatcher; it makes no call by itself.</summary>
    /// <param name="options">Bounds and times.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Random bits: for jitter and span ids.</param>
    /// <param name="handler">What sends requests; null: sockets.</param>
    public EffectDispatcher(EffectOptions options, TimeProvider time, Func<ulong> random, HttpMessageHandler? handler = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Checked();
        _time = time;
        _http = new HttpMessageInvoker(handler ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // a redirect is no answer, and would send the signature elsewhere
            UseProxy = false,
            UseCookies = false,
            MaxConnectionsPerServer = options.MaxCallsPerHost,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // so that a host's new address is found
            ConnectTimeout = TimeSpan.FromSeconds(5),
            ActivityHeadersPropagator = null,
        });
        _sender = new CallSender(_http, options, time, random);
    }

    /// <summary>Calls underway.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Calls that wait for their host.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Answers so far by outcome.</summary>
    public long Answered(CallOutcome outcome) => Interlocked.Read(ref _outcomes[(int)outcome]);

    /// <summary>Hosts that are left alone for a while because they don't answer.</summary>
    public IReadOnlyList<string> BrokenHosts
    {
        get
        {
            lock (_lock)
            {
                return [.. _lanes.Values.Where(l => l.State != CircuitState.Closed).Select(l => l.Host)];
            }
        }
    }

    /// <summary>
    /// Makes a call as soon as its host's lane allows, unless it is not asked for any more by then. Never blocks.
    /// <paramref name="completed"/> is called once, from any thread, with the outcome; for a call that isn't made, and after
    /// disposal, it may not be called at all.
    /// </summary>
    public void Send(string space, DueCall call, Action<CallResult> completed)
    {
        ArgumentNullException.ThrowIfNull(call);
        string host = new Uri(call.Call.Url).GetLeftPart(UriPartial.Authority);
        lock (_lock)
        {
            if (!_lanes.TryGetValue(host, out HostLane? lane))
            {
                _lanes[host] = lane = new HostLane(host, _options, _time);
            }

            lane.Waiting.AddLast(new PendingCall(space, call, completed));
            _waiting++;
            Start(lane);
        }
    }

    /// <summary>Stops: breaks off what is underway. It is made again by whoever starts next.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _http.Dispose();
    }

    /// <summary>Starts what the lane, its breaker and the total allow. Under the lock.</summary>
    private void Start(HostLane lane)
    {
        while (First(lane) is { } first && !lane.Resting && lane.HasPlace(_options) && !_stopping.IsCancellationRequested)
        {
            if (_active >= _options.MaxCalls)
            {
                // Lanes get free places in turn, so a lane with many calls can't take them all.
                if (!lane.InLine)
                {
                    lane.InLine = true;
                    _line.Enqueue(lane);
                }

                return;
            }

            lane.Waiting.RemoveFirst();
            _waiting--;
            bool probes = lane.State != CircuitState.Closed;
            lane.Active++;
            lane.Probes += probes ? 1 : 0;
            _active++;
            _ = MakeAsync(lane, first, probes);
        }

        if (lane.IsIdle)
        {
            _lanes.Remove(lane.Host);
        }
    }

    /// <summary>The lane's first call that is still asked for; those before it are dropped. Under the lock.</summary>
    private PendingCall? First(HostLane lane)
    {
        while (lane.Waiting.First is { } first)
        {
            if (first.Value.Call.IsAwaited)
            {
                return first.Value;
            }

            lane.Waiting.RemoveFirst();
            _waiting--;
        }

        return null;
    }

    private async Task MakeAsync(HostLane lane, PendingCall pending, bool probes)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the caller holds the lock
        CallResult? result = null;
        TimeSpan? rest = null;
        try
        {
            DueCall call = pending.Call;
            if (call.DeadlineMs != 0 && call.DeadlineMs <= _time.GetUtcNow().ToUnixTimeMilliseconds())
            {
                result = _sender.NotSent(call, "the deadline passed");
            }
            else if (call.IsAwaited)
            {
                result = await lane.Breaker.ExecuteAsync(
                    static (state, stopping) => state._sender.SendAsync(state.pending.Space, state.pending.Call, stopping), (_sender, pending), _stopping.Token);
            }
        }
        catch (BrokenCircuitException e)
        {
            rest = e.RetryAfter is { Ticks: > 0 } left ? left : _options.BreakFor;
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever it was, the call's outcome is not known; it must not be forgotten for it.
            result = _sender.NotSent(pending.Call, e.Message);
        }

        lock (_lock)
        {
            lane.Active--;
            lane.Probes -= probes ? 1 : 0;
            _active--;
            if (rest is { } time)
            {
                lane.Waiting.AddFirst(pending);
                _waiting++;
                Rest(lane, time);
            }

            // Those in line first: the lane that had the place stands behind them for the next.
            for (int others = _line.Count; others > 0 && _active < _options.MaxCalls; others--)
            {
                HostLane next = _line.Dequeue();
                next.InLine = false;
                Start(next);
            }

            Start(lane);
        }

        if (result is { } known)
        {
            Interlocked.Increment(ref _outcomes[(int)known.Outcome]);
            pending.Completed(known);
        }
    }

    private void Rest(HostLane lane, TimeSpan time)
    {
        if (lane.Resting)
        {
            return;
        }

        lane.Resting = true;
        _ = WakeAsync(lane, time);
    }

    private async Task WakeAsync(HostLane lane, TimeSpan after)
    {
        await Task.Delay(after, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_lock)
        {
            lane.Resting = false;
            Start(lane);
        }
    }
}

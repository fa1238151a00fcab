using Holdfast.Kernel;
using Polly;
using Polly.CircuitBreaker;

namespace Holdfast.Engine.Effects;

/// <summary>A call that waits to be made, or is being made.</summary>
internal sealed record PendingCall(string Space, DueCall Call, Action<CallResult> Completed);

/// <summary>One host's queue, its share of the calls underway, and its circuit breaker. Its counters are the dispatcher's, under its lock.</summary>
internal sealed class HostLane
{
    private readonly CircuitBreakerStateProvider _state = new();

    public HostLane(string host, EffectOptions options, TimeProvider time)
    {
        Host = host;
        Breaker = new ResiliencePipelineBuilder<CallResult> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<CallResult>
            {
                ShouldHandle = static arguments => ValueTask.FromResult(arguments.Outcome.Result.HostFails),
                FailureRatio = options.BreakAtFailureRatio,
                MinimumThroughput = 10,
                SamplingDuration = TimeSpan.FromSeconds(10),
                BreakDuration = options.BreakFor,
                StateProvider = _state,
            })
            .Build();
    }

    public string Host { get; }

    public ResiliencePipeline<CallResult> Breaker { get; }

    public LinkedList<PendingCall> Waiting { get; } = new();

    public int Active { get; set; }

    /// <summary>Those of them that were begun while the circuit was not closed.</summary>
    public int Probes { get; set; }

    /// <summary>Whether it stands in line for a free place among all calls.</summary>
    public bool InLine { get; set; }

    /// <summary>Whether a timer will look at it when its break is over.</summary>
    public bool Resting { get; set; }

    public CircuitState State => _state.CircuitState;

    /// <summary>Whether another call may begin. A host that was away is probed by one at a time; what began before the break doesn't count as one.</summary>
    public bool HasPlace(EffectOptions options) => Active < options.MaxCallsPerHost && (State == CircuitState.Closed || Probes == 0);

    public bool IsIdle => Active == 0 && Waiting.Count == 0 && !Resting && !InLine && State == CircuitState.Closed;
}

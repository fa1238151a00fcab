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

    /// <summary>Whether it stands in line for a free place among all calls.</summary>
    public bool InLine { get; set; }

    /// <summary>Whether a timer will look at it when its break is over.</summary>
    public bool Resting { get; set; }

    public CircuitState State => _state.CircuitState;

    /// <summary>A host that was away is probed by one call at a time.</summary>
    public int MaxActive(EffectOptions options) => State == CircuitState.Closed ? options.MaxCallsPerHost : 1;

    public bool IsIdle => Active == 0 && Waiting.Count == 0 && !Resting && !InLine && State == CircuitState.Closed;
}

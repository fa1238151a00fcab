namespace Holdfast.Kernel;

/// <summary>
/// A call that committed state demands now. A copy: whoever carries it out shares nothing with the machine but
/// <see cref="IsAwaited"/>.
/// </summary>
/// <param name="Transaction">The transaction's id.</param>
/// <param name="Number">Its number in the space.</param>
/// <param name="BranchIndex">Which branch; -1: the check-back.</param>
/// <param name="Branch">The branch's name; <c>-</c> for the check-back.</param>
/// <param name="Op">What is asked.</param>
/// <param name="Attempt">From 1; after a crash one may come twice.</param>
/// <param name="Failures">Attempts without a usable answer so far: what the backoff grows by.</param>
/// <param name="Call">Where to and what.</param>
/// <param name="BegunMs">When the transaction began, unix milliseconds.</param>
/// <param name="WatermarkMs">Every transaction begun before it has ended; unix milliseconds.</param>
/// <param name="DeadlineMs">A try need not be sent after it, unix milliseconds; 0: none.</param>
/// <param name="Trace">The caller's traceparent, or null.</param>
public sealed record DueCall(
    string Transaction,
    long Number,
    int BranchIndex,
    string Branch,
    CallOp Op,
    int Attempt,
    int Failures,
    CallSpec Call,
    long BegunMs,
    long WatermarkMs,
    long DeadlineMs,
    string? Trace)
{
    private volatile bool _takenBack;

    /// <summary>
    /// Whether it is still asked for. Once it isn't (it was answered, its transaction decided, its branch forced, its machine
    /// given up) it never is again, and must not be sent any more. May be looked at from any thread.
    /// </summary>
    public bool IsAwaited => !_takenBack;

    internal void TakeBack() => _takenBack = true;
}

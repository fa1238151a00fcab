using System.Threading.Tasks.Sources;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// One command on its way through a space's loop: the answer's place, and how the asker is told. Reused by its owner
/// after each answer.
/// </summary>
public abstract class Request(Command command)
{
    /// <summary>The answer; valid once the request is complete.</summary>
    public Answer Answer;

    /// <summary>What is asked. Must not be touched between sending and completion.</summary>
    public Command Command { get; } = command;

    /// <summary>
    /// Whether <see cref="Complete"/> runs only code of ours, never blocks, and so may run on the journal's thread.
    /// A stranger's continuation must not: it could wait for the very answers that stand behind it.
    /// </summary>
    protected internal virtual bool CompletesInline => false;

    internal virtual RequestGroup? Group => null;

    /// <summary>Sets the answer. Field by field, and references only where there are some: writing one tells the collector, and hardly any answer has one.</summary>
    internal void SetAnswer(in Answer answer)
    {
        Answer.Code = answer.Code;
        Answer.State = answer.State;
        Answer.Repeat = answer.Repeat;
        Answer.ExpiresAtMs = answer.ExpiresAtMs;
        Answer.Asked = answer.Asked;
        Answer.Available = answer.Available;
        if (!ReferenceEquals(Answer.Resource, answer.Resource))
        {
            Answer.Resource = answer.Resource;
        }

        if (!ReferenceEquals(Answer.Detail, answer.Detail))
        {
            Answer.Detail = answer.Detail;
        }
    }

    /// <summary>Tells the asker. Called once for each sending, on the loop, the journal's thread or the pool.</summary>
    protected internal abstract void Complete();
}

/// <summary>A request that somebody awaits.</summary>
/// <param name="command">What is asked.</param>
/// <param name="inline">Whether what follows the await runs right where the answer becomes known, on the journal's thread:
/// only for code that never blocks.</param>
public sealed class AwaitedRequest(Command command, bool inline = false) : Request(command), IValueTaskSource
{
    /// <inheritdoc/>
    protected internal override bool CompletesInline => inline;

    // The answer stays in the request; the source only signals.
    private ManualResetValueTaskSourceCore<bool> _source;

    /// <summary>Begins a new wait; at most one at a time.</summary>
    internal ValueTask Begin()
    {
        _source.Reset();
        return new ValueTask(this, _source.Version);
    }

    /// <inheritdoc/>
    protected internal override void Complete() => _source.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);
}

/// <summary>
/// Several requests that one connection sent together and answers together: the last one to complete tells. One push
/// onto the queue and one wake-up, however many commands were pipelined.
/// </summary>
public abstract class RequestGroup
{
    private int _open;

    /// <summary>Called once when all requests of the sending are complete, on the loop's or the journal's thread: must not block.</summary>
    protected abstract void Completed();

    internal void Expect(int count) => Volatile.Write(ref _open, count);

    internal void CompleteSome(int count)
    {
        if (Interlocked.Add(ref _open, -count) == 0)
        {
            Completed();
        }
    }
}

/// <summary>A request of a group.</summary>
public sealed class GroupedRequest(Command command, RequestGroup group) : Request(command)
{
    /// <inheritdoc/>
    protected internal override bool CompletesInline => true;

    internal override RequestGroup Group => group;

    /// <inheritdoc/>
    protected internal override void Complete() => group.CompleteSome(1);
}

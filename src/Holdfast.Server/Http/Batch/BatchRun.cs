using System.Threading.Tasks.Sources;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>
/// The lines of a batch that are underway together: sent to the space at once, answered in their order. Made to be reused.
/// </summary>
internal sealed class BatchRun : RequestGroup, IValueTaskSource, IDisposable
{
    /// <summary>Most lines underway at once: what bounds a batch's memory, however long its body is.</summary>
    public const int LinesMax = 256;

    private int _most = LinesMax;
    private readonly BatchLine[] _lines = new BatchLine[LinesMax];
    private readonly GroupedRequest[] _asked = new GroupedRequest[LinesMax];

    // On the pool: this is completed on the journal's thread, which has better things to do than to write answers.
    private ManualResetValueTaskSourceCore<bool> _answered = new() { RunContinuationsAsynchronously = true };

    public BatchRun(NameHasher hasher)
    {
        for (int i = 0; i < _lines.Length; i++)
        {
            _lines[i] = new BatchLine(hasher, this);
        }
    }

    /// <summary>Where the answers are written.</summary>
    public AnswerWriter Out { get; } = new();

    /// <summary>Lines read and not answered yet.</summary>
    public int Count { get; private set; }

    /// <summary>Whether no more lines fit.</summary>
    public bool IsFull => Count == _most;

    /// <summary>The next line, to be read into.</summary>
    public BatchLine Next() => _lines[Count++];

    /// <summary>Begins anew.</summary>
    /// <param name="most">Lines that the space takes at once at most.</param>
    public void Begin(int most = LinesMax)
    {
        _most = Math.Min(most, LinesMax);
        Count = 0;
        Out.Begin();
    }

    /// <summary>Has every line read so far carried out and writes the answers.</summary>
    public async ValueTask ExecuteAsync(Space space)
    {
        await SendAsync(space);

        for (int i = 0; i < Count; i++)
        {
            _lines[i].Write(Out);
        }

        Count = 0;
    }

    public void Dispose() => Out.Dispose();

    protected override void Completed() => _answered.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _answered.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _answered.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answered.OnCompleted(continuation, state, token, flags);

    private ValueTask SendAsync(Space space)
    {
        int count = 0;
        for (int i = 0; i < Count; i++)
        {
            if (_lines[i].Request is { } request)
            {
                _asked[count++] = request;
            }
        }

        if (count == 0)
        {
            return ValueTask.CompletedTask;
        }

        _answered.Reset();
        short token = _answered.Version;
        space.Send(this, _asked.AsSpan(0, count));
        return new ValueTask(this, token);
    }
}

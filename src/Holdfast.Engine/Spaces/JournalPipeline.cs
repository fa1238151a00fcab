using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>
/// What is decided but not yet durable: seals batches (the hash chain), appends them in order, and tells their askers
/// once they are durable. After the first failure nothing more is written: all later batches fail with it, since they
/// build on what is not durable.
/// </summary>
/// <remarks>
/// Passive: <see cref="StartNext"/> and <see cref="FinishOldest"/> are called by the journal's thread, or step by step by
/// the simulator. Rent, Write and Return are the loop's side.
/// </remarks>
internal sealed class JournalPipeline
{
    private readonly IJournal _journal;
    private readonly Action<Batch> _durable;
    private readonly Action _wake;
    private readonly SemaphoreSlim _free;
    private readonly Queue<Batch> _ready = new();
    private readonly Stack<Batch> _pool = new();
    private readonly Queue<(Batch Batch, ValueTask Append)> _inFlight = new();
    private readonly byte[] _previousHash;
    private readonly Lock _lock = new();
    private volatile bool _idle = true;
    private volatile Exception? _failure;

    /// <summary>A pipeline behind the end of an open journal.</summary>
    /// <param name="journal">The open journal.</param>
    /// <param name="tail">Where it ends.</param>
    /// <param name="durable">Told of each written batch in order, before its askers are.</param>
    /// <param name="wake">Called when there is something to start or to finish.</param>
    public JournalPipeline(IJournal journal, JournalTail tail, Action<Batch> durable, Action wake)
    {
        _journal = journal;
        _durable = durable;
        _wake = wake;
        _previousHash = tail.Hash.ToArray();

        // Those in flight, and one that the loop fills meanwhile. One more would only make batches smaller, and each costs
        // an append: what arrives while all are underway gathers in the queue.
        int batches = journal.MaxInFlight + 1;
        for (int i = 0; i < batches; i++)
        {
            _pool.Push(new Batch());
        }

        _free = new SemaphoreSlim(batches);
    }

    /// <summary>Why writing ended, or null. Once set, every batch handed over fails.</summary>
    public Exception? Failure => _failure;

    /// <summary>Whether everything handed over so far is durable.</summary>
    public bool AllIsDurable => _idle && _failure is null;

    /// <summary>Whether nothing is handed over or in flight.</summary>
    public bool IsIdle => _idle;

    /// <summary>Whether <see cref="Rent"/> would not wait.</summary>
    public bool HasFreeBatch => _free.CurrentCount > 0;

    /// <summary>An empty batch; waits while all are underway.</summary>
    public Batch Rent()
    {
        _free.Wait();
        lock (_lock)
        {
            Batch batch = _pool.Pop();
            batch.Begin();
            return batch;
        }
    }

    /// <summary>Gives back a batch that turned out empty.</summary>
    public void Return(Batch batch)
    {
        lock (_lock)
        {
            _pool.Push(batch);
        }

        _free.Release();
    }

    /// <summary>Hands a batch over to be written (or, without a sequence, to wait its turn).</summary>
    public void Write(Batch batch)
    {
        lock (_lock)
        {
            _idle = false;
            _ready.Enqueue(batch);
        }

        _wake();
    }

    /// <summary>Starts to append the next batch, if there is one and the journal takes one more; false otherwise.</summary>
    public bool StartNext()
    {
        if (_inFlight.Count >= _journal.MaxInFlight)
        {
            return false;
        }

        Batch? batch;
        lock (_lock)
        {
            if (!_ready.TryDequeue(out batch))
            {
                _idle = _inFlight.Count == 0;
                return false;
            }
        }

        _inFlight.Enqueue((batch, Append(batch)));
        return true;
    }

    /// <summary>Ends the oldest append, if it is over, and tells its askers; false otherwise.</summary>
    public bool FinishOldest()
    {
        if (_inFlight.Count == 0 || !_inFlight.Peek().Append.IsCompleted)
        {
            return false;
        }

        (Batch batch, ValueTask append) = _inFlight.Dequeue();
        try
        {
            append.GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _failure ??= e;
        }

        if (_failure is null)
        {
            if (batch.Sequence != 0)
            {
                _durable(batch);
            }

            Completion.Tell(batch.Own, batch.Awaited);
        }
        else
        {
            Completion.Refuse(batch.Own, batch.Awaited, Kernel.Code.Unavailable, "the outcome is unknown: ask again with the same id");
        }

        Return(batch);
        return true;
    }

    private ValueTask Append(Batch batch)
    {
        if (batch.Sequence == 0 || _failure is not null)
        {
            return ValueTask.CompletedTask;
        }

        Memory<byte> frame = batch.Events.Whole(Frame.FooterSize);
        Frame.Seal(frame.Span, batch.Sequence, batch.TimeMs, batch.Events.Count, _previousHash);
        frame.Span[^Frame.FooterSize..].CopyTo(_previousHash);
        ValueTask append;
        try
        {
            append = _journal.AppendAsync(batch.Sequence, frame, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            append = ValueTask.FromException(e);
        }

        if (append.IsCompleted)
        {
            return append;
        }

        Task underway = append.AsTask();
        _ = underway.ContinueWith(
            static (_, wake) => ((Action)wake!)(), _wake, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return new ValueTask(underway);
    }
}

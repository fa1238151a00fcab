using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>
/// The journal's thread of a serving space: seals batches (the hash chain), appends them in order, and tells their
/// askers once they are durable. While it writes one batch the loop decides the next. After the first failure nothing
/// more is written: all later batches fail with it, since they build on what is not durable.
/// </summary>
internal sealed class JournalWriter : IDisposable
{
    private readonly IJournal _journal;
    private readonly Action<Batch> _durable;
    private readonly Thread _thread;
    private readonly SemaphoreSlim _work = new(0);
    private readonly SemaphoreSlim _free;
    private readonly Queue<Batch> _ready = new();
    private readonly Stack<Batch> _pool = new();
    private readonly Queue<(Batch Batch, ValueTask Append)> _inFlight = new();
    private readonly byte[] _previousHash;
    private readonly Lock _lock = new();
    private volatile bool _closed;
    private volatile bool _idle = true;
    private volatile Exception? _failure;

    /// <summary>Starts the thread.</summary>
    /// <param name="name">The space's name, for the thread's.</param>
    /// <param name="journal">The open journal.</param>
    /// <param name="tail">Where it ends.</param>
    /// <param name="durable">Told of each batch in order, on the journal's thread, before its askers are.</param>
    public JournalWriter(string name, IJournal journal, JournalTail tail, Action<Batch> durable)
    {
        _journal = journal;
        _durable = durable;
        _previousHash = tail.Hash.ToArray();

        // One that the loop fills, one handed over, and those in flight.
        int batches = journal.MaxInFlight + 2;
        for (int i = 0; i < batches; i++)
        {
            _pool.Push(new Batch());
        }

        _free = new SemaphoreSlim(batches);
        _thread = new Thread(Run) { IsBackground = true, Name = "holdfast journal " + name };
        _thread.Start();
    }

    /// <summary>Why writing ended, or null. Once set, every batch handed over fails.</summary>
    public Exception? Failure => _failure;

    /// <summary>Whether everything handed over so far is durable.</summary>
    public bool AllIsDurable => _idle && _failure is null;

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

        _work.Release();
    }

    /// <summary>Writes what was handed over, then ends the thread.</summary>
    public void Dispose()
    {
        _closed = true;
        _work.Release();
        _thread.Join();
        _work.Dispose();
        _free.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _work.Wait();
            bool moved = true;
            while (moved)
            {
                moved = FinishOldest() | StartNext();
            }

            lock (_lock)
            {
                _idle = _inFlight.Count == 0 && _ready.Count == 0;
                if (_closed && _idle)
                {
                    return;
                }
            }
        }
    }

    private bool StartNext()
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
                return false;
            }
        }

        _inFlight.Enqueue((batch, Append(batch)));
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

        // The thread sleeps on one semaphore for both: new batches and finished appends.
        Task underway = append.AsTask();
        _ = underway.ContinueWith(static (_, work) => ((SemaphoreSlim)work!).Release(), _work, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return new ValueTask(underway);
    }

    private bool FinishOldest()
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
}

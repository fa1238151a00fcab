using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Holdfast.Journal;

namespace Holdfast.Engine;

/// <summary>
/// What is decided but not yet durable: seals batches (the hash chain), begins their appends in order, and tells their
/// askers, in order too, once they are durable. After the first failure nothing more is written: all later batches fail
/// with it, since they build on what is not durable.
/// </summary>
/// <remarks>
/// No thread of its own. The loop rents and writes; whoever completes an append (the journal's thread, a connection's)
/// finishes batches here, or, when connections share the loop's thread, the loop does. One at a time does so, so the order
/// holds.
/// </remarks>
internal sealed class JournalPipeline
{
    /// <summary>Requests of a batch that costs more to write than is won by writing it alone.</summary>
    public const int SmallBatch = 128;

    private readonly IJournal _journal;
    private readonly Teller _teller;
    private readonly Action<Batch> _durable;
    private readonly Action<Batch>? _released;
    private readonly Action _moved;
    private readonly Action _finish;
    private readonly Stack<Batch> _pool = new();
    private readonly Queue<(Batch Batch, ValueTaskAwaiter Append)> _inFlight = new();
    private readonly Queue<(Batch Batch, bool IsDurable)> _settled = new(); // of the loop's thread
    private readonly byte[] _previousHash;
    private readonly object _lock = new();
    private readonly bool _byLoop;
    private bool _finishing;
    private volatile bool _ended;
    private int _untold;
    private int _requestsInFlight;
    private volatile int _writing;
    private volatile Exception? _failure;

    /// <summary>A pipeline behind the end of an open journal.</summary>
    /// <param name="journal">The open journal.</param>
    /// <param name="tail">Where it ends.</param>
    /// <param name="teller">Tells the askers.</param>
    /// <param name="durable">Told of each written batch in order, before its askers are.</param>
    /// <param name="moved">Called when an append has ended: there is room again.</param>
    /// <param name="released">Told of each batch, written or with nothing to write, when its calls may be made: right before its askers are told.</param>
    /// <param name="byLoop">Whether the loop's own thread tells, in <see cref="FinishHere"/>, rather than whoever completes an append.</param>
    public JournalPipeline(IJournal journal, JournalTail tail, Teller teller, Action<Batch> durable, Action moved, Action<Batch>? released = null, bool byLoop = false)
    {
        _byLoop = byLoop;
        _released = released;
        _journal = journal;
        _teller = teller;
        _durable = durable;
        _moved = moved;
        _finish = byLoop ? SayEnded : Finish;
        _previousHash = tail.Hash.ToArray();
    }

    /// <summary>Why writing ended, or null. Once set, every batch handed over fails.</summary>
    public Exception? Failure => _failure;

    /// <summary>Whether everything handed over so far is durable.</summary>
    public bool AllIsDurable => _writing == 0 && _settled.Count == 0 && _failure is null;

    /// <summary>Whether <see cref="Write"/> may be called now: the journal takes one more.</summary>
    public bool HasRoom => _writing < _journal.MaxInFlight;

    /// <summary>
    /// Whether a batch of so many requests should be handed over now. A small one costs nearly as much to write and sync as a
    /// large one: so while another is underway it waits until it has as many requests as that one, unless the journal would
    /// make both durable at once.
    /// </summary>
    public bool Wants(int requests) => HasRoom && (RequestsInFlight == 0 || _journal.AppendsInParallel || requests >= Math.Max(SmallBatch, RequestsInFlight));

    /// <summary>Requests whose answers wait for what is being written.</summary>
    public int RequestsInFlight => Volatile.Read(ref _requestsInFlight);

    /// <summary>Whether an append is over that <see cref="FinishHere"/> is to tell of.</summary>
    public bool HasEnded => _ended;

    /// <summary>An empty batch. The loop has one at a time, and writes it when there is room.</summary>
    public Batch Rent()
    {
        lock (_lock)
        {
            // Never more than those in flight, one being told and one that the loop fills.
            return _pool.TryPop(out Batch? batch) ? batch : new Batch();
        }
    }

    /// <summary>Begins to write a batch (or, when it has no sequence, only lets it wait for those before it).</summary>
    public void Write(Batch batch)
    {
        ValueTask append = Append(batch);
        ValueTaskAwaiter awaiter = append.GetAwaiter();
        if (!append.IsCompleted)
        {
            // Before it is queued: from then on another thread may end it, and an awaiter that was ended can't be asked.
            awaiter.UnsafeOnCompleted(_finish);
        }

        lock (_lock)
        {
            Interlocked.Increment(ref _writing); // its end is counted outside the lock
            Interlocked.Add(ref _requestsInFlight, batch.Requests);
            _untold++;
            _inFlight.Enqueue((batch, awaiter));
        }

        // It may be over by now, without anybody having found it here.
        if (_byLoop)
        {
            _ended = true;
        }
        else
        {
            Finish();
        }
    }

    /// <summary>
    /// Where the loop's thread tells: makes room for the next batches of all appends that are over. Telling their askers takes a while,
    /// and the journal needn't be idle meanwhile.
    /// </summary>
    public void SettleHere()
    {
        if (_ended)
        {
            _ended = false; // first: what ends from here on says so again
            while (TakeEnded(out Batch? batch, out ValueTaskAwaiter append))
            {
                _settled.Enqueue((batch, Settle(batch, append)));
            }
        }
    }

    /// <summary>Where the loop's thread tells: does so for all appends that are over.</summary>
    public void FinishHere()
    {
        SettleHere();
        while (_settled.TryDequeue(out (Batch Batch, bool IsDurable) oldest))
        {
            Tell(oldest.Batch, oldest.IsDurable);
        }
    }

    /// <summary>Waits until nothing is underway: before the journal may be opened again.</summary>
    public void Drain()
    {
        while (true)
        {
            FinishHere();
            lock (_lock)
            {
                if (_untold == 0)
                {
                    return;
                }

                if (!_ended)
                {
                    Monitor.Wait(_lock);
                }
            }
        }
    }

    /// <summary>Lets out what waited for a batch, and all before it, to be durable.</summary>
    public void Release(Batch batch)
    {
        _released?.Invoke(batch);
        _teller.Tell(batch.Own, batch.Awaited);
    }

    private void SayEnded()
    {
        lock (_lock)
        {
            _ended = true;
            Monitor.PulseAll(_lock);
        }

        _moved();
    }

    /// <summary>Ends all appends that are over, oldest first, and tells their askers.</summary>
    private void Finish()
    {
        bool mine = false;
        while (true)
        {
            Batch? batch;
            ValueTaskAwaiter append;
            lock (_lock)
            {
                if (_finishing && !mine)
                {
                    return; // whoever is at it looks again before it ends
                }

                _finishing = TakeEnded(out batch, out append);
                if (batch is null)
                {
                    return;
                }

                mine = true;
            }

            Tell(batch, Settle(batch, append));
        }
    }

    /// <summary>The oldest append, if it is over.</summary>
    private bool TakeEnded([NotNullWhen(true)] out Batch? batch, out ValueTaskAwaiter append)
    {
        lock (_lock)
        {
            bool ended = _inFlight.TryPeek(out (Batch Batch, ValueTaskAwaiter Append) oldest) && oldest.Append.IsCompleted;
            (batch, append) = ended ? _inFlight.Dequeue() : default;
            return ended;
        }
    }

    /// <summary>Ends an append, whose place in the journal is free from here on. False: it failed, or one before it did.</summary>
    private bool Settle(Batch batch, ValueTaskAwaiter append)
    {
        try
        {
            append.GetResult();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _failure ??= e;
        }

        Interlocked.Decrement(ref _writing);
        Interlocked.Add(ref _requestsInFlight, -batch.Requests);
        _moved();
        return _failure is null;
    }

    private void Tell(Batch batch, bool isDurable)
    {
        if (isDurable)
        {
            if (batch.Sequence != 0)
            {
                _durable(batch);
            }

            Release(batch);
        }
        else
        {
            _teller.Refuse(batch.Own, batch.Awaited, "the outcome is unknown: ask again with the same id");
        }

        batch.Clear();
        lock (_lock)
        {
            _pool.Push(batch);
            if (--_untold == 0)
            {
                Monitor.PulseAll(_lock);
            }
        }
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
        try
        {
            return _journal.AppendAsync(batch.Sequence, frame, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return ValueTask.FromException(e);
        }
    }
}

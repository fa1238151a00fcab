using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Engine;

/// <summary>
/// One independent set of resources and holds with one journal and one writer loop. Safe for any number of concurrent
/// callers. One thread decides and writes; a failure of storage costs the requests underway their certainty
/// (<c>unavailable</c>: ask again with the same id) and nothing else.
/// </summary>
public sealed partial class Space : IAsyncDisposable
{
    private readonly IJournal _journal;
    private readonly SpaceOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RequestQueue _queue;
    private readonly Teller _teller;
    private readonly SpaceLoader _loader;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;
    private readonly Lock _durableLock = new();
    private readonly EndWaiters _ends = new();
    private volatile SpaceStatus _status;
    private DurablePoint _durable;

    /// <summary>A space over a journal; nothing happens until <see cref="StartAsync"/>.</summary>
    /// <exception cref="ArgumentException">The options are not ones that a space can run under.</exception>
    public Space(string name, IJournal journal, SpaceOptions options, NameHasher hasher, TimeProvider time, ILogger? logger = null)
    {
        if (options.Problem is { } problem)
        {
            throw new ArgumentException(problem, nameof(options));
        }

        Name = name;
        Hasher = hasher;
        _journal = journal;
        _options = options;
        _time = time;
        _logger = logger ?? NullLogger.Instance;
        _queue = new RequestQueue(options.QueueCapacity);
#pragma warning disable RS0030 // Not the injected one: strangers' code runs on real threads, and that clock may stand still, in their tests. It decides nothing.
        _teller = new Teller(_queue, TimeProvider.System) { NotTaken = NotTaken, Metrics = Metrics };
#pragma warning restore RS0030
        _loader = new SpaceLoader(name, journal, options, hasher, time, _logger);
        _thread = new Thread(Run) { IsBackground = true, Name = "holdfast space " + name };
        SlabMaker.Attach();
    }

    /// <summary>The space's name.</summary>
    public string Name { get; }

    /// <summary>The rules it runs under.</summary>
    public SpaceOptions Options => _options;

    /// <summary>Hashes names for this space's commands.</summary>
    public NameHasher Hasher { get; }

    /// <summary>Who is to share this space's thread while it serves, or null. Set before <see cref="StartAsync"/>.</summary>
    public ILoopGuest? Guest { get; init; }

    /// <summary>What it is doing.</summary>
    public SpaceStatus Status => _status;

    /// <summary>Why it stopped or can't write, in words; null while all is well.</summary>
    public string? Trouble { get; private set; }

    /// <summary>The journal, for readers beside the loop (projection, verification).</summary>
    public IJournal Journal => _journal;

    /// <summary>Counters of the loop.</summary>
    public SpaceMetrics Metrics { get; } = new();

    /// <summary>Requests waiting for the loop.</summary>
    public int QueueLength => _queue.Count;

    /// <summary>Completes when the space has stopped.</summary>
    public Task Ended => _ended.Task;

    /// <summary>The last durable batch.</summary>
    public DurablePoint Durable
    {
        get
        {
            lock (_durableLock)
            {
                return _durable;
            }
        }
    }

    /// <summary>
    /// Raised after each durable batch, with its sequence, on the journal's thread; and on the loop's, with the last durable one's,
    /// whenever the journal has been read: at the start, before the first batch, and after a recovery. Handlers must not block.
    /// </summary>
    public event Action<long>? BatchDurable;

    /// <summary>
    /// Raised for each call to a participant that the journal demands, when that is durable: at least once for each
    /// attempt, again after a restart. Whoever handles it sends an <see cref="AnswerCall"/>, or drops it when it isn't
    /// <see cref="DueCall.IsAwaited"/> any more. Handlers must not block. While there is none, calls stay due.
    /// </summary>
    public event Action<DueCall>? CallDue;

    /// <summary>The same for calls to payment providers; whoever handles it sends an <see cref="AnswerPaymentCall"/>.</summary>
    public event Action<PaymentCall>? PaymentCallDue;

    /// <summary>Reads the journal, expires what is overdue, and serves. Completes when it serves; fails when it can't.</summary>
    public Task StartAsync()
    {
        _thread.Start();
        return _started.Task;
    }

    /// <summary>Asks one thing.</summary>
    /// <returns>The answer; <c>overloaded</c> when the queue is full (certainly not executed).</returns>
    public async ValueTask<Answer> AskAsync(Command command)
    {
        var request = new AwaitedRequest(command);
        await SendAsync(request).ConfigureAwait(false);
        return request.Answer;
    }

    /// <summary>
    /// The same for who asks again and again, with a request of its own: completes when its answer is there. At most one
    /// sending of a request may be underway.
    /// </summary>
    public ValueTask SendAsync(AwaitedRequest request)
    {
        ValueTask answered = request.Begin();
        if (!_teller.TryGather(request) && !_queue.TryPush(request))
        {
            request.Answer = NotTaken();
            request.Complete();
        }

        return answered;
    }

    /// <summary>
    /// Sends several commands of one group at once; the group is told when all are answered. When they don't all fit, none
    /// is taken and each is answered <c>overloaded</c>.
    /// </summary>
    public void Send(RequestGroup group, ReadOnlySpan<Request> inOrder)
    {
        if (inOrder.IsEmpty)
        {
            return;
        }

        group.Expect(inOrder.Length);
        if (!_queue.TryPush(inOrder))
        {
            foreach (Request request in inOrder)
            {
                request.Answer = NotTaken();
            }

            group.CompleteSome(inOrder.Length);
        }
    }

    /// <summary>
    /// Completes when something has happened to this checkout after the call; or, then with false, when the time is over or the space stops.
    /// Read the checkout after beginning to wait.
    /// </summary>
    public Task<bool> WaitForCheckoutAsync(string checkout, TimeSpan atMost, CancellationToken cancellationToken = default) =>
        _ends.WaitAsync(CheckoutTexts.WaitKey(checkout), atMost, _time, cancellationToken);

    /// <summary>
    /// Completes when this transaction has ended, or got stuck, after the call; or, then with false, when the time is over or the space stops.
    /// Read the transaction after beginning to wait: it may have ended before.
    /// </summary>
    public Task<bool> WaitForEndAsync(string transaction, TimeSpan atMost, CancellationToken cancellationToken = default) =>
        _ends.WaitAsync(transaction, atMost, _time, cancellationToken);

    /// <summary>Stops: takes no more requests, decides and writes what is queued, ends both threads, closes the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // see CallersContext
        _queue.Close();
        if (_thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            _ends.End();
            _ended.TrySetResult();
        }

        await _ended.Task;
        await _journal.DisposeAsync();
        _stopping.Dispose();
    }

    private Answer NotTaken()
    {
        if (_stopping.IsCancellationRequested || _status == SpaceStatus.Stopped)
        {
            Metrics.Unavailable(1);
            return Answer.Refused(Code.Unavailable, Trouble ?? "the space is stopping");
        }

        Metrics.Overloaded();
        return Teller.QueueFull;
    }

    private void Run()
    {
        try
        {
            while (!_stopping.IsCancellationRequested && ServeOnce())
            {
                // Storage failed and memory was dropped: read the journal again.
            }
        }
        catch (Exception e)
        {
            Trouble = e.Message;
            Defect(_logger, Name, e);
        }

        _status = SpaceStatus.Stopped;
        _queue.Close();
        _teller.EndRuns(); // what waits in a run behind an asker that waits for it would be answered by nobody
        while (_queue.Drain() is { } request)
        {
            _teller.Refuse(request, Trouble ?? "the space has stopped");
        }

        if (!_started.Task.IsCompleted)
        {
            _started.TrySetException(new HoldfastException($"Space {Name}: {Trouble ?? "it was stopped before it served"}"));
        }

        _ends.End();
        _ended.TrySetResult();
    }

    /// <summary>Loads and serves until stopped or until storage fails; true when it should be tried again.</summary>
    private bool ServeOnce()
    {
        try
        {
            LoadedSpace loaded = _loader.LoadAsync(_stopping.Token).GetAwaiter().GetResult();
            if (loaded.Tail.Sequence == 0)
            {
                // A space begins with an empty frame: so it is listed, and writable, before anybody relies on it.
                loaded = Begin(loaded);
            }

            Exception? failure;
            using (loaded.Machine)
            {
                SetDurable(new DurablePoint(loaded.Tail.Sequence, loaded.Machine.Digest, loaded.EventsReplayed));
                BatchDurable?.Invoke(loaded.Tail.Sequence);
                Metrics.Attach(loaded.Machine);
                failure = Serve(loaded);
            }

            return failure is null ? !_stopping.IsCancellationRequested : Recover(failure);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (JournalException e)
        {
            return ServeWithoutOpening(e);
        }
    }

    /// <summary>The journal couldn't be opened: what can be read of it is served, and it is tried again.</summary>
    private bool ServeWithoutOpening(JournalException failure)
    {
        Trouble = failure.Message;
        try
        {
            if (failure.Fault == JournalFault.Unwritable)
            {
                LoadedSpace durable = _loader.LoadForReadingAsync(_stopping.Token).GetAwaiter().GetResult();
                Unwritable(_logger, Name, Trouble);
                return ServeReadsUntilWritable(durable, isOpen: false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            return false;
        }
        catch (JournalException e)
        {
            failure = e;
            Trouble = e.Message;
        }

        // Not reachable: nobody waits in vain.
        Recovering(_logger, Name, failure.Message, failure);
        _status = SpaceStatus.Recovering;
        AnswerQueued("storage is not reachable: " + failure.Message);
        _stopping.Token.WaitHandle.WaitOne(_options.RetryStorageEvery);
        return true;
    }

    private Exception? Serve(LoadedSpace loaded)
    {
        ILoopGuest? guest = Guest?.Enter() == true ? Guest : null;
        _queue.Doorbell.Guest = guest;
        var writer = new JournalPipeline(_journal, loaded.Tail, _teller, OnDurable, _queue.Doorbell.Ring, OnReleased, byLoop: guest is not null);
        try
        {
            var loop = new SpaceLoop(loaded, writer, _queue, _teller, _options, _time, Metrics, makesCalls: CallDue is not null, makesPaymentCalls: PaymentCallDue is not null);
            loop.ExpireOverdue();
            if (writer.Failure is null)
            {
                Trouble = null;
                _status = SpaceStatus.Running;
                _started.TrySetResult();
            }

            loop.Serve(_stopping.Token);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Defect(_logger, Name, e);
        }
        finally
        {
            writer.Drain();
            _queue.Doorbell.Guest = null;
            guest?.Leave();
        }

        return writer.Failure;
    }

    private bool Recover(Exception failure)
    {
        Trouble = failure.Message;
        switch (failure)
        {
            case JournalException { Fault: JournalFault.Conflict }:
                // Somebody else writes this journal. Going on would only alternate; an operator decides who serves.
                Trouble = "another server writes this space's journal; this one has stopped serving it";
                Conflict(_logger, Name);
                return false;
            case JournalException { Fault: JournalFault.Unwritable }:
                Unwritable(_logger, Name, failure.Message);
                return ServeReadsUntilWritable(_loader.LoadAsync(_stopping.Token).GetAwaiter().GetResult(), isOpen: true);
            case JournalException:
                Recovering(_logger, Name, failure.Message, failure);
                _status = SpaceStatus.Recovering;
                return true;
            default:
                Defect(_logger, Name, failure);
                _status = SpaceStatus.Recovering;
                return true;
        }
    }

    /// <summary>Storage is full, or read-only (E58): answers reads from what is durable, and probes with an empty frame until one can be written.</summary>
    private bool ServeReadsUntilWritable(LoadedSpace durable, bool isOpen)
    {
        using SpaceMachine machine = durable.Machine;
        Metrics.Attach(machine);
        _status = SpaceStatus.ReadOnly;
        long probeAt = _time.GetTimestamp();
        while (!_stopping.IsCancellationRequested)
        {
            _queue.Wait(32);
            _teller.Rescue();
            while (_queue.Take() is { } request)
            {
                if (machine.Read(request.Command) is { } answer)
                {
                    request.Answer = answer;
                    Metrics.Answered(answer.Code);
                    _teller.Tell(request);
                }
                else
                {
                    _teller.Refuse(request, "storage can't be written: nothing was executed; free space on the disk, or make it writable, and the server goes on by itself");
                }
            }

            _queue.Publish();
            if (_time.GetElapsedTime(probeAt) >= _options.RetryStorageEvery)
            {
                probeAt = _time.GetTimestamp();
                if (Probe(durable, ref isOpen))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private LoadedSpace Begin(LoadedSpace empty)
    {
        AppendEmptyFrame(empty);
        return _loader.LoadAsync(_stopping.Token).GetAwaiter().GetResult();
    }

    /// <summary>Tries to write an empty frame; true when the journal is to be read again.</summary>
    private bool Probe(LoadedSpace durable, ref bool isOpen)
    {
        try
        {
            if (!isOpen)
            {
                _ = _journal.OpenAsync(_stopping.Token).AsTask().GetAwaiter().GetResult();
                isOpen = true;
            }

            AppendEmptyFrame(durable);
            Writable(_logger, Name);
            return true;
        }
        catch (JournalException e) when (e.Fault is JournalFault.Unwritable or JournalFault.NotWritten)
        {
            return false;
        }
        catch (JournalException e)
        {
            // Unknown: it may have gone in, and the journal takes no more until it is opened again. Conflict: an earlier one
            // that seemed to fail went in after all. Reading the journal again settles both.
            Recovering(_logger, Name, e.Message, e);
            return true;
        }
    }

    private void AppendEmptyFrame(LoadedSpace durable)
    {
        byte[] frame = new byte[Frame.HeaderSize + Frame.FooterSize];
        long sequence = durable.Tail.Sequence + 1;
        long now = Math.Max(durable.Machine.LastTimeMs, _time.GetUtcNow().ToUnixTimeMilliseconds());
        Frame.Seal(frame, sequence, now, 0, durable.Tail.Hash.Span);
        _journal.AppendAsync(sequence, frame, _stopping.Token).AsTask().GetAwaiter().GetResult();
    }

    private void OnDurable(Batch batch)
    {
        DurablePoint before = Durable;
        SetDurable(new DurablePoint(batch.Sequence, batch.Digest, before.Events + batch.Events.Count));
        Metrics.BatchWritten(batch.Events.Count, batch.Events.PayloadLength);
        BatchDurable?.Invoke(batch.Sequence);
    }

    private void OnReleased(Batch batch)
    {
        foreach (DueCall call in batch.Calls)
        {
            CallDue?.Invoke(call);
        }

        foreach (PaymentCall call in batch.PaymentCalls)
        {
            PaymentCallDue?.Invoke(call);
        }

        foreach (string alert in batch.Alerts)
        {
            Metrics.Alerted();
            Alert(_logger, Name, alert);
        }

        foreach (string transaction in batch.NewlyStuck)
        {
            TransactionStuck(_logger, Name, transaction);
        }

        _ends.Tell(batch.Settled);
    }

    private void SetDurable(DurablePoint point)
    {
        lock (_durableLock)
        {
            _durable = point;
        }
    }

    private void AnswerQueued(string why)
    {
        _teller.Rescue();
        while (_queue.Take() is { } request)
        {
            _teller.Refuse(request, why);
        }

        _queue.Publish();
    }

    [LoggerMessage(10, LogLevel.Critical, "Space {Space} stopped by a defect.")]
    private static partial void Defect(ILogger logger, string space, Exception exception);

    [LoggerMessage(11, LogLevel.Warning, "Space {Space}: storage failed ({Reason}); reading the journal again.")]
    private static partial void Recovering(ILogger logger, string space, string reason, Exception exception);

    [LoggerMessage(12, LogLevel.Critical, "Space {Space}: another server writes this journal. This one stops serving the space; end one of the two.")]
    private static partial void Conflict(ILogger logger, string space);

    [LoggerMessage(13, LogLevel.Error, "Space {Space}: storage can't be written ({Reason}). Reads are answered, writes are not; free space, or make it writable, and it goes on by itself.")]
    private static partial void Unwritable(ILogger logger, string space, string reason);

    [LoggerMessage(15, LogLevel.Error, "Space {Space}: transaction {Transaction} is stuck and waits for an operator; reading it says what was called, what it answered and what can be done.")]
    private static partial void TransactionStuck(ILogger logger, string space, string transaction);

    [LoggerMessage(16, LogLevel.Warning, "Space {Space}: {Alert}")]
    private static partial void Alert(ILogger logger, string space, string alert);

    [LoggerMessage(14, LogLevel.Information, "Space {Space}: storage can be written again.")]
    private static partial void Writable(ILogger logger, string space);
}

/// <summary>A durable batch: its sequence, the machine's digest after it, and events since the start of this process's count.</summary>
/// <param name="Sequence">The batch's sequence.</param>
/// <param name="Digest">The live machine's digest right after it.</param>
/// <param name="Events">Events up to it that this process replayed or wrote.</param>
public readonly record struct DurablePoint(long Sequence, ulong Digest, long Events);

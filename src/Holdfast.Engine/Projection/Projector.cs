using System.Data.Common;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine.Projection;

/// <summary>
/// Follows a space's journal and writes its views: frames to rows, chunk by chunk, rows and position in one transaction.
/// So each event counts exactly once, wherever it is killed. On a quiet thread; never on the loop's. Whatever fails is
/// logged and tried again from the stored position.
/// </summary>
internal sealed partial class Projector : IAsyncDisposable
{
    private const int MinChunkEvents = 256;
    private const int MaxChunkEvents = 32_768;
    private static readonly TimeSpan ChunkTime = TimeSpan.FromMilliseconds(60);
    private static readonly TimeSpan ChunkTimeWhileBusy = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LookAgainEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(10);

    private readonly Space _space;
    private readonly IViewStore _store;
    private readonly ViewProgress _progress;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Pace _pace;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ViewChunk _chunk = new();
    private TaskCompletionSource _wake = NewWake();
    private int _chunkEvents = 1_024;
    private Task _running = Task.CompletedTask;

    public Projector(Space space, IViewStore store, ViewProgress progress, TimeProvider time, ILogger logger)
    {
        _space = space;
        _store = store;
        _progress = progress;
        _time = time;
        _logger = logger;
        _pace = new Pace(space, time);
    }

    /// <summary>Begins; ends with the space or by <see cref="DisposeAsync"/>.</summary>
    public void Start()
    {
        _space.BatchDurable += OnBatchDurable;
        _running = QuietThread.Run("holdfast views " + _space.Name, RunAsync);
        _ = _space.Ended.ContinueWith(_ => DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
    }

    private static TaskCompletionSource NewWake() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>On the journal's thread: costs a read unless the projector sleeps.</summary>
    private void OnBatchDurable(long sequence) => Volatile.Read(ref _wake).TrySetResult();

    private async Task RunAsync()
    {
        TimeSpan retry = FirstRetry;
        while (!_stopping.IsCancellationRequested)
        {
            long before = _progress.Position;
            try
            {
                await FollowAsync(_stopping.Token);
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                retry = _progress.Position > before ? FirstRetry : retry;
                _progress.Failed(e.Message);
                Failed(_logger, _space.Name, _progress.Position, retry.TotalSeconds, e.Message, e is DbException or JournalException ? null : e);
                await Task.Delay(retry, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.ContinueOnCapturedContext | ConfigureAwaitOptions.SuppressThrowing);
                retry = retry * 2 < LastRetry ? retry * 2 : LastRetry;
            }
        }

        _space.BatchDurable -= OnBatchDurable;
        await _store.DisposeAsync();
        _chunk.Dispose();
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        // The journal is open, and its end known, once the space has a durable batch.
        while (_space.Durable.Sequence == 0)
        {
            await WaitForBatchAsync(0, cancellationToken);
        }

        (ViewPosition position, bool anew) = await FindPositionAsync(cancellationToken);
        _progress.Began(position.Sequence, shownFrom: anew ? _space.Durable.Sequence : 0);
        while (true)
        {
            if (await WaitForBatchAsync(position.Sequence, cancellationToken))
            {
                // Small batches come in swarms; a transaction for each would cost more than their rows.
                await Task.Delay(Linger, _time, cancellationToken);
            }

            position = await ProjectAsync(position, cancellationToken);
        }
    }

    /// <summary>Where to go on: at the stored position when this journal continues it, else anew.</summary>
    private async Task<(ViewPosition Position, bool Anew)> FindPositionAsync(CancellationToken cancellationToken)
    {
        ViewPosition? stored = await _store.OpenAsync(cancellationToken);
        long first = await JournalStart.FirstSequenceAsync(_space.Journal, cancellationToken);
        if (stored is { } position && position.Sequence + 1 >= first && await ContinuesAsync(position, first, cancellationToken))
        {
            return (position, false);
        }

        if (stored is not null)
        {
            BeginningAnew(_logger, _space.Name, stored.Sequence);
        }

        if (first <= 1)
        {
            await _store.BeginAsync(null, ViewPosition.Start, cancellationToken);
            return (ViewPosition.Start, true);
        }

        await using JournalSnapshot snapshot = await _space.Journal.OpenSnapshotAsync(cancellationToken)
            ?? throw new JournalCorruptException(1, $"The journal of space {_space.Name} begins at {first}, and no snapshot reaches up to there.");
        using SpaceMachine machine = SpaceMachine.ReadSnapshot(snapshot.Content, _space.Options.Holds, _space.Hasher);
        ReadOnlyMemory<byte> hash = await SnapshotContent.ReadStandAsync(snapshot.Content, cancellationToken);
        if (await SnapshotContent.FindContradictionAsync(_space.Journal, snapshot.Sequence, hash, cancellationToken) is { } contradiction)
        {
            throw new JournalCorruptException(snapshot.Sequence, $"The snapshot of {snapshot.Sequence} of space {_space.Name} isn't of this journal: {contradiction}.");
        }

        var begun = new ViewPosition(snapshot.Sequence, hash);
        await _store.BeginAsync(machine, begun, cancellationToken);
        return (begun, true);
    }

    /// <summary>Whether the frame that the views passed last is still this journal's: not when the journal was put back to an older copy.</summary>
    private async Task<bool> ContinuesAsync(ViewPosition position, long first, CancellationToken cancellationToken)
    {
        if (position.Sequence > _space.Durable.Sequence)
        {
            return false;
        }

        if (position.Sequence < first || position.Hash.IsEmpty)
        {
            return true;
        }

        await foreach (ReadOnlyMemory<byte> bytes in _space.Journal.ReadAsync(position.Sequence, cancellationToken))
        {
            return Frame.Read(bytes).Hash.Span.SequenceEqual(position.Hash.Span);
        }

        return false;
    }

    /// <summary>Projects up to what is durable now, in chunks.</summary>
    private async Task<ViewPosition> ProjectAsync(ViewPosition position, CancellationToken cancellationToken)
    {
        // Not past what was acknowledged: behind that, storage may hold frames that a recovery drops.
        long through = _space.Durable.Sequence;
        if (through <= position.Sequence)
        {
            return position;
        }

        // Not "? null :": a null array would become an empty hash, and a known one at that.
        ChainVerifier chain = position.Hash.IsEmpty
            ? new ChainVerifier(position.Sequence + 1)
            : new ChainVerifier(position.Sequence + 1, position.Hash);
        _chunk.Begin(position.Sequence);
        await foreach (ReadOnlyMemory<byte> bytes in _space.Journal.ReadAsync(position.Sequence + 1, cancellationToken))
        {
            FrameView frame = chain.Next(bytes);
            _chunk.Add(frame);
            if (_chunk.Events >= _chunkEvents || frame.Sequence == through)
            {
                position = new ViewPosition(frame.Sequence, frame.Hash.ToArray());
                await WriteAsync(position, cancellationToken);
                _chunk.Begin(position.Sequence);
            }

            if (frame.Sequence == through)
            {
                break;
            }
        }

        return position;
    }

    private async Task WriteAsync(ViewPosition position, CancellationToken cancellationToken)
    {
        long started = _time.GetTimestamp();
        _chunk.FindNeeded();
        await _store.ApplyAsync(_chunk, position, cancellationToken);
        TimeSpan took = _time.GetElapsedTime(started);
        _progress.Moved(position.Sequence, _chunk.Events);

        // The next chunk as large as its time allows.
        double fit = _chunk.Events * ((_pace.IsBusy ? ChunkTimeWhileBusy : ChunkTime) / Max(took, TimeSpan.FromMilliseconds(1)));
        _chunkEvents = (int)Math.Clamp(fit, Math.Max(MinChunkEvents, _chunkEvents / 2), Math.Min(MaxChunkEvents, _chunkEvents * 2));
        await _pace.RestAsync(took, cancellationToken);
    }

    /// <summary>Whether it had to wait for one.</summary>
    private async Task<bool> WaitForBatchAsync(long after, CancellationToken cancellationToken)
    {
        if (_space.Durable.Sequence > after)
        {
            return false;
        }

        TaskCompletionSource wake = NewWake();
        Volatile.Write(ref _wake, wake);
        if (_space.Durable.Sequence > after)
        {
            return false;
        }

        await Task.WhenAny(wake.Task, Task.Delay(LookAgainEvery, _time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        return true;
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    [LoggerMessage(20, LogLevel.Warning, "Space {Space}: the views stand at {Position}; next try in {Seconds} s. {Reason}")]
    private static partial void Failed(ILogger logger, string space, long position, double seconds, string reason, Exception? exception);

    [LoggerMessage(21, LogLevel.Warning, "Space {Space}: the views at {Position} don't belong to this journal (it was trimmed, or put back to an older copy). They are built anew.")]
    private static partial void BeginningAnew(ILogger logger, string space, long position);
}

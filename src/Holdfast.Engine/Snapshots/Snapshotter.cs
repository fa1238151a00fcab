using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine;

/// <summary>
/// Takes a space's snapshots by shadow replay: a second machine replays the journal from the last snapshot up to a
/// batch whose live digest is known. Equal digests prove that replay and live machine agree, so the loop never stalls
/// to be copied, and determinism is proven in production. A difference is never stored.
/// </summary>
/// <remarks>While one is taken the space's state is in memory twice. It runs on a quiet thread, and slowly while the loop is busy.</remarks>
public sealed partial class Snapshotter : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Space _space;
    private readonly Func<long> _viewsPassed;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private long _eventsAtLast;
    private long _taken;
    private long _differences;
    private long _failures;
    private long _lastSequence;
    private Task _watching = Task.CompletedTask;

    internal Snapshotter(Space space, Func<long> viewsPassed, TimeProvider time, ILogger logger)
    {
        _space = space;
        _viewsPassed = viewsPassed;
        _time = time;
        _logger = logger;
    }

    /// <summary>Snapshots written by this process.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>Replays that came to another state than the live machine. Must be 0: anything else is a defect or damaged memory.</summary>
    public long Differences => Volatile.Read(ref _differences);

    /// <summary>Attempts that storage failed.</summary>
    public long Failures => Volatile.Read(ref _failures);

    /// <summary>Sequence of the last snapshot that this process wrote; 0: none.</summary>
    public long LastSequence => Volatile.Read(ref _lastSequence);

    /// <summary>Raised when a replay came to another state than the live machine. No snapshot was written.</summary>
    public event Action<SnapshotDifference>? Differed;

    /// <summary>Takes a snapshot of what is durable now. One is taken at a time; a second caller waits.</summary>
    /// <returns>What came of it.</returns>
    /// <exception cref="JournalException">Storage failed; nothing was changed.</exception>
    /// <exception cref="JournalCorruptException">The stored frames can't be replayed.</exception>
    public async Task<SnapshotOutcome> TakeAsync(CancellationToken cancellationToken = default)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        await _one.WaitAsync(either.Token);
        try
        {
            SnapshotOutcome outcome = SnapshotOutcome.NothingNew;
            await QuietThread.Run("holdfast snapshot " + _space.Name, async () => outcome = await ReplayAndWriteAsync(either.Token));
            return outcome;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Waits until none is being taken, and so the space's state is in memory only once.</summary>
    public async Task IdleAsync(CancellationToken cancellationToken = default)
    {
        await _one.WaitAsync(cancellationToken);
        _one.Release();
    }

    /// <summary>Stops; a snapshot under way is dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _watching;
        await IdleAsync(CancellationToken.None);
    }

    internal void Start()
    {
        if (_space.Options.SnapshotEveryEvents > 0)
        {
            _watching = Task.Run(WatchAsync);
        }

        _ = _space.Ended.ContinueWith(_ => DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(LookEvery, _time, _stopping.Token);
                long events = _space.Durable.Events;

                // After a recovery the space counts from its last snapshot anew.
                _eventsAtLast = Math.Min(_eventsAtLast, events);
                if (_space.Status == SpaceStatus.Running && events - _eventsAtLast >= _space.Options.SnapshotEveryEvents)
                {
                    // Also when it fails: the next attempt waits for as many events again, it doesn't replay in circles.
                    _eventsAtLast = events;
                    await TryTakeAsync();
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task TryTakeAsync()
    {
        try
        {
            await TakeAsync(_stopping.Token);
        }
        catch (Exception e) when (e is not (OperationCanceledException or OutOfMemoryException))
        {
            Interlocked.Increment(ref _failures);
            NotTaken(_logger, _space.Name, e.Message, e);
        }
    }

    private async Task<SnapshotOutcome> ReplayAndWriteAsync(CancellationToken cancellationToken)
    {
        IJournal journal = _space.Journal;
        DurablePoint point = _space.Durable;

        // Not "<=": one that is newer than the journal hides nothing, the replay will judge it.
        if (await NewestSequenceAsync(journal, cancellationToken) == point.Sequence)
        {
            return SnapshotOutcome.NothingNew;
        }

        long started = _time.GetTimestamp();
        long first = await JournalStart.FirstSequenceAsync(journal, cancellationToken);
        var paced = new PacedJournal(journal, new Pace(_space, _time), _time);
        var loader = new SpaceLoader(_space.Name, paced, _space.Options, _space.Hasher, _time, _logger);
        Replayed replayed = await loader.ReplayAsync(point.Sequence, first, cancellationToken);
        using SpaceMachine shadow = replayed.Machine;
        string? imbalance = shadow.FindImbalance();
        if (shadow.Digest != point.Digest || imbalance is not null)
        {
            Interlocked.Increment(ref _differences);
            string restart = await PrepareRestartAsync(journal, replayed.From, first, cancellationToken);
            Different(_logger, _space.Name, point.Sequence, point.Digest, shadow.Digest, imbalance ?? "it does add up", restart);
            Differed?.Invoke(new SnapshotDifference(_space.Name, point.Sequence, point.Digest, shadow.Digest, imbalance));
            return SnapshotOutcome.Different;
        }

        await journal.WriteSnapshotAsync(
            point.Sequence,
            (stream, _) =>
            {
                SnapshotContent.Write(shadow, replayed.Hash.Span, stream);
                return Task.CompletedTask;
            },
            cancellationToken);
        Volatile.Write(ref _lastSequence, point.Sequence);
        Interlocked.Increment(ref _taken);
        Written(_logger, _space.Name, point.Sequence, shadow.KnownHolds, _time.GetElapsedTime(started).TotalMilliseconds);
        await TrimAsync(journal, replayed.From, first, cancellationToken);
        return SnapshotOutcome.Written;
    }

    /// <summary>
    /// Removes frames that nothing needs any more: neither the views, nor a start from the snapshot before this one (so
    /// that a damaged newest snapshot can be removed and nothing is lost). That one's own frame stays: the chain hangs on it.
    /// </summary>
    private async Task TrimAsync(IJournal journal, long previousSnapshot, long first, CancellationToken cancellationToken)
    {
        long through = Math.Min(previousSnapshot - 1, _viewsPassed());
        if (_space.Options.TrimAfterSnapshot && through >= first)
        {
            await journal.TrimAsync(through, cancellationToken);
            Trimmed(_logger, _space.Name, first, through);
        }
    }

    /// <summary>
    /// After a difference: which of the two is wrong isn't known, and it may be the snapshot that the replay began with. So a
    /// restart is to go by the frames alone, where all are there.
    /// </summary>
    /// <returns>What a restart goes by, in words.</returns>
    private static async Task<string> PrepareRestartAsync(IJournal journal, long from, long first, CancellationToken cancellationToken)
    {
        if (from > 0 && first > 1)
        {
            return $"frames before {first} were trimmed, so a restart goes by the snapshot of {from} and the frames behind it, as this replay did";
        }

        while (await NewestSequenceAsync(journal, cancellationToken) is { } newest)
        {
            await journal.PutSnapshotAsideAsync(newest, cancellationToken);
        }

        return from > 0
            ? "the snapshots, with one of which this replay began, were put aside, so a restart replays all frames"
            : "a restart replays all frames, as this replay did";
    }

    private static async Task<long?> NewestSequenceAsync(IJournal journal, CancellationToken cancellationToken)
    {
        try
        {
            await using JournalSnapshot? newest = await journal.OpenSnapshotAsync(cancellationToken);
            return newest?.Sequence;
        }
        catch (JournalCorruptException e)
        {
            return e.Sequence; // damaged; what that means, the replay decides
        }
    }

    [LoggerMessage(30, LogLevel.Information, "Space {Space}: snapshot of {Sequence} written, {Holds} known holds, in {Milliseconds:0} ms.")]
    private static partial void Written(ILogger logger, string space, long sequence, int holds, double milliseconds);

    [LoggerMessage(31, LogLevel.Critical, "Space {Space}: the replay of its journal up to {Sequence} does not come to the live state (digest {Live:x16} live, {Replayed:x16} replayed; {Balance}). No snapshot was written. Stop the space and run 'holdfast verify'; {Restart}.")]
    private static partial void Different(ILogger logger, string space, long sequence, ulong live, ulong replayed, string balance, string restart);

    [LoggerMessage(32, LogLevel.Error, "Space {Space}: no snapshot was taken: {Reason}")]
    private static partial void NotTaken(ILogger logger, string space, string reason, Exception exception);

    [LoggerMessage(33, LogLevel.Information, "Space {Space}: frames {First} to {Through} removed.")]
    private static partial void Trimmed(ILogger logger, string space, long first, long through);
}

/// <summary>What came of an attempt to take a snapshot.</summary>
public enum SnapshotOutcome
{
    /// <summary>Nothing happened since the last one.</summary>
    NothingNew,

    /// <summary>It was written.</summary>
    Written,

    /// <summary>The replay came to another state than the live machine: refused.</summary>
    Different,
}

/// <summary>A replay that came to another state than the live machine.</summary>
/// <param name="Space">The space.</param>
/// <param name="Sequence">The batch after which they were compared.</param>
/// <param name="LiveDigest">The live machine's digest.</param>
/// <param name="ReplayedDigest">The replay's.</param>
/// <param name="Imbalance">What doesn't add up in the replay, or null.</param>
public sealed record SnapshotDifference(string Space, long Sequence, ulong LiveDigest, ulong ReplayedDigest, string? Imbalance);

using System.Collections.Concurrent;
using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>
/// A space's journal as rows of <c>holdfast_journal</c>: one prepared insert a frame, <c>synchronous_commit = on</c>, two
/// appends in flight on two connections. Connects again by itself at the next append or open.
/// </summary>
public sealed partial class PostgresJournal : IJournal
{
    private readonly NpgsqlDataSource _source;
    private readonly string _space;
    private readonly ConcurrentQueue<PostgresLane> _idle = new();
    private readonly PostgresSnapshots _snapshots;
    private long _epoch;
    private int _inFlight;
    private volatile bool _open;
    private volatile bool _disposed;

    internal PostgresJournal(NpgsqlDataSource source, string space)
    {
        _source = source;
        _space = space;
        _snapshots = new PostgresSnapshots(source, space);
    }

    /// <summary>2: measured, a second connection nearly doubles small batches, and a third adds little.</summary>
    public int MaxInFlight => 2;

    /// <inheritdoc/>
    public bool AppendsInParallel => true;

    /// <inheritdoc/>
    public async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Volatile.Read(ref _inFlight) != 0)
        {
            throw new InvalidOperationException("Await the appends in flight before opening again.");
        }

        _open = false;
        await CloseLanesAsync();
        try
        {
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
            await PostgresSchema.CreateAsync(connection, _space, cancellationToken);
            (JournalTail tail, _epoch) = await new PostgresTail(connection, _space).FindAsync(cancellationToken);
            _open = true;
            return tail;
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"Can't open the journal of {_space}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken);
            return await new PostgresTail(connection, _space).LookAsync(cancellationToken);
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other($"Can't read the journal of {_space}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_disposed, this);
        Frame.CheckForAppend(frame.Span, sequence);
        if (!_open)
        {
            throw new InvalidOperationException("Call OpenAsync first (also after a conflict or an unknown outcome).");
        }

        if (Interlocked.Increment(ref _inFlight) > MaxInFlight)
        {
            Interlocked.Decrement(ref _inFlight);
            throw new InvalidOperationException($"At most {MaxInFlight} appends may be in flight.");
        }

        try
        {
            PostgresLane lane = await TakeLaneAsync(sequence, cancellationToken);
            await InsertAsync(lane, sequence, frame, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    /// <inheritdoc/>
    public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        _snapshots.WriteAsync(sequence, write, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => _snapshots.OpenAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => _snapshots.PutAsideAsync(sequence, cancellationToken);

    /// <summary>Closes this journal's connections.</summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        _open = false;
        await CloseLanesAsync();
    }

    private async ValueTask<PostgresLane> TakeLaneAsync(long sequence, CancellationToken cancellationToken)
    {
        if (_idle.TryDequeue(out PostgresLane? lane))
        {
            return lane;
        }

        try
        {
            return await PostgresLane.OpenAsync(_source, _space, cancellationToken);
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            // Nothing was sent, so nothing was written.
            throw new JournalException(JournalFault.NotWritten, $"Append of {sequence}: can't connect: {e.Message}", e);
        }
    }

    private async ValueTask InsertAsync(PostgresLane lane, long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        bool inserted;
        try
        {
            inserted = await lane.InsertAsync(sequence, frame, _epoch, cancellationToken);
        }
        catch (Exception e)
        {
            // Whatever happened to it, this connection isn't trusted with another append.
            await lane.DisposeAsync();
            if (!PostgresFailure.IsStorage(e))
            {
                _open = false;
                throw;
            }

            JournalFault fault = PostgresFailure.OfExecution(e);
            if (fault is JournalFault.Conflict or JournalFault.Unknown)
            {
                _open = false;
            }

            throw new JournalException(fault, $"Append of {sequence} to {_space} failed: {e.Message}", e);
        }

        _idle.Enqueue(lane);
        if (!inserted)
        {
            _open = false;
            throw new JournalException(JournalFault.Conflict, $"Sequence {sequence} of {_space} was fenced off: another writer was here.");
        }
    }

    private async ValueTask CloseLanesAsync()
    {
        while (_idle.TryDequeue(out PostgresLane? lane))
        {
            await lane.DisposeAsync();
        }
    }
}

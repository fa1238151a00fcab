using System.Runtime.CompilerServices;
using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <content>Reading, trimming and closing.</content>
public sealed partial class SqliteJournal
{
    // A read transaction pins the log: while one is open the log can't be begun anew. So a read takes a bounded chunk,
    // ends its transaction, and only then hands the frames out, however slow their reader is.
    private const int ChunkBytesMax = 1 << 20;
    private const int ChunkFramesMax = 256;

    // Deleting holds the writer's lock; few rows at a time leave appends their turn in between.
    private const int TrimRows = 16;

    private volatile bool _disposed;

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using SqliteDatabase reader = OpenReader();
        using sqlite3_stmt select = PrepareRead(reader);
        var chunk = new List<Range>(ChunkFramesMax);
        byte[] buffer = [];
        long next = fromSequence;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ReadChunk(reader, select, chunk, ref buffer, ref next);
            if (chunk.Count == 0)
            {
                yield break;
            }

            foreach (Range range in chunk)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return buffer.AsMemory(range);
            }

            // The caller may be a loop on a thread that others need too.
            await Task.Yield();
        }
    }

    /// <inheritdoc/>
    public ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using SqliteDatabase reader = OpenReader();
        try
        {
            reader.Execute("BEGIN");
            JournalTail tail = FindTail(reader);
            SqliteAppender.SyncLogOf(_path);
            return ValueTask.FromResult(tail);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(JournalFault.NotWritten, $"Can't read {_path}: its log can't be synced: {e.Message}", e);
        }
        catch (SqliteFailure e)
        {
            throw e.IsDamage ? Damaged(e) : new JournalException(JournalFault.NotWritten, $"Can't read {_path}: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken)
    {
        if (_snapshots.NewestSequence() is not { } newest || newest < throughSequence)
        {
            throw TailCheck.NoSnapshotFor(throughSequence);
        }

        while (TrimStep(throughSequence))
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>Closes the files. The last connection folds the log into the database file and removes it.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_opening)
        {
            _disposed = true;
            Close();
        }

        return ValueTask.CompletedTask;
    }

    private SqliteDatabase OpenReader()
    {
        try
        {
            return SqliteDatabase.OpenForReading(_path, _options.BusyTimeoutMs);
        }
        catch (SqliteFailure e)
        {
            throw e.IsDamage ? Damaged(e) : new JournalException(JournalFault.NotWritten, $"Can't open {_path} for reading: {e.Message}", e);
        }
    }

    private sqlite3_stmt PrepareRead(SqliteDatabase reader)
    {
        try
        {
            return reader.Prepare("SELECT sequence, frame FROM journal WHERE sequence >= ?1 ORDER BY sequence");
        }
        catch (SqliteFailure e)
        {
            throw reader.QueryLong("SELECT count(*) FROM sqlite_schema") == 0
                ? new JournalException(JournalFault.NoJournal, $"{_path} is empty: no journal was ever opened there.", e)
                : new JournalException(JournalFault.NotWritten, $"Can't read {_path}: {e.Message}", e);
        }
    }

    private static void ReadChunk(SqliteDatabase reader, sqlite3_stmt select, List<Range> chunk, ref byte[] buffer, ref long next)
    {
        chunk.Clear();
        int used = 0;
        try
        {
            reader.Check(raw.sqlite3_bind_int64(select, 1, next));
            while (chunk.Count < ChunkFramesMax && used < ChunkBytesMax && reader.Step(select))
            {
                ReadOnlySpan<byte> frame = raw.sqlite3_column_blob(select, 1);
                if (buffer.Length - used < frame.Length)
                {
                    Array.Resize(ref buffer, Math.Max(used + frame.Length, Math.Min(ChunkBytesMax, buffer.Length * 2)));
                }

                frame.CopyTo(buffer.AsSpan(used));
                chunk.Add(used..(used + frame.Length));
                used += frame.Length;
                next = raw.sqlite3_column_int64(select, 0) + 1;
            }
        }
        catch (SqliteFailure e)
        {
            throw e.IsDamage
                ? new JournalCorruptException(next, $"The journal's file is damaged at {next}: {e.Message}", e)
                : new JournalException(JournalFault.NotWritten, $"Reading from {next} failed: {e.Message}", e);
        }
        finally
        {
            _ = raw.sqlite3_reset(select);
        }
    }

    /// <summary>Deletes a few of the oldest rows; false when none is left to delete.</summary>
    private bool TrimStep(long throughSequence)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (!_open)
            {
                throw NotOpen();
            }

            try
            {
                _writer!.Execute(
                    $"DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal WHERE sequence <= {throughSequence} " +
                    $"AND sequence < (SELECT max(sequence) FROM journal) ORDER BY sequence LIMIT {TrimRows})");
                return raw.sqlite3_changes(_writer.Handle) > 0;
            }
            catch (SqliteFailure e)
            {
                throw new JournalException(e.Fault, $"Trimming {_path} failed: {e.Message}", e);
            }
        }
    }

    private void Close()
    {
        _open = false;

        // Without the gate: what it still writes needs it.
        _appender?.Dispose();
        _appender = null;
        lock (_gate)
        {
            _checkpointer?.Dispose();
            _checkpointer = null;
            _insert?.Dispose();
            _insert = null;
            _writer?.Dispose();
            _writer = null;
        }
    }
}

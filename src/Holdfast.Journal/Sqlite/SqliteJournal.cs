using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// A space's journal in one SQLite file: WAL, one row a frame. An append completes after its log was synced, as with
/// <c>synchronous=FULL</c>.
/// </summary>
/// <remarks>
/// Appends are written, synced and completed on a thread of the journal's own: see <see cref="SqliteAppender"/>. The
/// log file is emptied off that path: see <see cref="SqliteCheckpointer"/>.
/// </remarks>
public sealed partial class SqliteJournal : IJournal
{
    private const int SchemaVersion = 1;
    private const int OpenRetryMs = 10;

    // The condition makes the fence hold even for a writer that slept through a trim: the sequence it would take is free
    // again then, but it isn't the next one.
    private const string InsertSql =
        "INSERT INTO journal(sequence, frame) SELECT ?1, ?2 WHERE ?1 = (SELECT coalesce(max(sequence), 0) FROM journal) + 1";

    private readonly string _path;
    private readonly SqliteJournalOptions _options;
    private readonly SnapshotFiles _snapshots;

    // Held while the journal is opened or closed.
    private readonly Lock _opening = new();

    // Held by a write or a trim's step: the writing connection has one user at a time. Taken inside _opening, never the other way.
    private readonly Lock _gate = new();
    private SqliteDatabase? _writer;
    private sqlite3_stmt? _insert;
    private SqliteCheckpointer? _checkpointer;
    private SqliteAppender? _appender;
    private volatile bool _open;

    internal SqliteJournal(string path, SqliteJournalOptions options)
    {
        _path = path;
        _options = options;
        _snapshots = new SnapshotFiles(path);
    }

    /// <summary>The last error of a background checkpoint, or null since the last good one. Appends stay safe meanwhile;
    /// only the log grows, up to <see cref="SqliteJournalOptions.WalBytesMax"/>.</summary>
    public string? CheckpointError => _checkpointer?.LastError;

    /// <summary>One that is being written and synced, and the next, so that the journal's thread need not be woken for it.</summary>
    public int MaxInFlight => 2;

    /// <inheritdoc/>
    public async ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken)
    {
        // SQLite waits for others' locks by itself, except where it sees that waiting could end in a deadlock: two openers
        // that switch a new file to WAL at once, or one that opens while the last other connection closes. Those ask again.
        long deadlineMs = Environment.TickCount64 + _options.BusyTimeoutMs;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                return OpenOnce();
            }
            catch (SqliteFailure e) when (e.IsContention && Environment.TickCount64 < deadlineMs)
            {
                await Task.Delay(OpenRetryMs, cancellationToken);
            }
            catch (SqliteFailure e)
            {
                throw e.IsDamage
                    ? Damaged(e)
                    : new JournalException(e.NeedsToWrite ? JournalFault.Unwritable : JournalFault.NotWritten, $"Can't open {_path}: {e.Message}", e);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Frame.CheckForAppend(frame.Span, sequence);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _open && _appender is { } appender ? appender.AppendAsync(sequence, frame) : throw NotOpen();
    }

    /// <inheritdoc/>
    public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) =>
        _snapshots.WriteAsync(sequence, write, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => _snapshots.OpenAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _snapshots.PutAside(sequence);
        return ValueTask.CompletedTask;
    }

    /// <summary>Called before each sync: how tests hold the disk up or make it fail.</summary>
    internal Action? BeforeSync { get; set; }

    /// <summary>Runs a pragma on the writing connection: how tests make its disk full.</summary>
    internal long Pragma(string pragma)
    {
        lock (_gate)
        {
            return _writer!.QueryLong($"PRAGMA {pragma}") ?? 0;
        }
    }

    private JournalCorruptException Damaged(SqliteFailure e) => new(0, $"{_path} is damaged: {e.Message}", e);

    private static InvalidOperationException NotOpen() => new("Call OpenAsync first (also after a conflict or an unknown outcome).");

    /// <summary>On the appender's thread.</summary>
    private void Write(long sequence, ReadOnlySpan<byte> frame)
    {
        lock (_gate)
        {
            _checkpointer!.BeforeAppend();
            Insert(sequence, frame);
            _checkpointer.AfterAppend(frame.Length);
        }
    }

    private void Insert(long sequence, ReadOnlySpan<byte> frame)
    {
        SqliteDatabase writer = _writer!;
        sqlite3_stmt insert = _insert!;
        int code = NativeBlob.Insert(insert, sequence, frame);
        if (code == raw.SQLITE_DONE)
        {
            if (raw.sqlite3_changes(writer.Handle) == 1)
            {
                return;
            }

            _open = false;
            throw new JournalException(JournalFault.Conflict, $"Sequence {sequence} isn't the next one: another writer was here.");
        }

        SqliteFailure failure = writer.Failure(code);
        JournalFault fault = failure.Fault;
        if (fault is JournalFault.Conflict or JournalFault.Unknown)
        {
            _open = false;
        }

        throw new JournalException(fault, $"Append of {sequence} to {_path} failed: {failure.Message}", failure);
    }

    private JournalTail OpenOnce()
    {
        lock (_opening)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);

            // A connection that saw an I/O error is not asked again: a new one learns from the files what is there.
            Close();
            try
            {
                JournalTail tail = Open();
                _open = true;
                return tail;
            }
            catch
            {
                Close();
                throw;
            }
        }
    }

    private JournalTail Open()
    {
        if (Path.GetDirectoryName(_path) is { Length: > 0 } folder)
        {
            Directory.CreateDirectory(folder);
        }

        SqliteDatabase writer = _writer = SqliteDatabase.Open(_path, create: true);
        writer.Execute($"PRAGMA busy_timeout={_options.BusyTimeoutMs}");
        writer.Execute($"PRAGMA page_size={_options.PageSizeBytes}");
        writer.Execute("PRAGMA journal_mode=WAL");
        writer.Execute("PRAGMA synchronous=NORMAL");
        writer.Execute("PRAGMA wal_autocheckpoint=0");
        writer.Execute($"PRAGMA cache_size=-{_options.CacheKib}");
        CreateSchema(writer);
        JournalTail tail = ReadTail(writer);
        _insert = writer.Prepare(InsertSql);
        _checkpointer = new SqliteCheckpointer(_path, writer, _options);
        try
        {
            _appender = new SqliteAppender(_path, Write, () => BeforeSync?.Invoke());

            // A process that died between writing and syncing leaves frames that the system still has and the disk may not.
            _appender.Sync();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(JournalFault.NotWritten, $"Can't open {_path}: its log can't be opened or synced: {e.Message}", e);
        }

        return tail;
    }

    private void CreateSchema(SqliteDatabase writer)
    {
        // IMMEDIATE: two processes may open a new journal at once; the second waits and finds it made.
        writer.Execute("BEGIN IMMEDIATE");
        try
        {
            writer.Execute("CREATE TABLE IF NOT EXISTS schema(version INTEGER NOT NULL)");
            writer.Execute("CREATE TABLE IF NOT EXISTS journal(sequence INTEGER PRIMARY KEY, frame BLOB NOT NULL)");
            writer.Execute($"INSERT INTO schema(version) SELECT {SchemaVersion} WHERE NOT EXISTS (SELECT 1 FROM schema)");
            writer.Execute("COMMIT");
        }
        catch
        {
            _ = raw.sqlite3_exec(writer.Handle, "ROLLBACK");
            throw;
        }

        long? version = writer.QueryLong("SELECT max(version) FROM schema");
        if (version != SchemaVersion)
        {
            throw new NotSupportedException($"{_path} has schema version {version}: this build reads version {SchemaVersion}.");
        }
    }

    private static JournalTail ReadTail(SqliteDatabase writer)
    {
        writer.Execute("BEGIN IMMEDIATE");
        try
        {
            JournalTail tail = FindTail(writer);
            writer.Execute($"DELETE FROM journal WHERE sequence > {tail.Sequence}");
            tail = tail with { TornRecordsDropped = raw.sqlite3_changes(writer.Handle) };
            writer.Execute("COMMIT");
            return tail;
        }
        catch
        {
            _ = raw.sqlite3_exec(writer.Handle, "ROLLBACK");
            throw;
        }
    }

    private static JournalTail FindTail(SqliteDatabase database)
    {
        long first = database.QueryLong("SELECT min(sequence) FROM journal") ?? 1;
        using sqlite3_stmt newest = database.Prepare("SELECT sequence, frame FROM journal ORDER BY sequence DESC LIMIT 2");
        bool torn = false;
        while (database.Step(newest))
        {
            long sequence = raw.sqlite3_column_int64(newest, 0);
            byte[] frame = raw.sqlite3_column_blob(newest, 1).ToArray();
            if (!TailCheck.IsTorn(sequence, frame))
            {
                return new JournalTail(sequence, Frame.Read(frame).Hash.ToArray(), first, 0);
            }

            torn = torn ? throw TailCheck.TornInside(sequence) : true;
        }

        return new JournalTail(0, TailCheck.NoHash, 1, 0);
    }
}

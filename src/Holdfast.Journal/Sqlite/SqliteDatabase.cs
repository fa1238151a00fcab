using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <summary>One raw connection: the thin layer that turns result codes into <see cref="SqliteFailure"/>.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly sqlite3 _handle;

    static SqliteDatabase() => Batteries_V2.Init();

    private SqliteDatabase(sqlite3 handle) => _handle = handle;

    public sqlite3 Handle => _handle;

    /// <summary>Opens a connection that one thread uses at a time.</summary>
    public static SqliteDatabase Open(string path, bool create)
    {
        // NOMUTEX: every connection here has a lock of its own or one user, so SQLite needn't take another.
        return Open(path, path, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX | (create ? raw.SQLITE_OPEN_CREATE : 0));
    }

    /// <summary>
    /// Opens a connection that only reads, also where nothing can be written: beside the log a reader needs a file of shared memory,
    /// which can't be made on a full disk or a read-only one.
    /// </summary>
    public static SqliteDatabase OpenForReading(string path, int busyTimeoutMs)
    {
        try
        {
            return Readable(Open(path, path, raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_NOMUTEX), busyTimeoutMs);
        }
        catch (SqliteFailure e) when (e.NeedsToWrite && File.Exists(path))
        {
            return OpenWithoutSharing(path, busyTimeoutMs);
        }
    }

    private static SqliteDatabase OpenWithoutSharing(string path, int busyTimeoutMs)
    {
        try
        {
            // Alone with the file, a connection keeps the log's index in its own memory.
            return Readable(Open(path, path, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX), busyTimeoutMs, "PRAGMA locking_mode=EXCLUSIVE");
        }
        catch (SqliteFailure e) when (e.NeedsToWrite && new FileInfo(path + "-wal") is not { Exists: true, Length: > 0 })
        {
            // A read-only place: without a log the file itself says all, and nobody can change it meanwhile.
            string uri = $"file:{Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1";
            return Readable(Open(path, uri, raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_NOMUTEX | raw.SQLITE_OPEN_URI), busyTimeoutMs);
        }
    }

    private static SqliteDatabase Readable(SqliteDatabase database, int busyTimeoutMs, string first = "")
    {
        try
        {
            database.Execute($"{first}; PRAGMA busy_timeout={busyTimeoutMs}; PRAGMA query_only=1");
            _ = database.QueryLong("SELECT count(*) FROM sqlite_schema"); // only the first read opens the log
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private static SqliteDatabase Open(string path, string name, int flags)
    {
        int code = raw.sqlite3_open_v2(name, out sqlite3 handle, flags, null);
        if (code != raw.SQLITE_OK)
        {
            string message = handle is null ? "out of memory" : raw.sqlite3_errmsg(handle).utf8_to_string();
            handle?.Dispose();
            throw new SqliteFailure(code, $"{path}: {message}");
        }

        _ = raw.sqlite3_extended_result_codes(handle, 1);
        return new SqliteDatabase(handle);
    }

    public void Execute(string sql) => Check(raw.sqlite3_exec(_handle, sql));

    public sqlite3_stmt Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v3(_handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out sqlite3_stmt statement));
        return statement;
    }

    /// <summary>The first column of the first row, or null when there is no row or it is NULL.</summary>
    public long? QueryLong(string sql)
    {
        using sqlite3_stmt statement = Prepare(sql);
        return Step(statement) && raw.sqlite3_column_type(statement, 0) != raw.SQLITE_NULL ? raw.sqlite3_column_int64(statement, 0) : null;
    }

    /// <summary>True when a row is there, false at the end.</summary>
    public bool Step(sqlite3_stmt statement)
    {
        int code = raw.sqlite3_step(statement);
        return code switch
        {
            raw.SQLITE_ROW => true,
            raw.SQLITE_DONE => false,
            _ => throw Failure(code),
        };
    }

    public void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw Failure(code);
        }
    }

    public SqliteFailure Failure(int code) => new(code, raw.sqlite3_errmsg(_handle).utf8_to_string());

    public void Dispose() => _handle.Dispose();
}

/// <summary>A result code that SQLite returned.</summary>
internal sealed class SqliteFailure(int code, string message) : Exception($"SQLite {code}: {message}")
{
    private const int PrimaryMask = 0xFF;

    /// <summary>The code without its extended part.</summary>
    public int Primary => code & PrimaryMask;

    /// <summary>What a failed append with this code tells of its outcome.</summary>
    /// <remarks>
    /// FULL: a page of the transaction didn't fit, so its commit mark never was whole. BUSY, READONLY and their like: nothing was begun.
    /// Everything else, an I/O error above all, may have come after the commit mark reached the file (a failed fsync says
    /// nothing of what is on disk), so it is unknown until the tail is read again.
    /// </remarks>
    public JournalFault Fault => Primary switch
    {
        raw.SQLITE_FULL or raw.SQLITE_READONLY => JournalFault.Unwritable,
        raw.SQLITE_CONSTRAINT => JournalFault.Conflict,
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_CANTOPEN or raw.SQLITE_TOOBIG or raw.SQLITE_PERM => JournalFault.NotWritten,
        _ => JournalFault.Unknown,
    };

    /// <summary>True for what a place that can't be written answers to an opening, or to a first read.</summary>
    public bool NeedsToWrite => Primary is raw.SQLITE_FULL or raw.SQLITE_READONLY or raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN;

    /// <summary>True when another connection was in the way.</summary>
    public bool IsContention => Primary is raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PROTOCOL;

    /// <summary>True when the file's own structure is damaged.</summary>
    public bool IsDamage => Primary is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;
}

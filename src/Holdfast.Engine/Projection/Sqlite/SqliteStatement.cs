using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Holdfast.Engine.Projection.Sqlite;

/// <summary>
/// A prepared statement without ADO.NET's parameter objects: the projector executes several a row, and binding through
/// <see cref="SqliteCommand"/> costs more than SQLite's own work.
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;
    private int _next;

    public SqliteStatement(sqlite3 database, string sql)
    {
        _database = database;
        Check(raw.sqlite3_prepare_v3(database, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    /// <summary>Begins a new row of parameters; each Bind takes the next one.</summary>
    public SqliteStatement Begin()
    {
        _next = 1;
        return this;
    }

    public SqliteStatement Bind(long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, _next++, value));
        return this;
    }

    public SqliteStatement Bind(long? value)
    {
        Check(value is { } number ? raw.sqlite3_bind_int64(_statement, _next++, number) : raw.sqlite3_bind_null(_statement, _next++));
        return this;
    }

    public SqliteStatement Bind(string? text)
    {
        const int onStack = 512;
        if (text is null)
        {
            Check(raw.sqlite3_bind_null(_statement, _next++));
            return this;
        }

        // One more than needed: SQLite's binding takes an empty span for NULL.
        int room = Encoding.UTF8.GetMaxByteCount(text.Length) + 1;
        Span<byte> utf8 = room <= onStack ? stackalloc byte[onStack] : new byte[room];
        int length = Encoding.UTF8.GetBytes(text, utf8);
        Check(length == 0 ? raw.sqlite3_bind_text(_statement, _next++, "") : raw.sqlite3_bind_text(_statement, _next++, utf8[..length]));
        return this;
    }

    /// <summary>Bytes; none: NULL.</summary>
    public SqliteStatement Bind(ReadOnlySpan<byte> bytes)
    {
        Check(bytes.IsEmpty ? raw.sqlite3_bind_null(_statement, _next++) : raw.sqlite3_bind_blob(_statement, _next++, bytes));
        return this;
    }

    public void Execute()
    {
        int code = raw.sqlite3_step(_statement);
        int reset = raw.sqlite3_reset(_statement);
        if (code is not (raw.SQLITE_DONE or raw.SQLITE_ROW))
        {
            throw Failure(reset == raw.SQLITE_OK ? code : reset);
        }
    }

    /// <summary>True when a row is there; at the end the statement is ready to begin again.</summary>
    public bool Read()
    {
        int code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW)
        {
            return true;
        }

        Reset();
        return code == raw.SQLITE_DONE ? false : throw Failure(code);
    }

    /// <summary>Leaves rows unread.</summary>
    public void Reset() => _ = raw.sqlite3_reset(_statement);

    public long Long(int column) => raw.sqlite3_column_int64(_statement, column);

    public long? LongOrNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL ? null : Long(column);

    public string Text(int column) => raw.sqlite3_column_text(_statement, column).utf8_to_string();

    public string? TextOrNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL ? null : Text(column);

    public byte[] Blob(int column) => raw.sqlite3_column_blob(_statement, column).ToArray();

    public void Dispose() => _statement?.Dispose();

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw Failure(code);
        }
    }

    private SqliteException Failure(int code) => new(raw.sqlite3_errmsg(_database).utf8_to_string(), code & 0xFF, code);
}

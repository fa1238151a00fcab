using System.Data.Common;
using Dapper;
using Holdfast.Kernel;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Holdfast.Engine.Projection.Sqlite;

/// <summary>
/// Views in a SQLite file of their own (SQLite has one writer a file, and the journal must not wait for the views). WAL
/// with <c>synchronous=NORMAL</c>: after a power loss the last transactions may be gone, rows and position together, and
/// are projected again. A damaged file is put aside and built anew: nothing in it is not in the journal.
/// </summary>
internal sealed class SqliteViewStore : IViewStore
{
    private const int BusyTimeoutMs = 5_000;

    // 4 MB. More would save writes (scattered keys touch the same pages in one transaction after another, and a checkpoint writes
    // each once), but a checkpoint hands all of it to the disk at once, and the journal's next sync waits behind that: with 64 MB, 60 to 80 ms.
    private const int CheckpointPages = 1024;
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(10);
    private static int s_memoryStores;

    private readonly string? _path;
    private readonly string _connectionString;
    private readonly TimeProvider _time;
    private SqliteViewWriter? _writer;
    private bool _damaged;

    private SqliteViewStore(string? path, string dataSource, TimeProvider time)
    {
        _path = path;
        _time = time;
        _connectionString = new SqliteConnectionStringBuilder { DataSource = dataSource, DefaultTimeout = BusyTimeoutMs / 1000 }.ToString();
    }

    public bool HasSpaceColumn => false;

    /// <summary>Views in a file, created when missing.</summary>
    public static SqliteViewStore InFile(string path, TimeProvider time)
    {
        string full = Path.GetFullPath(path);
        return new SqliteViewStore(full, full, time);
    }

    /// <summary>Views in memory, gone with the store.</summary>
    public static SqliteViewStore InMemory(TimeProvider time) =>
        new(null, $"file:/holdfast-views-{Interlocked.Increment(ref s_memoryStores)}?vfs=memdb", time);

    public Task<ViewPosition?> OpenAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return Task.FromResult(Open());
        }
        catch (SqliteException e) when (IsDamage(e))
        {
            _damaged = true;
            return Task.FromResult(Open());
        }
    }

    public Task BeginAsync(SpaceMachine? machine, ViewPosition position, CancellationToken cancellationToken)
    {
        InTransaction(writer =>
        {
            foreach (string table in SqliteViewSchema.Tables)
            {
                // Without a condition SQLite drops the pages whole, it doesn't visit the rows.
                using var delete = new SqliteStatement(writer.Handle, $"DELETE FROM {table}");
                delete.Begin().Execute();
            }

            if (machine is not null)
            {
                foreach (ViewResource resource in ViewSeed.Resources(machine))
                {
                    writer.Put(resource);
                }

                foreach (ViewHold hold in ViewSeed.Holds(machine, position.Sequence))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    writer.Insert(hold);
                }
            }

            writer.MovePosition(position);
        });
        return Task.CompletedTask;
    }

    public Task ApplyAsync(ViewChunk chunk, ViewPosition after, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        chunk.ForgetRows();
        InTransaction(writer =>
        {
            long? position = writer.Position()?.Sequence;
            if (position != chunk.From)
            {
                throw new ViewPositionException(chunk.From, position);
            }

            Load(writer, chunk);
            chunk.Apply();
            Write(writer, chunk);
            writer.MovePosition(after);
        });
        return Task.CompletedTask;
    }

    public async Task<T> ReadAsync<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken)
    {
        // SQLite works on the calling thread, which may serve connections: so not on that one. A query that walks too
        // far is interrupted, since nothing else ends it.
        using var timeout = new CancellationTokenSource(QueryTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await Task.Run(() => Read(read, either.Token), cancellationToken);
        }
        catch (SqliteException e) when (e.SqliteErrorCode == raw.SQLITE_INTERRUPT)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ViewsUnavailableException("The query took too long and was ended: narrow it down.", e);
        }
    }

    public ValueTask DisposeAsync()
    {
        Close();
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
        return ValueTask.CompletedTask;
    }

    private static void Load(SqliteViewWriter writer, ViewChunk chunk)
    {
        foreach (string id in chunk.NeededHolds)
        {
            if (writer.FindHold(id) is { } hold)
            {
                chunk.Put(hold);
            }
        }

        foreach (int number in chunk.NeededResources)
        {
            if (writer.FindResource(number) is { } resource)
            {
                chunk.Put(resource);
            }
        }

        foreach (string id in chunk.NeededResourceIds)
        {
            if (chunk.FindResource(id) is null && writer.FindResource(id) is { } resource)
            {
                chunk.Put(resource);
            }
        }

        chunk.NextResource = chunk.NeededResourceIds.Count == 0 ? 0 : writer.NextResource();
    }

    private static void Write(SqliteViewWriter writer, ViewChunk chunk)
    {
        foreach (ViewHold hold in chunk.NewHolds)
        {
            writer.Insert(hold);
        }

        foreach (ViewHold hold in chunk.ChangedHolds)
        {
            writer.Update(hold);
        }

        foreach (ViewMovement movement in chunk.Movements)
        {
            writer.Insert(movement);
        }

        foreach (ViewResource resource in chunk.TouchedResources)
        {
            writer.Put(resource);
        }
    }

    private static bool IsDamage(SqliteException e) => e.SqliteErrorCode is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    private ViewPosition? Open()
    {
        Close();
        if (_damaged && _path is not null)
        {
            PutAside(_path);
        }

        _damaged = false;
        if (_path is not null)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        }

        var connection = new SqliteConnection(_connectionString + ";Pooling=False");
        try
        {
            connection.Open();
            connection.Execute($"PRAGMA busy_timeout={BusyTimeoutMs}; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint={CheckpointPages}");
            connection.Execute(SqliteViewSchema.Create);
            long? format = connection.QuerySingleOrDefault<long?>("SELECT format FROM holdfast_view_position");
            if (format is not (null or SqliteViewSchema.Format))
            {
                connection.Execute("BEGIN IMMEDIATE;" + SqliteViewSchema.Drop + SqliteViewSchema.Create + "COMMIT");
            }

            _writer = new SqliteViewWriter(connection);
            return _writer.Position();
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private void InTransaction(Action<SqliteViewWriter> work)
    {
        SqliteViewWriter writer = _writer ?? throw new InvalidOperationException("Call OpenAsync first.");
        try
        {
            writer.Begin();
            try
            {
                work(writer);
                writer.Commit();
            }
            catch
            {
                // When SQLite has rolled back by itself already (disk full), this says so: not the failure to tell of.
                Suppress(writer.Rollback);
                throw;
            }
        }
        catch (SqliteException e) when (IsDamage(e))
        {
            _damaged = true;
            throw;
        }
    }

    private T Read<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken)
    {
        using var connection = new SqliteConnection(_connectionString);
        connection.Open();
        using CancellationTokenRegistration interrupt = cancellationToken.Register(static c => raw.sqlite3_interrupt(((SqliteConnection)c!).Handle), connection);
        using SqliteTransaction transaction = connection.BeginTransaction(deferred: true);
        return read(connection, transaction);
    }

    private static void PutAside(string path)
    {
        using (var pooled = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path }.ToString()))
        {
            SqliteConnection.ClearPool(pooled);
        }

        File.Move(path, path + ".damaged", overwrite: true);
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
    }

    private static void Suppress(Action action)
    {
        try
        {
            action();
        }
        catch (SqliteException)
        {
            // What failed first is what is told.
        }
    }

    private void Close()
    {
        _writer?.Dispose();
        _writer = null;
    }
}

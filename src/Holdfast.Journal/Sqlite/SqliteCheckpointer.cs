using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// Empties the write-ahead log beside the appends, and bounds it.
/// </summary>
/// <remarks>
/// SQLite's own checkpoint runs inside the append that crosses its threshold: 39 ms for frames of 400 KB. Here:
/// <list type="number">
/// <item>after every <see cref="SqliteJournalOptions.CheckpointEveryBytes"/> a thread with its own connection makes a PASSIVE
/// pass, which blocks nobody;</item>
/// <item>SQLite begins the log anew only at a write that finds all of it copied, and under a constant writer a pass is
/// always a few frames behind. So once the log is past <see cref="SqliteJournalOptions.WalResetBytes"/> and a pass left
/// little, the writer copies that little itself between two appends;</item>
/// <item>past <see cref="SqliteJournalOptions.WalBytesMax"/> the writer copies whatever is left: slow, but bounded.</item>
/// </list>
/// </remarks>
internal sealed class SqliteCheckpointer(string path, SqliteDatabase writer, SqliteJournalOptions options) : IDisposable
{
    private const int FrameHeaderBytes = 24;
    private const int PassesWithoutPause = 4;

    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly long _pageBytes = (writer.QueryLong("PRAGMA page_size") ?? 0) + FrameHeaderBytes;
    private Thread? _thread;
    private long _sinceLastPass;
    private long _walBytes;
    private volatile bool _finishWanted;
    private volatile bool _stopping;

    /// <summary>The last error of a pass, or null after a good one.</summary>
    public volatile string? LastError;

    /// <summary>Called by the writer between two appends.</summary>
    public void BeforeAppend()
    {
        if (_finishWanted || Volatile.Read(ref _walBytes) > options.WalBytesMax)
        {
            Finish();
        }
    }

    /// <summary>Called by the writer after each append.</summary>
    public void AfterAppend(int frameBytes)
    {
        // An append writes the frame's pages and about three more of the tree. An estimate is enough: each pass learns the truth.
        long written = ((frameBytes / (_pageBytes - FrameHeaderBytes)) + 3) * _pageBytes;
        Interlocked.Add(ref _walBytes, written);
        if (Interlocked.Add(ref _sinceLastPass, written) >= options.CheckpointEveryBytes)
        {
            // A space that is hardly written to never gets a thread.
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "holdfast-checkpoint" };
                _thread.Start();
            }

            _wake.Set();
        }
    }

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        while (!_stopping)
        {
            try
            {
                using SqliteDatabase database = SqliteDatabase.Open(path, create: false);
                database.Execute("PRAGMA synchronous=FULL");
                Work(database);
            }
            catch (SqliteFailure e)
            {
                // Nothing is lost by a failed pass: the log still has everything, and the next wake tries again.
                LastError = e.Message;
                _wake.WaitOne();
            }
        }
    }

    private void Work(SqliteDatabase database)
    {
        while (!_stopping)
        {
            for (int pass = 0; pass < PassesWithoutPause; pass++)
            {
                Interlocked.Exchange(ref _sinceLastPass, 0);
                if (Pass(database) is not (var logged, var copied))
                {
                    break;
                }

                // SQLite makes the database file durable only in the pass that copies the log's last page, and that would be
                // the writer's short one: it would pay for all. So it is done here after every pass.
                database.Check(NativeFile.Sync(database.Handle));
                Volatile.Write(ref _walBytes, logged);
                if (logged < options.WalResetBytes)
                {
                    break;
                }

                if (Volatile.Read(ref _sinceLastPass) + logged - copied <= options.CheckpointEveryBytes / 4)
                {
                    _finishWanted = true;
                    break;
                }
            }

            _wake.WaitOne();
        }
    }

    /// <summary>The writer's own short pass. It leaves nothing behind, so the next append begins the log anew.</summary>
    private void Finish()
    {
        _finishWanted = false;
        try
        {
            if (Pass(writer) is (var logged, var copied))
            {
                Volatile.Write(ref _walBytes, logged == copied ? 0 : logged);
            }
        }
        catch (SqliteFailure e)
        {
            LastError = e.Message;
        }
    }

    /// <summary>Bytes in the log and how many of them are copied, or null when another connection is at it right now.</summary>
    private (long Logged, long Copied)? Pass(SqliteDatabase database)
    {
        int code = raw.sqlite3_wal_checkpoint_v2(database.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out int logged, out int copied);
        if (code == raw.SQLITE_BUSY)
        {
            return null;
        }

        database.Check(code);
        LastError = null;
        return (Math.Max(0, logged) * _pageBytes, Math.Max(0, copied) * _pageBytes);
    }
}

using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// Makes appends durable beside the one that is being written: its thread syncs the log, and whatever was written before a
/// sync began is durable when it ends.
/// </summary>
/// <remarks>
/// <c>synchronous=FULL</c> is a commit at <c>NORMAL</c> followed by a sync of the log, on the writer's thread and with the
/// database locked. Here the same sync runs on another thread, so that the next frame is decided and written meanwhile. An
/// append is acknowledged after it, as with FULL. The log is synced through a handle of our own: SQLite locks the database
/// file and the shared-memory file, never the log, so closing the handle takes no lock from it.
/// </remarks>
internal sealed partial class SqliteSyncer : IDisposable
{
    private readonly SafeFileHandle _log;
    private readonly object _lock = new();
    private readonly Queue<Append> _written = new();
    private readonly Stack<Append> _free = new();
    private readonly Thread _thread;
    private readonly string _path;
    private readonly Action _beforeSync;
    private JournalException? _failure;
    private bool _stopping;

    /// <param name="path">The database file; its log must exist.</param>
    /// <param name="beforeSync">Called before each sync: a test's place to hold it up or to make it fail.</param>
    public SqliteSyncer(string path, Action beforeSync)
    {
        _beforeSync = beforeSync;
        _path = path + "-wal";
        _log = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        _thread = new Thread(Run) { IsBackground = true, Name = "holdfast journal" };
        _thread.Start();
    }

    /// <summary>Syncs the log on the calling thread.</summary>
    public void Sync()
    {
        _beforeSync();
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(_log);
            return;
        }

        // Not fsync: the file's times needn't be durable, and while the log is written over again in place nothing else changes.
        if (DataSync(_log) != 0)
        {
            throw new IOException($"Syncing {_path} failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    /// <summary>Why nothing is made durable any more, or null.</summary>
    public JournalException? Failure
    {
        get
        {
            lock (_lock)
            {
                return _failure;
            }
        }
    }

    /// <summary>Completes when everything written so far is durable; fails with an unknown outcome.</summary>
    public ValueTask Written()
    {
        lock (_lock)
        {
            if (_failure is not null)
            {
                // What the disk has is unknown from the first failed sync on, and a second one may well say that all is well.
                return ValueTask.FromException(_failure);
            }

            Append append = _free.TryPop(out Append? reused) ? reused : new Append(this);
            _written.Enqueue(append);
            Monitor.Pulse(_lock);
            return append.Begin();
        }
    }

    /// <summary>Syncs what was written, then ends the thread.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _stopping = true;
            Monitor.Pulse(_lock);
        }

        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
        }

        _log.Dispose();
    }

    private void Run()
    {
        var synced = new List<Append>();
        while (true)
        {
            synced.Clear();
            lock (_lock)
            {
                while (_written.Count == 0)
                {
                    if (_stopping)
                    {
                        return;
                    }

                    Monitor.Wait(_lock);
                }

                while (_written.TryDequeue(out Append? append))
                {
                    synced.Add(append);
                }
            }

            try
            {
                if (_failure is null)
                {
                    Sync();
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                lock (_lock)
                {
                    _failure = new JournalException(JournalFault.Unknown, e.Message, e);
                }
            }

            foreach (Append append in synced)
            {
                append.End(_failure);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int DataSync(SafeFileHandle file);

    /// <summary>One append on its way; used again after its result was taken.</summary>
    private sealed class Append(SqliteSyncer owner) : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _source;

        public ValueTask Begin()
        {
            _source.Reset();
            return new ValueTask(this, _source.Version);
        }

        public void End(JournalException? failure)
        {
            if (failure is null)
            {
                _source.SetResult(true);
            }
            else
            {
                _source.SetException(failure);
            }
        }

        public void GetResult(short token)
        {
            try
            {
                _source.GetResult(token);
            }
            finally
            {
                lock (owner._lock)
                {
                    owner._free.Push(this);
                }
            }
        }

        public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);
    }
}

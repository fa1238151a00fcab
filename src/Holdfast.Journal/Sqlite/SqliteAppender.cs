using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// The thread that writes a journal's frames and makes them durable: what waits is written, then the log is synced once, then
/// each append completes.
/// </summary>
/// <remarks>
/// <c>synchronous=FULL</c> is a commit at <c>NORMAL</c> followed by a sync of the log while the database is locked. Here
/// the same sync follows outside of the lock. The log is synced through a handle of our own: SQLite locks the database
/// file and the shared-memory file, never the log, so closing the handle takes no lock from it.
/// </remarks>
internal sealed partial class SqliteAppender : IDisposable
{
    private readonly SafeFileHandle _log;
    private readonly object _lock = new();
    private readonly Queue<Append> _waiting = new();
    private readonly Stack<Append> _free = new();
    private readonly Thread _thread;
    private readonly string _path;
    private readonly Action<long, ReadOnlySpan<byte>> _write;
    private readonly Action _beforeSync;
    private JournalException? _failure;
    private bool _stopping;

    /// <param name="path">The database file; its log must exist.</param>
    /// <param name="write">Writes a frame into the log, on this thread; what it throws fails that append.</param>
    /// <param name="beforeSync">Called before each sync: a test's place to hold it up or to make it fail.</param>
    public SqliteAppender(string path, Action<long, ReadOnlySpan<byte>> write, Action beforeSync)
    {
        _write = write;
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
        Sync(_log, _path);
    }

    /// <summary>Makes durable what a process that was killed may have left in the log of <paramref name="path"/> without syncing it.</summary>
    public static void SyncLogOf(string path)
    {
        string log = path + "-wal";
        if (File.Exists(log))
        {
            using SafeFileHandle file = File.OpenHandle(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            Sync(file, log);
        }
    }

    /// <summary>Completes when the frame is durable. Its memory must stay as it is until then.</summary>
    public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame)
    {
        lock (_lock)
        {
            if (_stopping)
            {
                return ValueTask.FromException(new JournalException(JournalFault.NotWritten, $"Append of {sequence}: the journal is being closed."));
            }

            Append append = _free.TryPop(out Append? reused) ? reused : new Append(this);
            ValueTask end = append.Begin(sequence, frame);
            _waiting.Enqueue(append);
            Monitor.Pulse(_lock);
            return end;
        }
    }

    /// <summary>Writes and syncs what waits, then ends the thread.</summary>
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
        var underway = new List<Append>();
        while (Take(underway))
        {
            bool written = false;
            foreach (Append append in underway)
            {
                written |= Write(append);
            }

            if (written)
            {
                MakeDurable(underway);
            }

            foreach (Append append in underway)
            {
                append.End();
            }

            underway.Clear();
        }
    }

    private bool Take(List<Append> underway)
    {
        lock (_lock)
        {
            while (_waiting.Count == 0)
            {
                if (_stopping)
                {
                    return false;
                }

                Monitor.Wait(_lock);
            }

            while (_waiting.TryDequeue(out Append? append))
            {
                underway.Add(append);
            }

            return true;
        }
    }

    private bool Write(Append append)
    {
        try
        {
            // What the disk has is unknown from the first failed sync on, and a second one may well say that all is well.
            append.Failure = _failure;
            if (_failure is null)
            {
                _write(append.Sequence, append.Frame.Span);
                return true;
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            append.Failure = e as JournalException ?? new JournalException(JournalFault.Unknown, e.Message, e);
        }

        return false;
    }

    private void MakeDurable(List<Append> underway)
    {
        try
        {
            Sync();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _failure = new JournalException(JournalFault.Unknown, e.Message, e);
            foreach (Append append in underway)
            {
                append.Failure ??= _failure;
            }
        }
    }

    private static void Sync(SafeFileHandle file, string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file);
            return;
        }

        // Not fsync: the file's times needn't be durable, and while the log is written over again in place nothing else changes.
        if (DataSync(file) != 0)
        {
            throw new IOException($"Syncing {path} failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int DataSync(SafeFileHandle file);

    /// <summary>One append on its way; used again after its result was taken.</summary>
    private sealed class Append(SqliteAppender owner) : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _source;

        public long Sequence { get; private set; }

        public ReadOnlyMemory<byte> Frame { get; private set; }

        public JournalException? Failure { get; set; }

        public ValueTask Begin(long sequence, ReadOnlyMemory<byte> frame)
        {
            (Sequence, Frame, Failure) = (sequence, frame, null);
            _source.Reset();
            return new ValueTask(this, _source.Version);
        }

        public void End()
        {
            Frame = default;
            if (Failure is null)
            {
                _source.SetResult(true);
            }
            else
            {
                _source.SetException(Failure);
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

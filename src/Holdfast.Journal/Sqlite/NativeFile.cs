using System.Runtime.InteropServices;
using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <summary>Reaches the file beneath a connection, through the interface that SQLite publishes for it.</summary>
/// <remarks>
/// The tempting way, a second handle on the same file, is wrong: on POSIX systems closing any handle on a file drops all
/// of the process's locks on it, SQLite's among them.
/// </remarks>
internal static partial class NativeFile
{
    private const int FileControlFilePointer = 7;
    private const int SyncNormal = 2;

    // sqlite3_io_methods: iVersion, xClose, xRead, xWrite, xTruncate, xSync, … (sqlite3.h; append-only since 2004).
    private const int SyncSlot = 5;

    /// <summary>Makes what was written to the database file durable. Returns SQLITE_OK or the error code.</summary>
    public static unsafe int Sync(sqlite3 database)
    {
        IntPtr* file;
        int code = FileControl(database.DangerousGetHandle(), "main", FileControlFilePointer, &file);
        if (code != raw.SQLITE_OK || file is null || *file == IntPtr.Zero)
        {
            return code;
        }

        var sync = (delegate* unmanaged[Cdecl]<IntPtr*, int, int>)((IntPtr*)*file)[SyncSlot];
        code = sync(file, SyncNormal);
        GC.KeepAlive(database);
        return code;
    }

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int FileControl(IntPtr database, string name, int operation, IntPtr** argument);
}

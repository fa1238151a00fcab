using System.Runtime.InteropServices;
using SQLitePCL;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// The hot insert. The wrapper's own bind copies the blob (SQLITE_TRANSIENT), which for a large frame is a fresh mapping and
/// its page faults at every append; here SQLite reads the pinned frame itself (SQLITE_STATIC) until the statement is reset.
/// </summary>
internal static partial class NativeBlob
{
    private const string Library = "e_sqlite3";
    private static readonly IntPtr Static = IntPtr.Zero;

    /// <summary>Binds, steps and resets. Returns SQLITE_DONE or the error code.</summary>
    public static unsafe int Insert(sqlite3_stmt statement, long sequence, ReadOnlySpan<byte> frame)
    {
        IntPtr handle = statement.DangerousGetHandle();
        fixed (byte* bytes = frame)
        {
            int code = BindInt64(handle, 1, sequence);
            if (code != raw.SQLITE_OK)
            {
                return code;
            }

            code = BindBlob(handle, 2, bytes, frame.Length, Static);
            if (code != raw.SQLITE_OK)
            {
                return code;
            }

            code = Step(handle);

            // Reset repeats the step's error; it ends the autocommit transaction when the step failed. Unbinding keeps no
            // pointer to memory that is unpinned from here on.
            _ = Reset(handle);
            _ = ClearBindings(handle);
            GC.KeepAlive(statement);
            return code;
        }
    }

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_int64")]
    private static partial int BindInt64(IntPtr statement, int index, long value);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_blob")]
    private static unsafe partial int BindBlob(IntPtr statement, int index, byte* value, int length, IntPtr destructor);

    [LibraryImport(Library, EntryPoint = "sqlite3_step")]
    private static partial int Step(IntPtr statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_reset")]
    private static partial int Reset(IntPtr statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_clear_bindings")]
    private static partial int ClearBindings(IntPtr statement);
}

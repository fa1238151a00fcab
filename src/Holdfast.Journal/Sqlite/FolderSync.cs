using System.Runtime.InteropServices;

namespace Holdfast.Journal.Sqlite;

/// <summary>Makes a rename durable: on POSIX systems the folder itself must reach the disk. Windows does so by itself.</summary>
internal static partial class FolderSync
{
    private const int ReadOnly = 0;

    public static void Flush(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET opens no folders, so the three calls are made directly.
        int descriptor = Open(folder, ReadOnly);
        if (descriptor < 0)
        {
            throw new IOException($"Can't open folder {folder}: error {Marshal.GetLastPInvokeError()}.");
        }

        try
        {
            if (FSync(descriptor) != 0)
            {
                throw new IOException($"Can't make folder {folder} durable: error {Marshal.GetLastPInvokeError()}.");
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}

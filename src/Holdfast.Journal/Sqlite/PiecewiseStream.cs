using System.Runtime.InteropServices;

namespace Holdfast.Journal.Sqlite;

/// <summary>
/// Writes a large file so that the disk gets it piece by piece: whoever syncs a file of his own meanwhile, the journal above all,
/// waits behind one piece and not behind hundreds of megabytes. Makes nothing durable: a sync at the end does. Leaves
/// the file open.
/// </summary>
internal sealed partial class PiecewiseStream(FileStream file) : Stream
{
    private const int PieceBytes = 1 << 20;

    // SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER.
    private const uint WriteAndWait = 1 | 2 | 4;

    private long _written;
    private long _begun;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _written;

    public override long Position
    {
        get => _written;
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        file.Write(buffer);
        _written += buffer.Length;
        EndPiece();
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await file.WriteAsync(buffer, cancellationToken);
        _written += buffer.Length;
        EndPiece();
    }

    public override void Flush() => file.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => file.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void EndPiece()
    {
        if (_written - _begun < PieceBytes || !OperatingSystem.IsLinux())
        {
            return;
        }

        file.Flush();

        // A hint: what it couldn't write, the sync at the end writes, or fails on.
        _ = SyncFileRange(file.SafeFileHandle, _begun, _written - _begun, WriteAndWait);
        _begun = _written;
    }

    [LibraryImport("libc", EntryPoint = "sync_file_range")]
    private static partial int SyncFileRange(Microsoft.Win32.SafeHandles.SafeFileHandle file, long offset, long bytes, uint flags);
}

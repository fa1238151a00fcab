namespace Holdfast.Journal.Postgres;

/// <summary>Gathers writes into parts of one size and hands each on; the last may be shorter.</summary>
internal sealed class PartStream(int partBytes, Func<ReadOnlyMemory<byte>, CancellationToken, Task> put) : Stream
{
    private readonly byte[] _part = new byte[partBytes];
    private int _used;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (_used > 0)
        {
            await put(_part.AsMemory(0, _used), cancellationToken);
            _used = 0;
        }
    }

    public override void Write(byte[] buffer, int offset, int count) =>
        BlockingWait.For(() => WriteAsync(buffer.AsMemory(offset, count), CancellationToken.None).AsTask());

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int taken = Math.Min(buffer.Length, _part.Length - _used);
            buffer[..taken].CopyTo(_part.AsMemory(_used));
            _used += taken;
            buffer = buffer[taken..];
            if (_used == _part.Length)
            {
                await FinishAsync(cancellationToken);
            }
        }
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>Reads parts 0, 1, … one after the other until one is missing. Owns what it reads from.</summary>
internal sealed class PartReadStream(Func<int, CancellationToken, Task<byte[]?>> get, IAsyncDisposable owned) : Stream
{
    private ReadOnlyMemory<byte> _rest;
    private int _next;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        BlockingWait.For(() => ReadAsync(buffer.AsMemory(offset, count), CancellationToken.None).AsTask());

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_rest.IsEmpty)
        {
            _rest = await get(_next++, cancellationToken);
        }

        int taken = Math.Min(buffer.Length, _rest.Length);
        _rest[..taken].CopyTo(buffer);
        _rest = _rest[taken..];
        return taken;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override ValueTask DisposeAsync() => owned.DisposeAsync();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            BlockingWait.For(() => owned.DisposeAsync().AsTask());
        }

        base.Dispose(disposing);
    }
}

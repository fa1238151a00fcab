using System.Security.Cryptography;

namespace Holdfast.Journal;

/// <summary>
/// Reads a known number of bytes and compares their SHA-256 on the way. The comparison happens before the last bytes are
/// handed out, so even a reader that never asks past the end can't take a damaged snapshot for a good one.
/// </summary>
internal sealed class VerifyingStream(Stream inner, long length, ReadOnlyMemory<byte> expectedHash, long sequence) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _remaining = length;
    private bool _verified;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length { get; } = length;

    public override long Position
    {
        get => Length - _remaining;
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, _remaining)];
        int read = buffer.IsEmpty ? 0 : inner.Read(buffer);
        return Took(buffer, read);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, _remaining)];
        int read = buffer.IsEmpty ? 0 : await inner.ReadAsync(buffer, cancellationToken);
        return Took(buffer.Span, read);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        _hash.Dispose();
        await inner.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Took(ReadOnlySpan<byte> asked, int read)
    {
        if (read == 0 && !asked.IsEmpty)
        {
            throw new JournalCorruptException(sequence, $"The snapshot of {sequence} ends {_remaining} bytes early.");
        }

        _hash.AppendData(asked[..read]);
        _remaining -= read;
        if (_remaining == 0 && !_verified)
        {
            Span<byte> actual = stackalloc byte[SHA256.HashSizeInBytes];
            _hash.GetHashAndReset(actual);
            if (!actual.SequenceEqual(expectedHash.Span))
            {
                throw new JournalCorruptException(sequence, $"The snapshot of {sequence} doesn't match its SHA-256.");
            }

            _verified = true;
        }

        return read;
    }
}

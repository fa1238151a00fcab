using System.Buffers.Text;
using System.Text;

namespace Holdfast.Client.Resp;

/// <summary>Writes commands (arrays of bulk strings) into one growing buffer that is sent as a whole.</summary>
internal sealed class RespWriter
{
    // A burst may make the buffer large; it is not kept that large for ever.
    private const int KeptBytesMax = 1024 * 1024;
    private const int InitialBytes = 16 * 1024;

    // '$' or '*', 20 digits, CR LF.
    private const int PrefixBytesMax = 23;

    private byte[] _buffer = new byte[InitialBytes];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, Length);

    public void BeginCommand(int arguments)
    {
        Reserve(PrefixBytesMax);
        WritePrefix((byte)'*', arguments);
    }

    public void Argument(string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        Reserve(PrefixBytesMax + bytes + 2);
        WritePrefix((byte)'$', bytes);
        Length += Encoding.UTF8.GetBytes(value, _buffer.AsSpan(Length));
        EndLine();
    }

    public void Argument(ReadOnlySpan<byte> value)
    {
        Reserve(PrefixBytesMax + value.Length + 2);
        WritePrefix((byte)'$', value.Length);
        value.CopyTo(_buffer.AsSpan(Length));
        Length += value.Length;
        EndLine();
    }

    public void Argument(long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out var length);
        Argument(digits[..length]);
    }

    /// <summary>Takes back everything after <paramref name="length"/>: a command that could not be written whole.</summary>
    public void Truncate(int length) => Length = length;

    public void Clear()
    {
        Length = 0;
        if (_buffer.Length > KeptBytesMax)
        {
            _buffer = new byte[InitialBytes];
        }
    }

    private void WritePrefix(byte type, long number)
    {
        _buffer[Length++] = type;
        Utf8Formatter.TryFormat(number, _buffer.AsSpan(Length), out var digits);
        Length += digits;
        EndLine();
    }

    private void EndLine()
    {
        _buffer[Length++] = (byte)'\r';
        _buffer[Length++] = (byte)'\n';
    }

    private void Reserve(int bytes)
    {
        if (_buffer.Length - Length < bytes)
        {
            Array.Resize(ref _buffer, checked((int)Math.Max(_buffer.Length * 2L, Length + (long)bytes)));
        }
    }
}

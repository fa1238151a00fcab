using System.Buffers.Text;
using System.Text;

namespace Holdfast.Client.Resp;

/// <summary>The bytes are not RESP2, or exceed a bound. The connection can't be read any further.</summary>
internal sealed class RespFormatException(string message) : Exception(message);

/// <summary>
/// Reads RESP2 values (https://redis.io/docs/latest/develop/reference/protocol-spec/) from a buffer that may end
/// anywhere. Stateless: a value that is not whole yet is parsed again from its first byte when more has arrived, which
/// is simpler than a resumable parser and costs nothing for the short answers that make up the traffic.
/// </summary>
internal ref struct RespReader
{
    /// <summary>Longest line (simple string, error, length), in bytes.</summary>
    public const int LineBytesMax = 64 * 1024;

    /// <summary>Largest value with everything in it, in bytes; the reader's buffer never grows beyond.</summary>
    public const int ValueBytesMax = 1024 * 1024;

    /// <summary>Deepest nesting of arrays.</summary>
    public const int DepthMax = 8;

    // "+\r\n" is the shortest value there is.
    private const int ElementBytesMin = 3;

    private readonly ReadOnlySpan<byte> _buffer;
    private int _position;

    private RespReader(ReadOnlySpan<byte> buffer) => _buffer = buffer;

    /// <summary>Reads one value from the start of <paramref name="buffer"/>.</summary>
    /// <returns>False when the value is not whole yet; nothing is consumed then.</returns>
    /// <exception cref="RespFormatException">No continuation could make this a value within the bounds.</exception>
    public static bool TryRead(ReadOnlySpan<byte> buffer, out RespValue value, out int consumed)
    {
        var reader = new RespReader(buffer);
        if (reader.TryReadValue(1, out value))
        {
            consumed = reader._position;
            return true;
        }

        consumed = 0;
        if (buffer.Length >= ValueBytesMax)
        {
            throw new RespFormatException($"value above {ValueBytesMax} bytes");
        }

        return false;
    }

    private bool TryReadValue(int depth, out RespValue value)
    {
        value = default;
        if (_position >= _buffer.Length)
        {
            return false;
        }

        var type = _buffer[_position];
        if (type is not ((byte)'+' or (byte)'-' or (byte)':' or (byte)'$' or (byte)'*'))
        {
            throw new RespFormatException($"unexpected type byte 0x{type:x2}");
        }

        _position++;
        if (!TryReadLine(out var line))
        {
            return false;
        }

        switch (type)
        {
            case (byte)'+':
                value = RespValue.Of(RespKind.Simple, Intern(line));
                return true;
            case (byte)'-':
                value = RespValue.Of(RespKind.Error, Encoding.UTF8.GetString(line));
                return true;
            case (byte)':':
                value = RespValue.Of(ParseInteger(line));
                return true;
            case (byte)'$':
                return TryReadBulk(ParseLength(line, ValueBytesMax), out value);
            default:
                return TryReadArray(ParseLength(line, ValueBytesMax / ElementBytesMin), depth, out value);
        }
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        var rest = _buffer[_position..];
        var end = rest.IndexOf((byte)'\r');
        if ((end < 0 ? rest.Length : end) > LineBytesMax)
        {
            throw new RespFormatException($"line above {LineBytesMax} bytes");
        }

        line = default;
        if (end < 0 || end + 1 >= rest.Length)
        {
            return false;
        }

        if (rest[end + 1] != (byte)'\n')
        {
            throw new RespFormatException("CR without LF");
        }

        line = rest[..end];
        _position += end + 2;
        return true;
    }

    private bool TryReadBulk(int length, out RespValue value)
    {
        value = RespValue.Null;
        if (length < 0)
        {
            return true;
        }

        var rest = _buffer[_position..];
        // What is here of the terminator is checked at once: waiting for a whole value that can't come would hang.
        if ((rest.Length > length && rest[length] != (byte)'\r') || (rest.Length > length + 1 && rest[length + 1] != (byte)'\n'))
        {
            throw new RespFormatException("bulk string without its end");
        }

        if (rest.Length < length + 2)
        {
            return false;
        }

        value = RespValue.Of(RespKind.Bulk, Encoding.UTF8.GetString(rest[..length]));
        _position += length + 2;
        return true;
    }

    private bool TryReadArray(int count, int depth, out RespValue value)
    {
        value = RespValue.Null;
        if (count < 0)
        {
            return true;
        }

        if (depth > DepthMax)
        {
            throw new RespFormatException($"arrays nested deeper than {DepthMax}");
        }

        // A count is a claim; memory is given only for what can already be here.
        if ((long)count * ElementBytesMin > _buffer.Length - _position)
        {
            return false;
        }

        var items = new RespValue[count];
        for (var i = 0; i < count; i++)
        {
            if (!TryReadValue(depth + 1, out items[i]))
            {
                return false;
            }
        }

        value = RespValue.Of(items);
        return true;
    }

    private static int ParseLength(ReadOnlySpan<byte> line, int max)
    {
        var length = ParseInteger(line);
        return length >= -1 && length <= max
            ? (int)length
            : throw new RespFormatException($"length {length} outside -1 to {max}");
    }

    private static long ParseInteger(ReadOnlySpan<byte> line) =>
        Utf8Parser.TryParse(line, out long number, out var used) && used == line.Length
            ? number
            : throw new RespFormatException("not an integer");

    // The answers of the fast path are a few words: no string is made for them.
    private static string Intern(ReadOnlySpan<byte> line)
    {
        if (line.SequenceEqual("held"u8))
        {
            return "held";
        }

        if (line.SequenceEqual("confirmed"u8))
        {
            return "confirmed";
        }

        if (line.SequenceEqual("cancelled"u8))
        {
            return "cancelled";
        }

        return line.SequenceEqual("OK"u8) ? "OK" : Encoding.UTF8.GetString(line);
    }
}

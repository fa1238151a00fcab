using System.Buffers.Text;

namespace Holdfast.Server.Resp;

/// <summary>What a look at the input found.</summary>
internal enum RespParse
{
    /// <summary>The command isn't all there yet.</summary>
    Incomplete,

    /// <summary>A whole command; no arguments at all for an empty line.</summary>
    Command,

    /// <summary>Not RESP, or beyond a bound: the connection is told and closed, as its framing can't be trusted any more.</summary>
    Malformed,
}

/// <summary>
/// Cuts commands out of bytes: arrays of bulk strings, and inline commands (a line of words). Allocates nothing; the
/// arguments point into the input.
/// </summary>
internal sealed class RespParser
{
    /// <summary>Most arguments: a hold of 64 lines, and some to spare.</summary>
    public const int MaxArguments = 160;

    /// <summary>Longest argument, in bytes. Longer than any id, so that ids are refused by name rather than by framing.</summary>
    public const int MaxArgumentBytes = 4096;

    /// <summary>Longest command, in bytes.</summary>
    public const int MaxCommandBytes = 64 * 1024;

    private readonly Range[] _arguments = new Range[MaxArguments];

    /// <summary>Arguments of the last command, its name included.</summary>
    public int Count { get; private set; }

    /// <summary>Why the input is malformed.</summary>
    public string Error { get; private set; } = "";

    /// <summary>An argument's place in the input that was parsed.</summary>
    public ReadOnlySpan<byte> Argument(ReadOnlySpan<byte> input, int index) => input[_arguments[index]];

    /// <summary>Parses one command at the beginning of the input.</summary>
    /// <param name="input">Bytes that have arrived.</param>
    /// <param name="length">Bytes that the command takes.</param>
    public RespParse Next(ReadOnlySpan<byte> input, out int length)
    {
        length = 0;
        Count = 0;
        if (input.IsEmpty)
        {
            return RespParse.Incomplete;
        }

        return input[0] == (byte)'*' ? Array(input, out length) : Inline(input, out length);
    }

    private RespParse Array(ReadOnlySpan<byte> input, out int length)
    {
        length = 0;
        int at = 1;
        RespParse parse = Number(input, ref at, out long count);
        if (parse != RespParse.Command)
        {
            return parse;
        }

        if (count is < 0 or > MaxArguments)
        {
            return Malformed("invalid multibulk length");
        }

        for (int i = 0; i < count; i++)
        {
            if (at >= input.Length)
            {
                return TooLongOrIncomplete(input);
            }

            if (input[at] != (byte)'$')
            {
                return Malformed("expected '$', got something else");
            }

            at++;
            parse = Number(input, ref at, out long bytes);
            if (parse != RespParse.Command)
            {
                return parse;
            }

            if (bytes is < 0 or > MaxArgumentBytes)
            {
                return Malformed("invalid bulk length");
            }

            int end = at + (int)bytes;
            if (end + 2 > input.Length)
            {
                return TooLongOrIncomplete(input);
            }

            if (input[end] != (byte)'\r' || input[end + 1] != (byte)'\n')
            {
                return Malformed("a bulk string doesn't end where its length says");
            }

            _arguments[i] = at..end;
            at = end + 2;
        }

        Count = (int)count;
        length = at;
        return RespParse.Command;
    }

    /// <summary>
    /// Whether a line is a request's first one, or names its host. Nothing behind it may be carried out: a web page can have its
    /// reader's browser send what it likes to this port, in the body of a request.
    /// </summary>
    private static bool IsHttp(ReadOnlySpan<byte> firstWord, ReadOnlySpan<byte> lastWord) =>
        lastWord.StartsWith("HTTP/"u8) || RespArguments.Is(firstWord, "HOST:"u8);

    private RespParse Inline(ReadOnlySpan<byte> input, out int length)
    {
        length = 0;
        int newline = input.IndexOf((byte)'\n');
        if (newline < 0)
        {
            return TooLongOrIncomplete(input);
        }

        int end = newline > 0 && input[newline - 1] == (byte)'\r' ? newline - 1 : newline;
        int at = 0;
        while (at < end)
        {
            if (input[at] == (byte)' ')
            {
                at++;
                continue;
            }

            int space = input[at..end].IndexOf((byte)' ');
            int wordEnd = space < 0 ? end : at + space;
            if (Count == MaxArguments)
            {
                Count = 0;
                return Malformed("too many arguments");
            }

            _arguments[Count++] = at..wordEnd;
            at = wordEnd;
        }

        if (Count > 0 && IsHttp(input[_arguments[0]], input[_arguments[Count - 1]]))
        {
            Count = 0;
            return Malformed("this is HTTP; RESP is spoken here");
        }

        length = newline + 1;
        return RespParse.Command;
    }

    private RespParse Number(ReadOnlySpan<byte> input, ref int at, out long value)
    {
        const int longestNumber = 20;
        value = 0;
        ReadOnlySpan<byte> rest = input[at..];
        int end = rest[..Math.Min(rest.Length, longestNumber + 2)].IndexOf((byte)'\r');
        if (end < 0)
        {
            return rest.Length > longestNumber ? Malformed("a length is longer than a number can be") : TooLongOrIncomplete(input);
        }

        if (!Utf8Parser.TryParse(rest[..end], out value, out int used) || used != end)
        {
            return Malformed("a length is not a number");
        }

        if (end + 1 >= rest.Length)
        {
            return RespParse.Incomplete;
        }

        if (rest[end + 1] != (byte)'\n')
        {
            return Malformed("a length doesn't end with a line break");
        }

        at += end + 2;
        return RespParse.Command;
    }

    private RespParse TooLongOrIncomplete(ReadOnlySpan<byte> input)
    {
        Count = 0;
        return input.Length >= MaxCommandBytes ? Malformed("a command is longer than 65536 bytes") : RespParse.Incomplete;
    }

    private RespParse Malformed(string error)
    {
        Count = 0;
        Error = error;
        return RespParse.Malformed;
    }
}

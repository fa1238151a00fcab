using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Holdfast.Server.Resp;

/// <summary>Writes replies. Works for RESP2 and RESP3, which differ in maps only.</summary>
internal readonly struct RespWriter(IBufferWriter<byte> output)
{
    public void Raw(ReadOnlySpan<byte> reply) => output.Write(reply);

    public void Simple(ReadOnlySpan<byte> text)
    {
        output.Write("+"u8);
        output.Write(text);
        EndLine();
    }

    /// <summary>An error; a line break inside would forge another reply, so the text is cut there.</summary>
    public void Error(string text)
    {
        int cut = text.AsSpan().IndexOfAny('\r', '\n');
        output.Write("-"u8);
        Encoding.UTF8.GetBytes(cut < 0 ? text : text.AsSpan(0, cut), output);
        EndLine();
    }

    public void Integer(long value)
    {
        output.Write(":"u8);
        Number(value);
        EndLine();
    }

    public void Array(int count)
    {
        output.Write("*"u8);
        Number(count);
        EndLine();
    }

    /// <summary>A map of so many pairs: a flat array for RESP2.</summary>
    public void Map(int pairs, int protocol)
    {
        output.Write(protocol >= 3 ? "%"u8 : "*"u8);
        Number(protocol >= 3 ? pairs : 2 * pairs);
        EndLine();
    }

    public void Bulk(ReadOnlySpan<byte> bytes)
    {
        output.Write("$"u8);
        Number(bytes.Length);
        EndLine();
        output.Write(bytes);
        EndLine();
    }

    public void Bulk(string text) => Bulk(Encoding.UTF8.GetBytes(text));

    private void Number(long value)
    {
        Span<byte> digits = output.GetSpan(20);
        Utf8Formatter.TryFormat(value, digits, out int length);
        output.Advance(length);
    }

    private void EndLine() => output.Write("\r\n"u8);
}

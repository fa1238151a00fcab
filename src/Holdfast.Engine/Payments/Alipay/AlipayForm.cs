using System.Buffers;
using System.Text;

namespace Holdfast.Engine.Payments.Alipay;

/// <summary>
/// A form as bytes: each name and value decoded once, and never through text, so that what is verified is what was sent
/// whatever the charset.
/// </summary>
internal sealed class AlipayForm
{
    private readonly List<(byte[] Name, byte[] Value)> _fields = [];

    /// <summary>Null: not a form, or a field is given twice.</summary>
    public static AlipayForm? Parse(ReadOnlySpan<byte> body)
    {
        var form = new AlipayForm();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (Range part in body.Split((byte)'&'))
        {
            ReadOnlySpan<byte> field = body[part];
            if (field.IsEmpty)
            {
                continue;
            }

            int equals = field.IndexOf((byte)'=');
            if (equals < 1 || Decode(field[..equals]) is not { } name || Decode(field[(equals + 1)..]) is not { } value || !seen.Add(Encoding.Latin1.GetString(name)))
            {
                return null;
            }

            form._fields.Add((name, value));
        }

        return form._fields.Count == 0 ? null : form;
    }

    /// <summary>A field's bytes; null: it is not there.</summary>
    public byte[]? Bytes(string name) => _fields.Find(f => f.Name.AsSpan().SequenceEqual(Encoding.ASCII.GetBytes(name))).Value;

    /// <summary>A field as ASCII; null: it is not there, or empty.</summary>
    public string? Text(string name) => Bytes(name) is { Length: > 0 } bytes ? Encoding.Latin1.GetString(bytes) : null;

    /// <summary>All fields as text.</summary>
    public IEnumerable<KeyValuePair<string, string>> Texts(Encoding encoding) =>
        _fields.Select(f => KeyValuePair.Create(encoding.GetString(f.Name), encoding.GetString(f.Value)));

    /// <summary>What is signed: without <c>sign</c>, <c>sign_type</c> and empty values, sorted by name byte by byte, joined by &amp;.</summary>
    public byte[] SignedBytes()
    {
        var output = new ArrayBufferWriter<byte>();
        foreach ((byte[] name, byte[] value) in _fields
            .Where(f => f.Value.Length > 0 && !f.Name.AsSpan().SequenceEqual("sign"u8) && !f.Name.AsSpan().SequenceEqual("sign_type"u8))
            .OrderBy(f => f.Name, Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b))))
        {
            if (output.WrittenCount > 0)
            {
                output.Write("&"u8);
            }

            output.Write(name);
            output.Write("="u8);
            output.Write(value);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>Percent signs and pluses once; null when a percent sign leads nowhere.</summary>
    private static byte[]? Decode(ReadOnlySpan<byte> text)
    {
        byte[] decoded = new byte[text.Length];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                decoded[length++] = text[i] == '+' ? (byte)' ' : text[i];
                continue;
            }

            if (i + 2 >= text.Length || Convert.FromHexString(text.Slice(i + 1, 2), decoded.AsSpan(length), out _, out _) != OperationStatus.Done)
            {
                return null;
            }

            length++;
            i += 2;
        }

        return decoded[..length];
    }
}

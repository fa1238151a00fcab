using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>
/// Reads the JSON object of a call straight from its bytes, with nothing allocated once it is warm. Made to be reused.
/// Strict where a slip would cost stock: a field given twice, a number with a fraction, a wrong type are refused by name.
/// Fields that the call doesn't know are passed over, so that newer clients may send more.
/// </summary>
internal sealed class BodyReader
{
    /// <summary>A character may be written as \u0041: six bytes for one. A longer token can't be a name, so it is not copied.</summary>
    private const int EscapedBytesMax = 6;

    private const int ScratchKeptBytes = 64 * 1024;

    private readonly Slice[] _texts = new Slice[FieldRule.All.Length];
    private readonly long[] _numbers = new long[FieldRule.All.Length];
    private readonly Line[] _lines = new Line[LinedCommand.MaxLines];
    private byte[] _scratch = new byte[512];
    private int _used;
    private Fields _seen;
    private Fields _present;

    /// <summary>What is wrong with the body; null when nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Lines read.</summary>
    public int LineCount { get; private set; }

    /// <summary>Reads a body; false when something is wrong with it (<see cref="Problem"/> says what).</summary>
    public bool Read(ReadOnlySpan<byte> json, Fields allowed)
    {
        Begin();
        try
        {
            var reader = new Utf8JsonReader(json, isFinalBlock: true, state: default);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return Fail("the body must be a JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                int field = Find(reader, allowed);
                if (field < 0)
                {
                    reader.Skip();
                }
                else if (!ReadField(ref reader, field))
                {
                    return false;
                }
            }

            // Nothing may follow the object: reading on throws if something does.
            return !reader.Read() || Fail("something follows the JSON object");
        }
        catch (JsonException e)
        {
            return Fail("not JSON: " + e.Message);
        }
        catch (InvalidOperationException)
        {
            // A string whose escapes don't make up Unicode.
            return Fail("a string of the body is not valid Unicode");
        }
    }

    /// <summary>Nothing was sent: all fields are absent.</summary>
    public void ReadNothing() => Begin();

    /// <summary>Marks the body as wrong; always false.</summary>
    public bool Fail(string problem)
    {
        Problem ??= problem;
        return false;
    }

    /// <summary>Whether a field was given (and not null).</summary>
    public bool Has(Fields field) => (_present & field) != Fields.None;

    /// <summary>A text field's UTF-8; empty when it was not given.</summary>
    public ReadOnlySpan<byte> Text(Fields field) => Has(field) ? Bytes(_texts[Index(field)]) : default;

    /// <summary>A number's value (milliseconds for times, 1 for true); 0 when it was not given.</summary>
    public long Number(Fields field) => Has(field) ? _numbers[Index(field)] : 0;

    /// <summary>A number's value, or null when it was not given.</summary>
    public long? NumberOrNull(Fields field) => Has(field) ? _numbers[Index(field)] : null;

    /// <summary>Whether a flag was given as true.</summary>
    public bool Flag(Fields field) => Number(field) != 0;

    /// <summary>A line's resource.</summary>
    public ReadOnlySpan<byte> LineResource(int line) => Bytes(_lines[line].Resource);

    /// <summary>A line's quantity.</summary>
    public long LineQuantity(int line) => _lines[line].Quantity;

    /// <summary>Copies the lines to a command.</summary>
    public void AddLines(LinedCommand command)
    {
        for (int i = 0; i < LineCount; i++)
        {
            command.AddLine(LineResource(i), LineQuantity(i));
        }
    }

    private static int Index(Fields field) => BitOperations.TrailingZeroCount((uint)field);

    private static int Find(in Utf8JsonReader reader, Fields allowed)
    {
        // Names of ours have no character that needs escaping; whoever escapes one anyway is understood all the same.
        for (uint rest = (uint)allowed; rest != 0; rest &= rest - 1)
        {
            int field = BitOperations.TrailingZeroCount(rest);
            byte[] name = FieldRule.All[field].Name;
            if (reader.ValueIsEscaped ? reader.ValueTextEquals(name) : reader.ValueSpan.SequenceEqual(name))
            {
                return field;
            }
        }

        return -1;
    }

    private void Begin()
    {
        Problem = null;
        LineCount = 0;
        _seen = Fields.None;
        _present = Fields.None;
        _used = 0;
        if (_scratch.Length > ScratchKeptBytes)
        {
            _scratch = new byte[512];
        }
    }

    private ReadOnlySpan<byte> Bytes(Slice slice) => _scratch.AsSpan(slice.Offset, slice.Length);

    private bool ReadField(ref Utf8JsonReader reader, int field)
    {
        FieldRule rule = FieldRule.All[field];
        var bit = (Fields)(1 << field);
        if ((_seen & bit) != Fields.None)
        {
            return Fail(rule.Text + " is given twice");
        }

        _seen |= bit;
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        _present |= bit;
        return rule.Kind switch
        {
            FieldKind.Name => ReadText(ref reader, rule.Text, Name.MaxBytes, out _texts[field]),
            FieldKind.Text => ReadText(ref reader, rule.Text, Name.MaxReasonBytes, out _texts[field]),
            FieldKind.Whole => ReadWhole(ref reader, rule.Text, out _numbers[field]),
            FieldKind.Seconds => ReadSeconds(ref reader, rule.Text, out _numbers[field]),
            FieldKind.Instant => ReadInstant(ref reader, rule.Text, out _numbers[field]),
            FieldKind.Flag => ReadFlag(ref reader, rule.Text, out _numbers[field]),
            _ => ReadLines(ref reader),
        };
    }

    private bool ReadText(ref Utf8JsonReader reader, string what, int bytesMax, out Slice text)
    {
        text = default;
        if (reader.TokenType != JsonTokenType.String)
        {
            return Fail(what + " must be a string");
        }

        int escaped = reader.ValueSpan.Length;
        if (escaped == 0)
        {
            return Fail(what + " is empty");
        }

        if (escaped > bytesMax * EscapedBytesMax)
        {
            return Fail($"{what} is longer than {bytesMax} bytes");
        }

        if (_used + escaped > _scratch.Length)
        {
            Array.Resize(ref _scratch, Math.Max(_scratch.Length * 2, _used + escaped));
        }

        text = new Slice(_used, reader.CopyString(_scratch.AsSpan(_used)));
        _used += text.Length;
        return true;
    }

    private bool ReadWhole(ref Utf8JsonReader reader, string what, out long value)
    {
        value = 0;
        return (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out value))
            || Fail(what + " must be a whole number (no fraction, no exponent, no quotes) within 64 bits");
    }

    private bool ReadSeconds(ref Utf8JsonReader reader, string what, out long milliseconds)
    {
        milliseconds = 0;
        if (reader.TokenType != JsonTokenType.Number || !reader.TryGetDecimal(out decimal seconds))
        {
            return Fail(what + " must be a number of seconds");
        }

        if (seconds is < 0 or > Quantity.MaxTtlMs / 1000)
        {
            return Fail(what + " must be 0 or more, and at most ten years");
        }

        milliseconds = (long)decimal.Ceiling(seconds * 1000);
        return true;
    }

    private bool ReadInstant(ref Utf8JsonReader reader, string what, out long unixMs)
    {
        // Without an offset the instant would depend on where the server stands.
        unixMs = 0;
        if (reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out DateTimeOffset instant)
            && reader.ValueSpan is [.., (byte)'Z'] or [.., (byte)'+' or (byte)'-', _, _, (byte)':', _, _])
        {
            // 0 would mean "not said".
            unixMs = Math.Max(1, instant.ToUnixTimeMilliseconds());
            return true;
        }

        return Fail(what + " must be an instant in ISO 8601 with its offset, such as 2026-01-02T03:04:05.678Z");
    }

    private bool ReadFlag(ref Utf8JsonReader reader, string what, out long value)
    {
        value = reader.TokenType == JsonTokenType.True ? 1 : 0;
        return reader.TokenType is JsonTokenType.True or JsonTokenType.False || Fail(what + " must be true or false");
    }

    private bool ReadLines(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Fail("lines must be a list of {\"resource\", \"quantity\"}");
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (LineCount == LinedCommand.MaxLines)
            {
                return Fail("more than 64 lines");
            }

            if (!ReadLine(ref reader, ref _lines[LineCount]))
            {
                return false;
            }

            LineCount++;
        }

        return true;
    }

    private bool ReadLine(ref Utf8JsonReader reader, ref Line line)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail(At("", "must be an object {\"resource\", \"quantity\"}"));
        }

        line = new Line { Quantity = -1 };
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool resource = reader.ValueTextEquals("resource"u8);
            if (!resource && !reader.ValueTextEquals("quantity"u8))
            {
                reader.Skip();
                continue;
            }

            reader.Read();
            if (resource ? line.Resource.Length > 0 : line.Quantity >= 0)
            {
                return Fail(At(resource ? ".resource" : ".quantity", "is given twice"));
            }

            if (resource && !ReadText(ref reader, "resource", Name.MaxBytes, out line.Resource))
            {
                return false;
            }

            if (!resource && !(reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out line.Quantity) && line.Quantity is >= 1 and <= Quantity.Max))
            {
                return Fail(At(".quantity", "must be a whole number from 1 to " + Quantity.Max.ToString(CultureInfo.InvariantCulture)));
            }
        }

        return line.Resource.Length == 0 ? Fail(At(".resource", "is missing"))
            : line.Quantity >= 0 || Fail(At(".quantity", "is missing"));
    }

    private string At(string field, string problem) => string.Create(CultureInfo.InvariantCulture, $"lines[{LineCount}]{field} {problem}");

    private readonly record struct Slice(int Offset, int Length);

    private struct Line
    {
        public Slice Resource;
        public long Quantity;
    }
}

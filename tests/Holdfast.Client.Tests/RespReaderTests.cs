using System.Text;
using Holdfast.Client.Resp;

namespace Holdfast.Client.Tests;

public class RespReaderTests
{
    public static TheoryData<string, string> Values => new()
    {
        { "+held\r\n", "+held" },
        { "+\r\n", "+" },
        { "-INSUFFICIENT sku-1 asked 2 available 0\r\n", "-INSUFFICIENT sku-1 asked 2 available 0" },
        { ":42\r\n", ":42" },
        { ":-9223372036854775808\r\n", ":-9223372036854775808" },
        { "$5\r\nhe\r\nl\r\n", "\"he\r\nl\"" },
        { "$0\r\n\r\n", "\"\"" },
        { "$-1\r\n", "null" },
        { "*-1\r\n", "null" },
        { "*0\r\n", "[]" },
        { "*3\r\n$1\r\na\r\n:1\r\n*2\r\n+x\r\n$2\r\n\u00e9\r\n", "[\"a\", :1, [+x, \"\u00e9\"]]" },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Whole_value_is_read_and_what_follows_is_left(string wire, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(wire + "+next\r\n");

        RespReader.TryRead(bytes, out var value, out var consumed).ShouldBeTrue();

        value.ToString().ShouldBe(expected);
        consumed.ShouldBe(bytes.Length - "+next\r\n".Length);
    }

    [Theory]
    [MemberData(nameof(Values))]
    public void Value_cut_at_any_byte_waits_for_more(string wire, string expected)
    {
        expected.ShouldNotBeNull();
        var bytes = Encoding.UTF8.GetBytes(wire);
        for (var cut = 0; cut < bytes.Length; cut++)
        {
            RespReader.TryRead(bytes.AsSpan(0, cut), out _, out var consumed).ShouldBeFalse($"cut at {cut}");
            consumed.ShouldBe(0);
        }
    }

    [Theory]
    [InlineData("x\r\n")]
    [InlineData("+a\rb")]
    [InlineData(":\r\n")]
    [InlineData(":1x\r\n")]
    [InlineData(":99999999999999999999\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("$2000000\r\n")]
    [InlineData("*2000000\r\n")]
    [InlineData("$1\r\nab")]
    [InlineData("$1\r\na\rx")]
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")]
    public void Malformed_value_is_refused_at_once(string wire) =>
        Should.Throw<RespFormatException>(() => RespReader.TryRead(Encoding.UTF8.GetBytes(wire), out _, out _));

    [Fact]
    public void Deepest_allowed_nesting_is_read() =>
        RespReader.TryRead(
            Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("*1\r\n", RespReader.DepthMax)) + ":1\r\n"), out _, out _).ShouldBeTrue();

    [Fact]
    public void Line_without_end_is_refused_at_its_bound()
    {
        var bytes = new byte[RespReader.LineBytesMax + 2];
        Array.Fill(bytes, (byte)'a');
        bytes[0] = (byte)'+';

        RespReader.TryRead(bytes.AsSpan(0, bytes.Length - 1), out _, out _).ShouldBeFalse();
        Should.Throw<RespFormatException>(() => RespReader.TryRead(bytes, out _, out _));
    }

    [Fact]
    public void Claimed_array_takes_no_memory_before_its_elements_arrive()
    {
        var bytes = "*300000\r\n"u8.ToArray();
        RespReader.TryRead(bytes, out _, out _).ShouldBeFalse();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            RespReader.TryRead(bytes, out _, out _);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(10_000);
    }

    [Fact]
    public void Random_values_read_the_same_whole_and_split_everywhere()
    {
        var random = new Random(20261123);
        for (var round = 0; round < 400; round++)
        {
            var wire = new StringBuilder();
            Append(wire, random, depth: 1);
            var bytes = Encoding.UTF8.GetBytes(wire.ToString());
            RespReader.TryRead(bytes, out var whole, out var length).ShouldBeTrue();
            length.ShouldBe(bytes.Length);
            for (var cut = 0; cut < bytes.Length; cut++)
            {
                RespReader.TryRead(bytes.AsSpan(0, cut), out _, out _).ShouldBeFalse(wire.ToString());
            }

            RespReader.TryRead([.. bytes, (byte)'?'], out var again, out _).ShouldBeTrue();
            again.ToString().ShouldBe(whole.ToString());
        }
    }

    [Fact]
    public void Random_and_mutated_bytes_never_do_anything_but_wait_refuse_or_read()
    {
        var random = new Random(7);
        var alphabet = "+-:$*\r\n0123456789aé"u8.ToArray();
        var read = 0;
        var refused = 0;
        for (var round = 0; round < 200_000; round++)
        {
            var bytes = new byte[random.Next(1, 40)];
            if (round % 3 == 0)
            {
                random.NextBytes(bytes);
            }
            else
            {
                for (var i = 0; i < bytes.Length; i++)
                {
                    bytes[i] = alphabet[random.Next(alphabet.Length)];
                }
            }

            try
            {
                if (RespReader.TryRead(bytes, out _, out var consumed))
                {
                    consumed.ShouldBeInRange(3, bytes.Length);
                    read++;
                }
                else
                {
                    consumed.ShouldBe(0);
                }
            }
            catch (RespFormatException)
            {
                refused++;
            }
        }

        // The fuzz itself must reach both ends, or it shows nothing.
        read.ShouldBeGreaterThan(100);
        refused.ShouldBeGreaterThan(1000);
    }

    private static void Append(StringBuilder wire, Random random, int depth)
    {
        var text = new string((char)random.Next('a', 'z' + 1), random.Next(0, 9));
        switch (random.Next(depth < 4 ? 6 : 5))
        {
            case 0: wire.Append('+').Append(text).Append("\r\n"); break;
            case 1: wire.Append('-').Append(text).Append("\r\n"); break;
            case 2: wire.Append(':').Append(random.NextInt64(long.MinValue, long.MaxValue)).Append("\r\n"); break;
            case 3: wire.Append(random.Next(2) == 0 ? "$-1\r\n" : "*-1\r\n"); break;
            case 4: wire.Append('$').Append(text.Length + 2).Append("\r\n\r\n").Append(text).Append("\r\n"); break;
            default:
                var count = random.Next(0, 5);
                wire.Append('*').Append(count).Append("\r\n");
                for (var i = 0; i < count; i++)
                {
                    Append(wire, random, depth + 1);
                }

                break;
        }
    }
}

using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Holdfast.Server.Tests;

/// <summary>The hand-written reader against the framework's plain one.</summary>
public sealed class BodyReaderTests
{
    private static readonly string[] Texts = ["h", "sku-1", "日本語", "a\"b\\c/d", "tab-free é", "😀", new('x', 128)];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_bodies_are_read_as_the_frameworks_parser_reads_them(int seed)
    {
        var random = new Random(seed);
        var reader = new BodyReader();
        for (int round = 0; round < 2_000; round++)
        {
            byte[] json = Encoding.UTF8.GetBytes(Body(random));
            reader.Read(json, HoldCalls.TryFields).ShouldBeTrue(reader.Problem + Encoding.UTF8.GetString(json));
            using JsonDocument plain = JsonDocument.Parse(json);
            JsonElement root = plain.RootElement;
            Same(reader.Text(Fields.Id), root.GetProperty("id").GetString());
            Same(reader.Text(Fields.Owner), root.TryGetProperty("owner", out JsonElement owner) ? owner.GetString() : null);
            reader.Number(Fields.TtlSeconds).ShouldBe(root.TryGetProperty("ttlSeconds", out JsonElement ttl) ? (long)Math.Ceiling(ttl.GetDecimal() * 1000) : 0);
            reader.Number(Fields.IssuedAt).ShouldBe(root.TryGetProperty("issuedAt", out JsonElement at) ? at.GetDateTimeOffset().ToUnixTimeMilliseconds() : 0);
            JsonElement lines = root.GetProperty("lines");
            reader.LineCount.ShouldBe(lines.GetArrayLength());
            for (int i = 0; i < reader.LineCount; i++)
            {
                Same(reader.LineResource(i), lines[i].GetProperty("resource").GetString());
                reader.LineQuantity(i).ShouldBe(lines[i].GetProperty("quantity").GetInt64());
            }
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void E64_damaged_bodies_are_never_taken_for_whole_ones_and_never_throw(int seed)
    {
        var random = new Random(seed);
        var reader = new BodyReader();
        int refused = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] json = Encoding.UTF8.GetBytes(Body(random));
            json[random.Next(json.Length)] = (byte)random.Next(256);
            if (random.Next(3) == 0)
            {
                json = json[..random.Next(json.Length)];
            }

            if (!reader.Read(json, HoldCalls.TryFields))
            {
                reader.Problem.ShouldNotBeNull();
                refused++;
                continue;
            }

            Should.NotThrow(() => JsonDocument.Parse(Sanitized(json)).Dispose());
        }

        refused.ShouldBeGreaterThan(1_000);
    }

    // The reader leaves it to the command to check that names are UTF-8; the framework's document insists at once.
    private static byte[] Sanitized(byte[] json) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));

    private static void Same(ReadOnlySpan<byte> read, string? plain) => Encoding.UTF8.GetString(read).ShouldBe(plain ?? "");

    private static string Body(Random random)
    {
        var fields = new List<string> { "\"id\":" + Text(random), "\"lines\":[" + string.Join(',', Enumerable.Range(0, random.Next(0, 6)).Select(_ => Line(random))) + "]" };
        if (random.Next(2) == 0)
        {
            fields.Add("\"owner\":" + Text(random));
        }

        if (random.Next(2) == 0)
        {
            fields.Add("\"ttlSeconds\":" + (random.Next(100_000) / 1000m).ToString(CultureInfo.InvariantCulture));
        }

        if (random.Next(2) == 0)
        {
            fields.Add($"\"issuedAt\":\"2026-0{random.Next(1, 9)}-1{random.Next(10)}T03:04:05.{random.Next(100, 999)}+0{random.Next(9)}:30\"");
        }

        if (random.Next(2) == 0)
        {
            fields.Add("\"other\":{\"id\":[1,{\"lines\":null}]}");
        }

        string[] shuffled = [.. fields];
        random.Shuffle(shuffled);
        return "{" + Space(random) + string.Join(Space(random) + "," + Space(random), shuffled) + Space(random) + "}" + Space(random);
    }

    private static string Line(Random random)
    {
        string[] parts = ["\"resource\":" + Text(random), "\"quantity\":" + random.NextInt64(1, long.MaxValue / 4).ToString(CultureInfo.InvariantCulture)];
        random.Shuffle(parts);
        return "{" + string.Join(',', parts) + "}";
    }

    private static string Text(Random random)
    {
        string text = Texts[random.Next(Texts.Length)];
        return random.Next(3) == 0 ? JsonSerializer.Serialize(text) : "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";
    }

    private static string Space(Random random) => random.Next(3) switch { 0 => "", 1 => " ", _ => "\r\n\t" };
}

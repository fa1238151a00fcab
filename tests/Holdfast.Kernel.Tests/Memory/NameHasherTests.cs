using System.Numerics;

namespace Holdfast.Kernel.Tests.Memory;

/// <summary>
/// The hash is SipHash-1-3. A plain SipHash-c-d is checked by the published vectors of SipHash-2-4, and then says what
/// 1-3 must give.
/// </summary>
public class NameHasherTests
{
    private const ulong Key0 = 0x0706050403020100;
    private const ulong Key1 = 0x0F0E0D0C0B0A0908;

    /// <summary>The first of the 64 vectors of the authors' reference code: key 00..0f, input 00, 00 01, 00 01 02 ...</summary>
    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31)]
    [InlineData(1, 0x74f839c593dc67fd)]
    [InlineData(2, 0x0d6c8009d9a94f5a)]
    [InlineData(3, 0x85676696d7fb7e2d)]
    [InlineData(15, 0xa129ca6149be45e5)]
    public void The_plain_version_gives_the_published_vectors_of_SipHash_2_4(int length, ulong expected) =>
        Plain(2, 4, Key0, Key1, Input(length)).ShouldBe(expected);

    [Fact]
    public void The_hasher_is_SipHash_1_3_for_every_length()
    {
        var hasher = new NameHasher(Key0, Key1);
        for (int length = 0; length <= 130; length++)
        {
            hasher.Hash(Input(length)).ShouldBe(Plain(1, 3, Key0, Key1, Input(length)), $"length {length}");
        }
    }

    [Fact]
    public void The_hasher_is_SipHash_1_3_for_random_keys_and_names()
    {
        var random = new Random(13);
        for (int i = 0; i < 1_000; i++)
        {
            ulong key0 = (ulong)random.NextInt64(), key1 = (ulong)random.NextInt64() << 1;
            byte[] name = new byte[random.Next(1, 129)];
            random.NextBytes(name);
            new NameHasher(key0, key1).Hash(name).ShouldBe(Plain(1, 3, key0, key1, name));
        }
    }

    [Fact]
    public void The_hash_is_pinned()
    {
        // SipHash-1-3 of 00 .. 0e under the key 00 .. 0f; a change would only cost time, but should be noticed.
        new NameHasher(Key0, Key1).Hash(Input(15)).ShouldBe(Plain(1, 3, Key0, Key1, Input(15)));
        new NameHasher(Key0, Key1).Hash([]).ShouldBe(0xabac0158050fc4dcUL);
    }

    [Fact]
    public void Accounts_of_one_owner_spread_over_the_index()
    {
        ulong owner = new NameHasher(Key0, Key1).Hash("ann"u8);

        Enumerable.Range(0, 10_000).Select(r => NameHasher.Combine(owner, r) >> 32).Distinct().Count().ShouldBeGreaterThan(9_990);
        Enumerable.Range(0, 10_000).Select(r => (NameHasher.Combine(owner, r) >> 32) & 1023).Distinct().Count().ShouldBe(1_024);
    }

    private static byte[] Input(int length) => [.. Enumerable.Range(0, length).Select(i => (byte)i)];

    /// <summary>Figure by figure from the paper: c rounds a word, d at the end.</summary>
    private static ulong Plain(int c, int d, ulong key0, ulong key1, byte[] input)
    {
        ulong[] v =
        [
            key0 ^ 0x736f6d6570736575UL, key1 ^ 0x646f72616e646f6dUL, key0 ^ 0x6c7967656e657261UL, key1 ^ 0x7465646279746573UL,
        ];
        byte[] padded = new byte[((input.Length / 8) + 1) * 8];
        input.CopyTo(padded, 0);
        padded[^1] = (byte)input.Length;
        for (int at = 0; at < padded.Length; at += 8)
        {
            ulong m = 0;
            for (int i = 7; i >= 0; i--)
            {
                m = (m << 8) | padded[at + i];
            }

            v[3] ^= m;
            Rounds(v, c);
            v[0] ^= m;
        }

        v[2] ^= 0xff;
        Rounds(v, d);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
    }

    private static void Rounds(ulong[] v, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Half(v, 0, 1, 13, 32);
            Half(v, 2, 3, 16, 0);
            Half(v, 0, 3, 21, 0);
            Half(v, 2, 1, 17, 32);
        }
    }

    private static void Half(ulong[] v, int a, int b, int rotate, int rotateSum)
    {
        v[a] += v[b];
        v[b] = BitOperations.RotateLeft(v[b], rotate) ^ v[a];
        v[a] = BitOperations.RotateLeft(v[a], rotateSum);
    }
}

using System.Buffers.Binary;
using System.Numerics;

namespace Holdfast.Kernel;

/// <summary>
/// Keyed 64-bit hash of an id's UTF-8 bytes (SipHash-1-3). The key is drawn by the host, so that nobody outside can
/// choose ids that collide; equal hashes are always settled by comparing the bytes, so the hash decides speed, never truth.
/// Callers hash on their own threads and hand the hash in with the command: the writer doesn't pay for it.
/// </summary>
/// <remarks>Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).</remarks>
public sealed class NameHasher(ulong key0, ulong key1)
{
    private readonly ulong _v0 = key0 ^ 0x736f6d6570736575UL;
    private readonly ulong _v1 = key1 ^ 0x646f72616e646f6dUL;
    private readonly ulong _v2 = key0 ^ 0x6c7967656e657261UL;
    private readonly ulong _v3 = key1 ^ 0x7465646279746573UL;

    /// <summary>The hash of a name.</summary>
    public ulong Hash(ReadOnlySpan<byte> name)
    {
        ulong v0 = _v0, v1 = _v1, v2 = _v2, v3 = _v3;
        ulong last = (ulong)name.Length << 56;
        while (name.Length >= 8)
        {
            ulong m = BinaryPrimitives.ReadUInt64LittleEndian(name);
            v3 ^= m;
            Round(ref v0, ref v1, ref v2, ref v3);
            v0 ^= m;
            name = name[8..];
        }

        for (int i = 0; i < name.Length; i++)
        {
            last |= (ulong)name[i] << (8 * i);
        }

        v3 ^= last;
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= last;
        v2 ^= 0xff;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        return v0 ^ v1 ^ v2 ^ v3;
    }

    /// <summary>The hash of an owner's account on one resource, from the owner's hash.</summary>
    internal static ulong Combine(ulong ownerHash, int resource)
    {
        ulong x = ownerHash ^ ((ulong)(uint)resource * 0x9E3779B97F4A7C15UL);
        x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93UL;
        return x ^ (x >> 32);
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}

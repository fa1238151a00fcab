using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Holdfast.Kernel;

/// <summary>Tells whether two bodies are the same without keeping them: half of a SHA-256, so nobody can make two that collide.</summary>
internal static class Fingerprints
{
    public static UInt128 Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}

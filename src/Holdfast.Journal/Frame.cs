using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Holdfast.Journal;

/// <summary>
/// The sealed record that a journal stores, format version 1, little endian:
/// <code>
///   0  magic "HFJ"           3 bytes
///   3  version               1 byte, 1
///   4  event count           uint32
///   8  sequence              int64
///  16  time                  int64, Unix milliseconds
///  24  payload length        uint32, bytes
///  28  reserved              uint32, 0
///  32  previous frame's hash 32 bytes, zeros for the first
///  64  payload
///   …  SHA-256 over everything before, 32 bytes
/// </code>
/// Each frame carries its predecessor's hash, so that a changed, lost or reordered frame shows.
/// </summary>
public static class Frame
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderSize = 64;

    /// <summary>Bytes after the payload: the frame's own SHA-256.</summary>
    public const int FooterSize = SHA256.HashSizeInBytes;

    /// <summary>The only format version that this build writes and reads.</summary>
    public const byte Version = 1;

    internal const int VersionOffset = 3;
    internal const int CountOffset = 4;
    internal const int SequenceOffset = 8;
    internal const int TimeOffset = 16;
    internal const int PayloadLengthOffset = 24;
    internal const int ReservedOffset = 28;
    internal const int PreviousHashOffset = 32;

    private static ReadOnlySpan<byte> Magic => "HFJ"u8;

    /// <summary>
    /// Writes header and footer in place around a payload that already stands at <see cref="HeaderSize"/>, and so neither
    /// copies nor allocates. The payload is what lies between header and footer: <c>buffer.Length - 96</c> bytes.
    /// </summary>
    /// <param name="buffer">The whole frame: exactly header, payload and footer.</param>
    /// <param name="sequence">1 or more.</param>
    /// <param name="timeMs">Unix time in milliseconds.</param>
    /// <param name="count">Events in the payload.</param>
    /// <param name="previousHash">The previous frame's SHA-256, 32 bytes; zeros for the first frame.</param>
    /// <exception cref="ArgumentException">The buffer has no room for header and footer, or the hash isn't 32 bytes.</exception>
    public static void Seal(Span<byte> buffer, long sequence, long timeMs, int count, ReadOnlySpan<byte> previousHash)
    {
        if (buffer.Length < HeaderSize + FooterSize)
        {
            throw new ArgumentException($"A frame takes at least {HeaderSize + FooterSize} bytes, not {buffer.Length}.", nameof(buffer));
        }

        if (previousHash.Length != FooterSize)
        {
            throw new ArgumentException($"A hash is {FooterSize} bytes, not {previousHash.Length}.", nameof(previousHash));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(sequence, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(count);

        Magic.CopyTo(buffer);
        buffer[VersionOffset] = Version;
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[CountOffset..], (uint)count);
        BinaryPrimitives.WriteInt64LittleEndian(buffer[SequenceOffset..], sequence);
        BinaryPrimitives.WriteInt64LittleEndian(buffer[TimeOffset..], timeMs);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[PayloadLengthOffset..], (uint)(buffer.Length - HeaderSize - FooterSize));
        BinaryPrimitives.WriteUInt32LittleEndian(buffer[ReservedOffset..], 0);
        previousHash.CopyTo(buffer[PreviousHashOffset..]);
        SHA256.HashData(buffer[..^FooterSize], buffer[^FooterSize..]);
    }

    /// <summary>A view over a whole frame's parts. Checks the shape, not the hash: see <see cref="Verify"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes aren't a whole frame.</exception>
    /// <exception cref="NotSupportedException">The frame is of a format version that this build doesn't read.</exception>
    public static FrameView Read(ReadOnlyMemory<byte> bytes)
    {
        CheckShape(bytes.Span);
        return new FrameView(bytes);
    }

    /// <summary>
    /// True when the bytes are the beginning of a frame and end before its header says: what an interrupted write leaves.
    /// Bytes that don't begin as a frame of this version are not torn but wrong, and <see cref="Read"/> refuses them; so is a
    /// whole frame whose stated length was changed: it ends with the hash of what it would be under its real length.
    /// </summary>
    public static bool IsTorn(ReadOnlySpan<byte> bytes)
    {
        int known = Math.Min(bytes.Length, Magic.Length);
        if (!bytes[..known].SequenceEqual(Magic[..known]) || (bytes.Length > VersionOffset && bytes[VersionOffset] != Version))
        {
            return false;
        }

        return bytes.Length < HeaderSize || (bytes.Length < DeclaredLength(bytes) && !IsWholeButForItsLength(bytes));
    }

    /// <summary>True when the bytes are a whole frame whose SHA-256 is right. Says nothing of its place in the chain.</summary>
    public static bool Verify(ReadOnlySpan<byte> bytes)
    {
        if (Complaint(bytes) is not null || bytes[VersionOffset] != Version)
        {
            return false;
        }

        Span<byte> hash = stackalloc byte[FooterSize];
        SHA256.HashData(bytes[..^FooterSize], hash);
        return hash.SequenceEqual(bytes[^FooterSize..]);
    }

    /// <summary>Refuses what isn't a whole frame bearing this sequence; cheap enough for every append.</summary>
    internal static void CheckForAppend(ReadOnlySpan<byte> bytes, long sequence)
    {
        CheckShape(bytes);
        long stated = BinaryPrimitives.ReadInt64LittleEndian(bytes[SequenceOffset..]);
        if (stated != sequence)
        {
            throw new ArgumentException($"The frame is sealed as {stated}, not as {sequence}.", nameof(sequence));
        }
    }

    private static void CheckShape(ReadOnlySpan<byte> bytes)
    {
        if (Complaint(bytes) is { } complaint)
        {
            throw new InvalidDataException(complaint);
        }

        if (bytes[VersionOffset] != Version)
        {
            throw new NotSupportedException($"Frame format version {bytes[VersionOffset]} is not supported: this build reads version {Version}.");
        }
    }

    private static string? Complaint(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderSize + FooterSize)
        {
            return $"A frame takes at least {HeaderSize + FooterSize} bytes; these are {bytes.Length}.";
        }

        if (!bytes.StartsWith(Magic))
        {
            return "The bytes don't begin with a frame's magic.";
        }

        // Another version may lay out the rest otherwise, so only this version's fields are judged.
        if (bytes[VersionOffset] == Version && DeclaredLength(bytes) != bytes.Length)
        {
            return $"The header tells of {DeclaredLength(bytes)} bytes; these are {bytes.Length}.";
        }

        return null;
    }

    private static bool IsWholeButForItsLength(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderSize + FooterSize)
        {
            return false;
        }

        Span<byte> length = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)(bytes.Length - HeaderSize - FooterSize));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(bytes[..PayloadLengthOffset]);
        hash.AppendData(length);
        hash.AppendData(bytes[ReservedOffset..^FooterSize]);
        return hash.GetHashAndReset().AsSpan().SequenceEqual(bytes[^FooterSize..]);
    }

    private static long DeclaredLength(ReadOnlySpan<byte> bytes) =>
        HeaderSize + (long)BinaryPrimitives.ReadUInt32LittleEndian(bytes[PayloadLengthOffset..]) + FooterSize;
}

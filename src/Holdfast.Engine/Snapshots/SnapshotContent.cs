using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// What a stored snapshot holds: the machine's state, then its stand: "HFS", a version byte (1) and the SHA-256 of the frame
/// that it was taken after, by which it knows its journal again. Snapshots of earlier versions end with the state.
/// </summary>
internal static class SnapshotContent
{
    private const int StandBytes = 4 + Frame.FooterSize;

    private static ReadOnlySpan<byte> StandVersion1 => "HFS\u0001"u8;

    public static void Write(SpaceMachine machine, ReadOnlySpan<byte> frameHash, Stream target)
    {
        machine.WriteSnapshot(target);
        target.Write(StandVersion1);
        target.Write(frameHash);
    }

    /// <summary>
    /// Reads on behind the machine's state, to the end, so that the stream checks its own hash.
    /// </summary>
    /// <returns>The hash of the frame that the snapshot was taken after; empty when an earlier version wrote it.</returns>
    public static async Task<ReadOnlyMemory<byte>> ReadStandAsync(Stream content, CancellationToken cancellationToken)
    {
        byte[] stand = new byte[StandBytes];
        int read = await content.ReadAtLeastAsync(stand, StandBytes, throwOnEndOfStream: false, cancellationToken);
        await content.CopyToAsync(Stream.Null, cancellationToken);
        return read switch
        {
            0 => default,
            StandBytes when stand.AsSpan().StartsWith(StandVersion1) => stand.AsMemory(StandVersion1.Length),
            _ => throw new InvalidDataException("The snapshot doesn't say which frame it stands at in a way that this version reads."),
        };
    }

    /// <summary>Why a snapshot isn't one of this journal, in words; null where nothing contradicts it.</summary>
    /// <exception cref="JournalCorruptException">The frame that would tell can't be read.</exception>
    public static async Task<string?> FindContradictionAsync(IJournal journal, long sequence, ReadOnlyMemory<byte> frameHash, CancellationToken cancellationToken)
    {
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(Math.Max(sequence, 1), cancellationToken))
        {
            try
            {
                return Contradiction(Frame.Read(bytes), sequence, frameHash);
            }
            catch (Exception e) when (e is InvalidDataException or NotSupportedException)
            {
                throw new JournalCorruptException(Math.Max(sequence, 1), $"The frame at or behind {sequence} can't be read: {e.Message}", e);
            }
        }

        // A snapshot is taken after a durable frame, so frames were lost, or an older copy was put back.
        return $"the journal ends before frame {sequence}";
    }

    /// <summary>The same by one frame: the snapshot's own, or, where that was trimmed, the next; any other says nothing.</summary>
    public static string? Contradiction(FrameView frame, long sequence, ReadOnlyMemory<byte> frameHash)
    {
        if (frameHash.IsEmpty || frame.Sequence > sequence + 1)
        {
            return null;
        }

        ReadOnlyMemory<byte> stored = frame.Sequence == sequence ? frame.Hash : frame.PreviousHash;
        return stored.Span.SequenceEqual(frameHash.Span)
            ? null
            : $"it was taken after a frame {sequence} with the SHA-256 {Convert.ToHexStringLower(frameHash.Span)}, and this journal's has {Convert.ToHexStringLower(stored.Span)}";
    }
}

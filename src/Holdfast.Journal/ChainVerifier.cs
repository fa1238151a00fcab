namespace Holdfast.Journal;

/// <summary>
/// Walks frames in order and refuses the first that isn't what was written: its place must follow, its own SHA-256 must
/// be right, and it must name the hash of the frame before it.
/// </summary>
/// <remarks>Keeps 32 bytes of state. Not for use by several threads at once.</remarks>
public sealed class ChainVerifier
{
    private readonly byte[] _hash = new byte[Frame.FooterSize];
    private bool _hashKnown;

    /// <summary>Verifies from the first frame ever written.</summary>
    public ChainVerifier()
    {
        _hashKnown = true;
    }

    /// <summary>
    /// Verifies from <paramref name="firstSequence"/>. Without <paramref name="previousHash"/> (a trimmed journal whose
    /// snapshot doesn't tell) the first frame's claim about its predecessor is taken as it stands.
    /// </summary>
    public ChainVerifier(long firstSequence, ReadOnlyMemory<byte>? previousHash = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(firstSequence, 1);
        LastSequence = firstSequence - 1;
        if (previousHash is { } hash)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(hash.Length, Frame.FooterSize, nameof(previousHash));
            hash.Span.CopyTo(_hash);
            _hashKnown = true;
        }
        else
        {
            // Nothing comes before the first frame, so its predecessor's hash is known to be zeros.
            _hashKnown = firstSequence == 1;
        }
    }

    /// <summary>Sequence of the last frame found good.</summary>
    public long LastSequence { get; private set; }

    /// <summary>That frame's SHA-256, 32 bytes. Changes with the next frame: copy it to keep it.</summary>
    public ReadOnlySpan<byte> LastHash => _hash;

    /// <summary>Verifies the next frame and returns its parts.</summary>
    /// <exception cref="JournalCorruptException">Names the sequence at which the chain breaks.</exception>
    public FrameView Next(ReadOnlyMemory<byte> bytes)
    {
        long expected = LastSequence + 1;
        FrameView frame;
        try
        {
            frame = Frame.Read(bytes);
        }
        catch (Exception e) when (e is InvalidDataException or NotSupportedException)
        {
            throw new JournalCorruptException(expected, $"Frame {expected} can't be read: {e.Message}", e);
        }

        // The hash is judged before the fields that it covers: a flipped sequence is a flip, not a gap.
        if (!Frame.Verify(bytes.Span))
        {
            throw new JournalCorruptException(expected, $"Frame {expected} doesn't match its SHA-256.");
        }

        if (frame.Sequence != expected)
        {
            throw new JournalCorruptException(expected, $"Frame {expected} is missing: frame {frame.Sequence} stands in its place.");
        }

        if (_hashKnown && !frame.PreviousHash.Span.SequenceEqual(_hash))
        {
            throw new JournalCorruptException(expected, $"Frame {expected} doesn't follow frame {LastSequence}: it names another predecessor.");
        }

        frame.Hash.Span.CopyTo(_hash);
        _hashKnown = true;
        LastSequence = expected;
        return frame;
    }
}

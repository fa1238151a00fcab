namespace Holdfast.Journal;

/// <summary>What every journal does with the last record it finds when it opens.</summary>
internal static class TailCheck
{
    public static readonly ReadOnlyMemory<byte> NoHash = new byte[Frame.FooterSize];

    /// <summary>True when the record is torn and may be dropped; false when it is whole and right; throws otherwise.</summary>
    /// <remarks>
    /// A torn frame was never acknowledged, because an append returns only after the whole of it is durable. A whole
    /// frame with a wrong hash may have been acknowledged, so dropping it could lose a promise: that is refused.
    /// </remarks>
    public static bool IsTorn(long sequence, ReadOnlyMemory<byte> bytes)
    {
        if (Frame.IsTorn(bytes.Span))
        {
            return true;
        }

        _ = new ChainVerifier(sequence).Next(bytes);
        return false;
    }

    /// <summary>Only the last write can be interrupted, so a second torn record is damage.</summary>
    public static JournalCorruptException TornInside(long sequence) =>
        new(sequence, $"Frame {sequence} is cut short and isn't the last one.");

    public static ArgumentException NoSnapshotFor(long throughSequence) =>
        new($"No snapshot at or after {throughSequence} is stored: the frames are still needed.", nameof(throughSequence));
}

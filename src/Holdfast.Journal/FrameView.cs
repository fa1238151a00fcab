using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Holdfast.Journal;

/// <summary>A sealed frame's parts, read in place from the frame's bytes. Valid as long as those bytes are.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly struct FrameView
{
    private readonly ReadOnlyMemory<byte> _bytes;

    internal FrameView(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    /// <summary>Place in the journal, from 1.</summary>
    public long Sequence => BinaryPrimitives.ReadInt64LittleEndian(_bytes.Span[Frame.SequenceOffset..]);

    /// <summary>When the frame was sealed, Unix milliseconds.</summary>
    public long TimeMs => BinaryPrimitives.ReadInt64LittleEndian(_bytes.Span[Frame.TimeOffset..]);

    /// <summary>Events in the payload.</summary>
    public int Count => (int)BinaryPrimitives.ReadUInt32LittleEndian(_bytes.Span[Frame.CountOffset..]);

    /// <summary>SHA-256 of the frame before, 32 bytes; zeros for the first.</summary>
    public ReadOnlyMemory<byte> PreviousHash => _bytes.Slice(Frame.PreviousHashOffset, Frame.FooterSize);

    /// <summary>The caller's bytes.</summary>
    public ReadOnlyMemory<byte> Payload => _bytes[Frame.HeaderSize..^Frame.FooterSize];

    /// <summary>The SHA-256 that this frame states of itself, 32 bytes.</summary>
    public ReadOnlyMemory<byte> Hash => _bytes[^Frame.FooterSize..];
}

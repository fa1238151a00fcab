namespace Holdfast.Journal.Tests;

/// <summary>Makes chained frames with payloads that tell their sequence.</summary>
internal static class Frames
{
    public static byte[] Make(long sequence, ReadOnlySpan<byte> previousHash, int payloadBytes = 24, ReadOnlySpan<byte> payload = default)
    {
        byte[] frame = new byte[Frame.HeaderSize + (payload.IsEmpty ? payloadBytes : payload.Length) + Frame.FooterSize];
        if (payload.IsEmpty)
        {
            frame.AsSpan(Frame.HeaderSize, payloadBytes).Fill((byte)sequence);
        }
        else
        {
            payload.CopyTo(frame.AsSpan(Frame.HeaderSize));
        }

        Frame.Seal(frame, sequence, 1_700_000_000_000 + sequence, count: 1, previousHash);
        return frame;
    }

    public static List<byte[]> Chain(long first, int count, ReadOnlyMemory<byte> previousHash = default, int payloadBytes = 24)
    {
        var chain = new List<byte[]>(count);
        ReadOnlyMemory<byte> hash = previousHash.IsEmpty ? new byte[Frame.FooterSize] : previousHash;
        for (int i = 0; i < count; i++)
        {
            byte[] frame = Make(first + i, hash.Span, payloadBytes);
            chain.Add(frame);
            hash = Frame.Read(frame).Hash;
        }

        return chain;
    }

    /// <summary>Appends a chain that goes on from the tail and returns it.</summary>
    public static async Task<List<byte[]>> AppendAsync(IJournal journal, JournalTail tail, int count, int payloadBytes = 24)
    {
        List<byte[]> chain = Chain(tail.Sequence + 1, count, tail.Hash, payloadBytes);
        for (int i = 0; i < count; i++)
        {
            await journal.AppendAsync(tail.Sequence + 1 + i, chain[i], CancellationToken.None);
        }

        return chain;
    }

    public static async Task<List<byte[]>> ReadAllAsync(IJournal journal, long from = 1)
    {
        var frames = new List<byte[]>();
        await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(from, CancellationToken.None))
        {
            frames.Add(frame.ToArray());
        }

        return frames;
    }
}

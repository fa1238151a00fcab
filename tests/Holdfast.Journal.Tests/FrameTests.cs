using System.Text;

namespace Holdfast.Journal.Tests;

public class FrameTests
{
    // What version 1 looks like on disk. If this test must change, the change is a new version.
    private const string GoldenHex =
        "48464A01" + "02000000" + "0700000000000000" + "15CD5B0700000000" + "05000000" + "00000000" +
        "1111111111111111111111111111111111111111111111111111111111111111" +
        "68656C6C6F" +
        "F26CD36594CC7A575B50AFBCDE528995C0F21687A639200D06A8D4722CFAD28C";

    [Fact]
    public void Sealed_frame_has_the_pinned_bytes()
    {
        byte[] frame = Sealed(7, "hello"u8, count: 2, timeMs: 123456789, previous: Enumerable.Repeat((byte)0x11, 32).ToArray());

        Convert.ToHexString(frame).ShouldBe(GoldenHex);
    }

    [Fact]
    public void Pinned_bytes_read_back_as_their_parts()
    {
        byte[] golden = Convert.FromHexString(GoldenHex);

        FrameView view = Frame.Read(golden);

        view.Sequence.ShouldBe(7);
        view.TimeMs.ShouldBe(123456789);
        view.Count.ShouldBe(2);
        Encoding.UTF8.GetString(view.Payload.Span).ShouldBe("hello");
        view.PreviousHash.ToArray().ShouldAllBe(b => b == 0x11);
        Convert.ToHexString(view.Hash.Span).ShouldBe(GoldenHex[^64..]);
        Frame.Verify(golden).ShouldBeTrue();
    }

    [Fact]
    public void Every_single_flipped_bit_is_found()
    {
        byte[] frame = Sealed(3, "payload"u8);

        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
            Frame.Verify(frame).ShouldBeFalse($"bit {bit}");
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Frame.Verify(frame).ShouldBeTrue();
    }

    [Fact]
    public void Every_proper_prefix_is_torn_and_the_whole_is_not()
    {
        byte[] frame = Sealed(3, "payload"u8);

        for (int length = 0; length < frame.Length; length++)
        {
            Frame.IsTorn(frame.AsSpan(0, length)).ShouldBeTrue($"length {length}");
            Frame.Verify(frame.AsSpan(0, length)).ShouldBeFalse($"length {length}");
        }

        Frame.IsTorn(frame).ShouldBeFalse();
    }

    [Fact]
    public void A_whole_frame_with_another_length_in_its_header_is_wrong_not_torn()
    {
        byte[] frame = Sealed(3, "payload"u8);

        for (int bit = 0; bit < 32; bit++)
        {
            frame[24 + (bit / 8)] ^= (byte)(1 << (bit % 8));
            Frame.IsTorn(frame).ShouldBeFalse($"bit {bit}");
            Frame.Verify(frame).ShouldBeFalse($"bit {bit}");
            frame[24 + (bit / 8)] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Bytes_that_do_not_begin_as_a_frame_are_wrong_not_torn()
    {
        Frame.IsTorn("garbage"u8).ShouldBeFalse();
        Should.Throw<InvalidDataException>(() => Frame.Read(new byte[200]));
    }

    [Fact]
    public void Unknown_version_is_named()
    {
        byte[] frame = Sealed(3, "payload"u8);
        frame[3] = 9;

        Should.Throw<NotSupportedException>(() => Frame.Read(frame)).Message.ShouldContain("version 9");
    }

    [Fact]
    public void Sealing_allocates_nothing()
    {
        byte[] frame = Sealed(3, "payload"u8);
        byte[] previous = new byte[32];
        Frame.Seal(frame, 4, 0, 1, previous);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Frame.Seal(frame, 4 + i, 0, 1, previous);
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void A_chain_begins_behind_a_whole_hash_only(int bytes) =>
        Should.Throw<ArgumentOutOfRangeException>(() => new ChainVerifier(5, new byte[bytes]));

    [Fact]
    public void Chain_that_is_whole_passes()
    {
        var verifier = new ChainVerifier();

        foreach (byte[] frame in Frames.Chain(1, 20))
        {
            verifier.Next(frame);
        }

        verifier.LastSequence.ShouldBe(20);
    }

    [Fact]
    public void Chain_with_a_flip_names_the_flipped_frame()
    {
        List<byte[]> chain = Frames.Chain(1, 20);
        chain[11][70] ^= 1;

        FirstBad(chain).ShouldBe(12);
    }

    [Fact]
    public void Chain_with_a_missing_frame_names_the_missing_one()
    {
        List<byte[]> chain = Frames.Chain(1, 20);
        chain.RemoveAt(4);

        FirstBad(chain).ShouldBe(5);
    }

    [Fact]
    public void Chain_with_a_frame_sealed_anew_names_the_frame_after_it()
    {
        // A forger can seal a changed frame so that it is right by itself; its successor still names the old hash.
        List<byte[]> chain = Frames.Chain(1, 20);
        chain[7] = Frames.Make(8, Frame.Read(chain[6]).Hash.Span, payload: "forged"u8);

        FirstBad(chain).ShouldBe(9);
    }

    [Fact]
    public void Chain_with_two_frames_swapped_names_the_first()
    {
        List<byte[]> chain = Frames.Chain(1, 20);
        (chain[9], chain[10]) = (chain[10], chain[9]);

        FirstBad(chain).ShouldBe(10);
    }

    private static long FirstBad(List<byte[]> chain) =>
        Should.Throw<JournalCorruptException>(() =>
        {
            var verifier = new ChainVerifier();
            foreach (byte[] frame in chain)
            {
                verifier.Next(frame);
            }
        }).Sequence;

    private static byte[] Sealed(long sequence, ReadOnlySpan<byte> payload, int count = 1, long timeMs = 0, byte[]? previous = null)
    {
        byte[] frame = new byte[Frame.HeaderSize + payload.Length + Frame.FooterSize];
        payload.CopyTo(frame.AsSpan(Frame.HeaderSize));
        Frame.Seal(frame, sequence, timeMs, count, previous ?? new byte[32]);
        return frame;
    }
}

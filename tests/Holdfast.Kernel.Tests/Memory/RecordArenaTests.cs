using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel.Tests.Memory;

public class RecordArenaTests
{
    private const long Epoch = 1_699_999_000_000;

    [Fact]
    public void Records_of_random_sizes_never_overlap_and_keep_their_bytes()
    {
        var random = new Random(1);
        using var lease = new SlabLease();
        var arena = new RecordArena(lease);
        var live = new List<(uint Record, byte[] Bytes)>();
        for (int step = 0; step < 20_000; step++)
        {
            if (live.Count < 400 || random.Next(2) == 0)
            {
                byte[] bytes = new byte[random.Next(5) == 0 ? random.Next(1, RecordArena.MaxBytes + 1) : random.Next(1, 120)];
                random.NextBytes(bytes);
                uint record = arena.Allocate(bytes.Length);
                record.ShouldNotBe(0u, "0 means none");
                bytes.CopyTo(arena.At(record));
                live.Add((record, bytes));
            }
            else
            {
                int at = random.Next(live.Count);
                (uint record, byte[] bytes) = live[at];
                if (!arena.At(record)[..bytes.Length].SequenceEqual(bytes))
                {
                    Assert.Fail($"record {record} was overwritten in step {step}");
                }

                arena.Free(record, bytes.Length);
                live.RemoveAt(at);
            }
        }

        foreach ((uint record, byte[] bytes) in live)
        {
            arena.At(record)[..bytes.Length].SequenceEqual(bytes).ShouldBeTrue();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(130)]
    [InlineData(RecordArena.MaxBytes)]
    public void Freed_records_are_reused_by_their_size(int bytes)
    {
        using var lease = new SlabLease();
        var arena = new RecordArena(lease);
        uint[] records = [.. Enumerable.Range(0, 50).Select(_ => arena.Allocate(bytes))];
        foreach (uint record in records)
        {
            arena.Free(record, bytes);
        }

        uint[] again = [.. Enumerable.Range(0, 50).Select(_ => arena.Allocate(bytes))];

        again.ShouldBe(records, ignoreOrder: true);
        records.ShouldNotContain(arena.Allocate(bytes), "a fifty-first is a new one");
    }

    [Fact]
    public void The_longest_record_fits_a_chunk_whatever_came_before()
    {
        using var lease = new SlabLease();
        var arena = new RecordArena(lease);
        for (int i = 0; i < 200; i++)
        {
            uint record = arena.Allocate(RecordArena.MaxBytes);
            arena.At(record).Length.ShouldBeGreaterThanOrEqualTo(RecordArena.MaxBytes);
            arena.At(record)[..RecordArena.MaxBytes].Fill((byte)i);
            arena.Allocate(1 + (i % 90));
        }
    }

    [Fact]
    public void The_largest_hold_fits_the_longest_record()
    {
        HoldRecord.MaxBytes.ShouldBeLessThanOrEqualTo(RecordArena.MaxBytes);
        var lines = new LineState[LinedCommand.MaxLines];
        foreach (int account in new[] { -1, int.MaxValue - 1 })
        {
            Array.Fill(lines, new LineState
            {
                Account = account,
                Resource = int.MaxValue,
                Quantity = Quantity.Max,
                Held = Quantity.Max,
                Consumed = Quantity.Max,
                Returned = Quantity.Max,
                LastConfirmed = Quantity.Max,
            });
            byte[] bytes = new byte[8_192];
            var header = new HoldHeader((1L << 48) - 1, Quantity.MaxTtlMs, long.MaxValue, lines.Length, Detailed: true);

            int length = HoldRecord.Write(bytes, new byte[Name.MaxBytes], header, epochMs: -1, lines);

            length.ShouldBeLessThanOrEqualTo(HoldRecord.MaxBytes);
            HoldRecord.Length(bytes).ShouldBe(length);
            HoldRecord.ReadHeader(bytes, epochMs: -1, out int at).ShouldBe(header);
            HoldRecord.ReadLine(bytes, true, ref at).LastConfirmed.ShouldBe(Quantity.Max);
        }
    }

    [Fact]
    public void A_record_keeps_ids_of_every_length_beside_its_flags()
    {
        byte[] bytes = new byte[HoldRecord.MaxBytes];
        for (int idLength = 1; idLength <= Name.MaxBytes; idLength++)
        {
            byte[] id = new byte[idLength];
            Array.Fill(id, (byte)(idLength + 90));
            foreach ((long life, bool detailed, int lineCount) in new[] { (5_000L, false, 1), (7_000L, false, 0), (5_000L, true, 2), (7_000L, true, LinedCommand.MaxLines) })
            {
                var lines = new LineState[lineCount];
                Array.Fill(lines, new LineState { Account = 4_999_999, Resource = -1, Quantity = idLength % 3 });
                var header = new HoldHeader(1_700_000_000_000, 5_000, life, lineCount, detailed);

                int length = HoldRecord.Write(bytes, id, header, Epoch, lines);

                HoldRecord.IdOf(bytes).ToArray().ShouldBe(id);
                HoldRecord.ReadHeader(bytes, Epoch, out int at).ShouldBe(header);
                HoldRecord.Length(bytes).ShouldBe(length);
                for (int i = 0; i < lineCount; i++)
                {
                    HoldRecord.ReadLine(bytes, detailed, ref at).ShouldBe(lines[i]);
                }
            }
        }
    }

    [Fact]
    public void A_typical_hold_fills_28_bytes()
    {
        byte[] bytes = new byte[HoldRecord.MaxBytes];
        LineState[] lines = [new LineState { Account = 4_999_999, Quantity = 1 }];

        // A byte more would cost four: the arena counts in fours.
        HoldRecord.Write(bytes, new byte[15], new HoldHeader(1_700_000_000_000, 6 * 3_600_000, 6 * 3_600_000, 1, Detailed: false), Epoch, lines).ShouldBe(28);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 999)]
    [InlineData(uint.MaxValue, 1_000)]
    [InlineData(uint.MaxValue + 1L, Quantity.MaxTtlMs)]
    [InlineData(-1, Quantity.MaxTtlMs - 1)]
    [InlineData(-Epoch, 2_000)]
    public void Times_are_kept_to_the_millisecond_however_far_from_the_epoch(long age, long ttl)
    {
        byte[] bytes = new byte[HoldRecord.MaxBytes];
        foreach (long quantity in new[] { 1, 2, Quantity.Max })
        {
            LineState[] lines = [new LineState { Account = -1, Resource = 7, Quantity = quantity }];
            var header = new HoldHeader(Epoch + age, ttl, ttl, 1, Detailed: false);

            int length = HoldRecord.Write(bytes, "hold"u8, header, Epoch, lines);

            HoldRecord.ReadHeader(bytes, Epoch, out int at).ShouldBe(header);
            HoldRecord.ReadLine(bytes, detailed: false, ref at).ShouldBe(lines[0]);
            at.ShouldBe(length);
            HoldRecord.Length(bytes).ShouldBe(length);
        }
    }
}

namespace Holdfast.Journal.Tests;

/// <summary>What every journal must do. A store's tests inherit these and add the ways its storage can be damaged.</summary>
public abstract partial class JournalConformance : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    protected IJournalStore Store { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Store = await CreateStoreAsync();

    public virtual async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Empty_journal_ends_at_zero_with_a_zero_hash()
    {
        await using IJournal journal = Store.Get("default");

        JournalTail tail = await journal.OpenAsync(None);

        tail.Sequence.ShouldBe(0);
        tail.Hash.ToArray().ShouldBe(new byte[32]);
        tail.FirstSequence.ShouldBe(1);
        tail.TornRecordsDropped.ShouldBe(0);
        (await Frames.ReadAllAsync(journal)).ShouldBeEmpty();
        (await journal.OpenSnapshotAsync(None)).ShouldBeNull();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(24)]
    [InlineData(5_000)]
    [InlineData(400_000)]
    public async Task Appended_frames_read_back_as_they_were(int payloadBytes)
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 12, payloadBytes);

        (await Frames.ReadAllAsync(journal)).ShouldBe(written);
        (await Frames.ReadAllAsync(journal, from: 9)).ShouldBe(written[8..]);
        (await Frames.ReadAllAsync(journal, from: 13)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Chain_continues_after_reopening()
    {
        List<byte[]> written;
        await using (IJournal journal = Store.Get("default"))
        {
            written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 5);
        }

        await using IJournal again = Store.Get("default");
        JournalTail tail = await again.OpenAsync(None);
        tail.Sequence.ShouldBe(5);
        tail.Hash.ToArray().ShouldBe(Frame.Read(written[4]).Hash.ToArray());
        await Frames.AppendAsync(again, tail, 5);

        (await VerifyAsync(again)).ShouldBe(10);
    }

    [Fact]
    public async Task Spaces_are_apart_and_listed_in_order()
    {
        foreach (string space in new[] { "shop-2", "default", "a_b" })
        {
            await using IJournal journal = Store.Get(space);
            await Frames.AppendAsync(journal, await journal.OpenAsync(None), space.Length);
        }

        (await Store.ListSpacesAsync(None)).ShouldBe(["a_b", "default", "shop-2"]);
        await using IJournal two = Store.Get("shop-2");
        (await two.OpenAsync(None)).Sequence.ShouldBe(6);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-x")]
    [InlineData("Upper")]
    [InlineData("../etc")]
    [InlineData("a@b")]
    public void Space_name_outside_the_rule_is_refused(string space) => Should.Throw<ArgumentException>(() => Store.Get(space));

    [Fact]
    public async Task Append_before_open_is_refused()
    {
        await using IJournal journal = Store.Get("default");

        await Should.ThrowAsync<InvalidOperationException>(async () => await journal.AppendAsync(1, Frames.Make(1, new byte[32]), None));
    }

    [Fact]
    public async Task Frame_sealed_under_another_sequence_is_refused()
    {
        await using IJournal journal = Store.Get("default");
        await journal.OpenAsync(None);

        await Should.ThrowAsync<ArgumentException>(async () => await journal.AppendAsync(1, Frames.Make(2, new byte[32]), None));
        (await journal.OpenAsync(None)).Sequence.ShouldBe(0);
    }

    [Fact]
    public async Task E60_second_writer_of_the_same_sequence_gets_a_conflict_and_history_is_the_firsts()
    {
        await using IJournal first = Store.Get("default");
        await using IJournal second = Store.Get("default");
        JournalTail tail = await first.OpenAsync(None);
        await second.OpenAsync(None);
        List<byte[]> written = await Frames.AppendAsync(first, tail, 3);

        byte[] rival = Frames.Make(1, tail.Hash.Span, payload: "rival"u8);
        JournalException refused = await Should.ThrowAsync<JournalException>(async () => await second.AppendAsync(1, rival, None));

        refused.Fault.ShouldBe(JournalFault.Conflict);
        (await Frames.ReadAllAsync(first)).ShouldBe(written);
    }

    [Fact]
    public async Task E60_loser_must_reopen_and_then_goes_on_from_the_winners_tail()
    {
        await using IJournal first = Store.Get("default");
        await using IJournal second = Store.Get("default");
        JournalTail tail = await first.OpenAsync(None);
        await second.OpenAsync(None);
        await Frames.AppendAsync(first, tail, 1);
        byte[] rival = Frames.Make(1, tail.Hash.Span, payload: "rival"u8);
        await Should.ThrowAsync<JournalException>(async () => await second.AppendAsync(1, rival, None));
        await Should.ThrowAsync<InvalidOperationException>(async () => await second.AppendAsync(1, rival, None));

        await Frames.AppendAsync(second, await second.OpenAsync(None), 2);

        (await VerifyAsync(second)).ShouldBe(3);
    }

    [Fact]
    public async Task E60_two_writers_at_once_never_fork_history()
    {
        async Task<int> WriteAsync(byte mark)
        {
            int mine = 0;
            await using IJournal journal = Store.Get("default");
            JournalTail tail = await journal.OpenAsync(None);
            for (int i = 0; i < 40; i++)
            {
                byte[] frame = Frames.Make(tail.Sequence + 1, tail.Hash.Span, payload: [mark, (byte)i]);
                try
                {
                    await journal.AppendAsync(tail.Sequence + 1, frame, None);
                    mine++;
                    tail = tail with { Sequence = tail.Sequence + 1, Hash = Frame.Read(frame).Hash };
                }
                catch (JournalException e) when (e.Fault == JournalFault.Conflict)
                {
                    tail = await journal.OpenAsync(None);
                }
            }

            return mine;
        }

        int[] acknowledged = await Task.WhenAll(Task.Run(() => WriteAsync(1)), Task.Run(() => WriteAsync(2)));

        await using IJournal reader = Store.Get("default");
        await reader.OpenAsync(None);
        (await VerifyAsync(reader)).ShouldBe(acknowledged.Sum());
    }

    [Fact]
    public async Task E60_writer_that_slept_through_a_trim_still_gets_a_conflict()
    {
        await using IJournal awake = Store.Get("default");
        await using IJournal sleeper = Store.Get("default");
        JournalTail tail = await awake.OpenAsync(None);
        await sleeper.OpenAsync(None);
        await Frames.AppendAsync(awake, tail, 10);
        await WriteSnapshotAsync(awake, 10, [1]);
        await awake.TrimAsync(10, None);
        (await awake.OpenAsync(None)).FirstSequence.ShouldBeGreaterThan(1, "else sequence 1 isn't free and nothing is shown");

        JournalException refused = await Should.ThrowAsync<JournalException>(
            async () => await sleeper.AppendAsync(1, Frames.Make(1, tail.Hash.Span), None));

        refused.Fault.ShouldBe(JournalFault.Conflict);
    }

    [Fact]
    public async Task E62_torn_last_record_is_dropped_and_the_log_goes_on()
    {
        await using (IJournal journal = Store.Get("default"))
        {
            List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 4);
            await OverwriteAsync("default", 4, written[3][..50]);
        }

        await using IJournal again = Store.Get("default");
        JournalTail tail = await again.OpenAsync(None);

        tail.Sequence.ShouldBe(3);
        tail.TornRecordsDropped.ShouldBe(1);
        await Frames.AppendAsync(again, tail, 2);
        (await VerifyAsync(again)).ShouldBe(5);
    }

    [Fact]
    public async Task E58_the_end_is_found_by_reading_alone_and_a_torn_last_record_stays()
    {
        List<byte[]> written;
        await using (IJournal journal = Store.Get("default"))
        {
            written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 4);
            (await journal.FindTailAsync(None)).Sequence.ShouldBe(4);
            await OverwriteAsync("default", 4, written[3][..50]);
        }

        await using IJournal again = Store.Get("default");
        for (int look = 0; look < 2; look++)
        {
            JournalTail found = await again.FindTailAsync(None);
            found.Sequence.ShouldBe(3);
            found.Hash.ToArray().ShouldBe(Frame.Read(written[2]).Hash.ToArray());
            found.FirstSequence.ShouldBe(1);
            found.TornRecordsDropped.ShouldBe(0);
        }

        (await Frames.ReadAllAsync(again)).Count.ShouldBe(4, "the torn record is still there");
        await Should.ThrowAsync<InvalidOperationException>(async () => await again.AppendAsync(4, written[3], None));
        (await again.OpenAsync(None)).TornRecordsDropped.ShouldBe(1);
    }

    [Fact]
    public async Task E62_torn_record_that_is_not_last_is_refused_with_its_sequence()
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 4);
        await OverwriteAsync("default", 3, written[2][..80]);

        JournalCorruptException refused = await Should.ThrowAsync<JournalCorruptException>(() => VerifyAsync(journal));

        refused.Sequence.ShouldBe(3);
    }

    [Fact]
    public async Task E62_two_torn_records_are_damage_not_a_crash()
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 4);
        await OverwriteAsync("default", 3, written[2][..80]);
        await OverwriteAsync("default", 4, written[3][..80]);

        (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(3);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(24)]
    [InlineData(25)]
    [InlineData(27)]
    [InlineData(40)]
    [InlineData(70)]
    [InlineData(119)]
    public async Task E62_flipped_byte_in_the_last_record_is_refused_with_its_sequence(int offset)
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 4);
        written[3][offset] ^= 0x40;
        await OverwriteAsync("default", 4, written[3]);

        (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(4);
    }

    [Fact]
    public async Task E62_flipped_byte_in_the_middle_is_found_by_the_chain_verifier()
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> written = await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        written[8][70] ^= 1;
        await OverwriteAsync("default", 9, written[8]);
        await journal.OpenAsync(None);

        (await Should.ThrowAsync<JournalCorruptException>(() => VerifyAsync(journal))).Sequence.ShouldBe(9);
    }

    /// <summary>Walks the whole journal and returns the last sequence.</summary>
    protected static async Task<long> VerifyAsync(IJournal journal, long from = 1)
    {
        var verifier = new ChainVerifier(from);
        await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(from, CancellationToken.None))
        {
            verifier.Next(frame);
        }

        return verifier.LastSequence;
    }

    protected static ValueTask WriteSnapshotAsync(IJournal journal, long sequence, byte[] content) =>
        journal.WriteSnapshotAsync(sequence, async (stream, token) => await stream.WriteAsync(content, token), CancellationToken.None);

    protected abstract ValueTask<IJournalStore> CreateStoreAsync();

    /// <summary>Puts other bytes in a stored frame's place, behind the journal's back.</summary>
    protected abstract Task OverwriteAsync(string space, long sequence, byte[] bytes);

    /// <summary>Flips one byte of a stored snapshot's content, behind the journal's back.</summary>
    protected abstract Task FlipSnapshotAsync(string space, long sequence);
}

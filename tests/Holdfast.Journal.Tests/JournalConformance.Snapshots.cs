namespace Holdfast.Journal.Tests;

public abstract partial class JournalConformance
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3_000_000)]
    public async Task Snapshot_reads_back_as_it_was_written(int length)
    {
        byte[] content = new byte[length];
        new Random(7).NextBytes(content);
        await using IJournal journal = await WithFramesAsync(5);

        await WriteSnapshotAsync(journal, 5, content);

        (long sequence, byte[] read) = (await ReadSnapshotAsync(journal)).ShouldNotBeNull();
        sequence.ShouldBe(5);
        read.SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task Newest_snapshot_wins_and_survives_reopening()
    {
        await using (IJournal journal = await WithFramesAsync(9))
        {
            await WriteSnapshotAsync(journal, 9, [9]);
            await WriteSnapshotAsync(journal, 5, [5]);
        }

        await using IJournal again = Store.Get("default");
        await again.OpenAsync(None);

        (await ReadSnapshotAsync(again)).ShouldNotBeNull().Content.ShouldBe([9]);
    }

    [Fact]
    public async Task Snapshot_whose_writing_fails_leaves_the_one_before()
    {
        await using IJournal journal = await WithFramesAsync(6);
        await WriteSnapshotAsync(journal, 5, [5]);

        await Should.ThrowAsync<InvalidTimeZoneException>(async () => await journal.WriteSnapshotAsync(
            6,
            async (stream, token) =>
            {
                await stream.WriteAsync(new byte[2_000_000], token);
                throw new InvalidTimeZoneException("planted");
            },
            None));

        (await ReadSnapshotAsync(journal)).ShouldNotBeNull().Sequence.ShouldBe(5);
    }

    [Fact]
    public async Task Snapshot_that_is_cancelled_leaves_nothing()
    {
        await using IJournal journal = await WithFramesAsync(6);
        using var cancel = new CancellationTokenSource();

        await Should.ThrowAsync<OperationCanceledException>(async () => await journal.WriteSnapshotAsync(
            6,
            async (stream, token) =>
            {
                await stream.WriteAsync(new byte[100], token);
                await cancel.CancelAsync();
                token.ThrowIfCancellationRequested();
            },
            cancel.Token));

        (await journal.OpenSnapshotAsync(None)).ShouldBeNull();
    }

    [Fact]
    public async Task Damaged_snapshot_is_refused_before_its_last_bytes_are_handed_out()
    {
        await using IJournal journal = await WithFramesAsync(6);
        await WriteSnapshotAsync(journal, 6, new byte[300]);
        await FlipSnapshotAsync("default", 6);

        await using JournalSnapshot snapshot = (await journal.OpenSnapshotAsync(None)).ShouldNotBeNull();
        JournalCorruptException refused = await Should.ThrowAsync<JournalCorruptException>(
            async () => await snapshot.Content.ReadExactlyAsync(new byte[300]));

        refused.Sequence.ShouldBe(6);
    }

    [Fact]
    public async Task Snapshot_put_aside_is_not_opened_any_more_and_hides_none_that_is_written_later()
    {
        await using IJournal journal = await WithFramesAsync(9);
        await WriteSnapshotAsync(journal, 5, [5]);
        await WriteSnapshotAsync(journal, 9, [9]);

        await journal.PutSnapshotAsideAsync(9, None);
        await journal.PutSnapshotAsideAsync(9, None);

        (await ReadSnapshotAsync(journal)).ShouldNotBeNull().Content.ShouldBe([5]);
        await WriteSnapshotAsync(journal, 9, [10]);
        (await ReadSnapshotAsync(journal)).ShouldNotBeNull().Content.ShouldBe([10]);
        await journal.PutSnapshotAsideAsync(9, None);
        await journal.PutSnapshotAsideAsync(5, None);
        (await ReadSnapshotAsync(journal)).ShouldBeNull();
    }

    [Fact]
    public async Task Newer_snapshots_do_not_remove_the_one_that_is_written()
    {
        await using IJournal journal = await WithFramesAsync(9);
        await WriteSnapshotAsync(journal, 7, [7]);
        await WriteSnapshotAsync(journal, 9, [9]);
        await WriteSnapshotAsync(journal, 5, [5]);

        await journal.PutSnapshotAsideAsync(9, None);
        await journal.PutSnapshotAsideAsync(7, None);

        (await ReadSnapshotAsync(journal)).ShouldNotBeNull().Content.ShouldBe([5]);
    }

    [Fact]
    public async Task Trim_without_a_snapshot_is_refused_and_removes_nothing()
    {
        await using IJournal journal = await WithFramesAsync(20);
        await Should.ThrowAsync<ArgumentException>(async () => await journal.TrimAsync(5, None));
        await WriteSnapshotAsync(journal, 10, [1]);
        await Should.ThrowAsync<ArgumentException>(async () => await journal.TrimAsync(11, None));

        (await Frames.ReadAllAsync(journal)).Count.ShouldBe(20);
    }

    [Fact]
    public async Task Trimmed_journal_reopens_reads_and_goes_on()
    {
        await using (IJournal journal = await WithFramesAsync(60))
        {
            await WriteSnapshotAsync(journal, 50, [1]);
            await journal.TrimAsync(50, None);
            await journal.TrimAsync(50, None);
        }

        await using IJournal again = Store.Get("default");
        JournalTail tail = await again.OpenAsync(None);
        tail.FirstSequence.ShouldBe(51);
        tail.Sequence.ShouldBe(60);
        await Frames.AppendAsync(again, tail, 2);

        (await VerifyAsync(again, from: 51)).ShouldBe(62);
        (await Frames.ReadAllAsync(again, from: 1)).Count.ShouldBe(12);
    }

    [Fact]
    public async Task Trim_through_the_end_keeps_the_tail_that_carries_the_chain()
    {
        await using (IJournal journal = await WithFramesAsync(30))
        {
            await WriteSnapshotAsync(journal, 30, [1]);
            await journal.TrimAsync(30, None);
        }

        await using IJournal again = Store.Get("default");
        JournalTail tail = await again.OpenAsync(None);
        tail.Sequence.ShouldBe(30);
        tail.FirstSequence.ShouldBeGreaterThan(20);
        await Frames.AppendAsync(again, tail, 1);

        (await VerifyAsync(again, tail.FirstSequence)).ShouldBe(31);
    }

    [Fact]
    public async Task Reading_while_appending_sees_an_unbroken_chain()
    {
        await using IJournal journal = Store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        var metTheEnd = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task writing = Task.Run(async () =>
        {
            List<byte[]> half = await Frames.AppendAsync(journal, tail, 150, payloadBytes: 3000);
            await metTheEnd.Task; // so that at least one read has, before all is written, however the threads are scheduled
            await Frames.AppendAsync(journal, new JournalTail(150, Frame.Read(half[^1]).Hash.ToArray(), 1, 0), 150, payloadBytes: 3000);
        });

        var verifier = new ChainVerifier();
        int passes = 0;
        while (verifier.LastSequence < 300)
        {
            writing.IsFaulted.ShouldBeFalse();
            await foreach (ReadOnlyMemory<byte> frame in journal.ReadAsync(verifier.LastSequence + 1, None))
            {
                verifier.Next(frame);
            }

            passes++;
            metTheEnd.TrySetResult();
        }

        await writing;
        passes.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Cancelled_calls_stop()
    {
        await using IJournal journal = await WithFramesAsync(3);
        var cancelled = new CancellationToken(canceled: true);

        await Should.ThrowAsync<OperationCanceledException>(async () => await journal.AppendAsync(4, Frames.Make(4, new byte[32]), cancelled));
        await Should.ThrowAsync<OperationCanceledException>(async () =>
        {
            await foreach (ReadOnlyMemory<byte> _ in journal.ReadAsync(1, cancelled))
            {
            }
        });
        await Should.ThrowAsync<OperationCanceledException>(async () => await journal.OpenAsync(cancelled));
        (await journal.OpenAsync(None)).Sequence.ShouldBe(3);
    }

    protected static async Task<(long Sequence, byte[] Content)?> ReadSnapshotAsync(IJournal journal)
    {
        await using JournalSnapshot? snapshot = await journal.OpenSnapshotAsync(CancellationToken.None);
        if (snapshot is null)
        {
            return null;
        }

        using var content = new MemoryStream();
        await snapshot.Content.CopyToAsync(content);
        return (snapshot.Sequence, content.ToArray());
    }

    private async Task<IJournal> WithFramesAsync(int count)
    {
        IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), count);
        return journal;
    }
}

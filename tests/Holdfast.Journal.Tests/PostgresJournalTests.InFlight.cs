using Holdfast.Journal.Postgres;
using Npgsql;

namespace Holdfast.Journal.Tests;

/// <summary>Two appends in flight: what may stand past the end of the acknowledged log, and who drops it.</summary>
public sealed partial class PostgresJournalTests
{
    [Fact]
    public async Task Two_appends_in_flight_are_taken_and_a_third_is_refused()
    {
        await using IJournal journal = Store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        List<byte[]> chain = Frames.Chain(1, 3, tail.Hash);
        await TriggerAsync("PERFORM pg_sleep(0.5);");

        Task first = journal.AppendAsync(1, chain[0], None).AsTask();
        Task second = journal.AppendAsync(2, chain[1], None).AsTask();
        await Should.ThrowAsync<InvalidOperationException>(async () => await journal.AppendAsync(3, chain[2], None));
        await Task.WhenAll(first, second);
        await journal.AppendAsync(3, chain[2], None);

        journal.MaxInFlight.ShouldBe(2);
        (await VerifyAsync(journal)).ShouldBe(3);
    }

    [Fact]
    public async Task E59_frame_after_a_gap_was_never_acknowledged_and_is_dropped()
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> chain = await WithHangingAsync(journal, hangs: 4);
        Task four = journal.AppendAsync(4, chain[3], None).AsTask();
        await journal.AppendAsync(5, chain[4], None);
        await KillAppenderAsync();
        (await Should.ThrowAsync<JournalException>(() => four)).Fault.ShouldBe(JournalFault.Unknown);
        await ExecuteAsync("DROP TRIGGER planted ON holdfast_journal");

        JournalTail tail = await journal.OpenAsync(None);

        tail.Sequence.ShouldBe(3);
        (await QueryAsync("SELECT max(sequence) FROM holdfast_journal")).ShouldBe(3L);
        await Frames.AppendAsync(journal, tail, 3);
        (await VerifyAsync(journal)).ShouldBe(6);
    }

    [Fact]
    public async Task E60_gap_that_a_live_writer_is_about_to_fill_is_left_alone()
    {
        await using IJournal live = Store.Get("default");
        await using IJournal other = Store.Get("default");
        List<byte[]> chain = await WithHangingAsync(live, hangs: 4, seconds: 3);
        Task four = live.AppendAsync(4, chain[3], None).AsTask();
        await live.AppendAsync(5, chain[4], None);

        // Longer than an open waits by itself, so this one goes all the way to the lock, and finds the gap filled there.
        JournalTail tail = await other.OpenAsync(None);
        await four;

        tail.Sequence.ShouldBe(5);
        (await VerifyAsync(live)).ShouldBe(5);
    }

    [Fact]
    public async Task E60_writer_whose_gap_was_dropped_cannot_fill_it_afterwards()
    {
        await using IJournal slow = Store.Get("default");
        await using IJournal other = Store.Get("default");
        JournalTail tail = await slow.OpenAsync(None);
        List<byte[]> chain = Frames.Chain(1, 2, tail.Hash);
        await slow.AppendAsync(2, chain[1], None);
        (await other.OpenAsync(None)).Sequence.ShouldBe(0);

        JournalException refused = await Should.ThrowAsync<JournalException>(async () => await slow.AppendAsync(1, chain[0], None));

        refused.Fault.ShouldBe(JournalFault.Conflict);
        (await QueryAsync("SELECT count(*) FROM holdfast_journal")).ShouldBe(0L);
    }

    [Fact]
    public async Task E60_append_that_waited_at_the_lock_sees_the_epoch_raised_meanwhile()
    {
        // The whole fence rests on this: an insert takes its snapshot only once it has its table lock.
        await using IJournal journal = Store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        tail = tail with { Sequence = 3, Hash = Frame.Read((await Frames.AppendAsync(journal, tail, 3))[2]).Hash };
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.OpenAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        await using var raise = new NpgsqlCommand(
            $"{PostgresSchema.LockOutAppends}; UPDATE holdfast_space SET epoch = epoch + 1", connection, transaction);
        await raise.ExecuteNonQueryAsync();

        Task append = journal.AppendAsync(4, Frames.Make(4, tail.Hash.Span), None).AsTask();
        await UntilAsync("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'");
        append.IsCompleted.ShouldBeFalse();
        await transaction.CommitAsync();

        (await Should.ThrowAsync<JournalException>(() => append)).Fault.ShouldBe(JournalFault.Conflict);
    }

    [Fact]
    public async Task E60_stale_writers_second_frame_does_not_break_the_winners_chain()
    {
        await using IJournal winner = Store.Get("default");
        await using IJournal stale = Store.Get("default");
        JournalTail start = await winner.OpenAsync(None);
        await stale.OpenAsync(None);
        List<byte[]> won = await Frames.AppendAsync(winner, start, 1);
        byte[] rival = Frames.Make(1, start.Hash.Span, payload: "rival"u8);
        byte[] rivalNext = Frames.Make(2, Frame.Read(rival).Hash.Span);
        Task first = stale.AppendAsync(1, rival, None).AsTask();
        Task second = stale.AppendAsync(2, rivalNext, None).AsTask();
        (await Should.ThrowAsync<JournalException>(() => first)).Fault.ShouldBe(JournalFault.Conflict);
        await second;

        byte[] next = Frames.Make(2, Frame.Read(won[0]).Hash.Span);
        (await Should.ThrowAsync<JournalException>(async () => await winner.AppendAsync(2, next, None))).Fault.ShouldBe(JournalFault.Conflict);
        JournalTail tail = await winner.OpenAsync(None);

        (tail.Sequence, tail.UnacknowledgedFrom, tail.UnacknowledgedDropped).ShouldBe((1, 2, 1));
        await Frames.AppendAsync(winner, tail, 3);
        (await VerifyAsync(winner)).ShouldBe(4);
    }

    [Fact]
    public async Task E62_frame_lost_in_the_middle_is_named_by_the_verifier_not_taken_for_the_end()
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        await ExecuteAsync("DELETE FROM holdfast_journal WHERE sequence = 20");

        (await Should.ThrowAsync<JournalCorruptException>(() => VerifyAsync(journal))).Sequence.ShouldBe(20);
    }

    [Fact]
    public async Task E62_frame_lost_near_the_end_is_damage_when_more_follows_than_a_crash_can_leave()
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        await ExecuteAsync("DELETE FROM holdfast_journal WHERE sequence = 33");

        (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(33);
        (await QueryAsync("SELECT count(*) FROM holdfast_journal")).ShouldBe(39L);
    }

    [Theory]
    [InlineData("DELETE FROM holdfast_journal WHERE sequence = 38", 38)]
    [InlineData("DELETE FROM holdfast_journal WHERE sequence = 37", 37)]
    [InlineData("DELETE FROM holdfast_journal WHERE sequence IN (38, 39)", 38)]
    [InlineData("DELETE FROM holdfast_journal WHERE sequence IN (38, 40)", 0)]
    [InlineData("DELETE FROM holdfast_journal WHERE sequence < 40", 1)]
    public async Task E62_acknowledged_frames_behind_a_lost_one_are_refused_with_its_sequence_not_dropped(string loss, long named)
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        await ExecuteAsync(loss);
        object? left = await QueryAsync("SELECT count(*) FROM holdfast_journal");

        if (named == 0)
        {
            // One behind one: what a crash leaves; it is dropped, and told.
            JournalTail tail = await journal.OpenAsync(None);
            (tail.Sequence, tail.UnacknowledgedFrom, tail.UnacknowledgedDropped).ShouldBe((37, 39, 1));
            return;
        }

        (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(named);
        (await Should.ThrowAsync<JournalCorruptException>(() => VerifyAsync(journal))).Sequence.ShouldBe(named);
        (await QueryAsync("SELECT count(*) FROM holdfast_journal")).ShouldBe(left);
    }

    [Theory]
    [InlineData(37, true)]
    [InlineData(38, true)]
    [InlineData(39, false)]
    public async Task E62_a_frame_replaced_by_a_whole_one_is_refused_unless_writers_can_have_left_it(int sequence, bool refused)
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        await OverwriteAsync("default", sequence, Frames.Make(sequence, new byte[32]));

        if (refused)
        {
            (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(sequence);
            return;
        }

        JournalTail tail = await journal.OpenAsync(None);
        (tail.Sequence, tail.UnacknowledgedFrom, tail.UnacknowledgedDropped).ShouldBe((38, 39, 2));
    }

    [Fact]
    public async Task E62_all_frames_lost_that_a_trim_kept_are_missed()
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 40);
        await WriteSnapshotAsync(journal, 40, [1]);
        await journal.TrimAsync(30, None);
        await ExecuteAsync("DELETE FROM holdfast_journal");

        (await Should.ThrowAsync<JournalCorruptException>(async () => await journal.OpenAsync(None))).Sequence.ShouldBe(31);
    }

    [Fact]
    public async Task Reader_stops_before_an_append_still_in_flight()
    {
        await using IJournal journal = Store.Get("default");
        List<byte[]> chain = await WithHangingAsync(journal, hangs: 4, seconds: 1);
        Task four = journal.AppendAsync(4, chain[3], None).AsTask();
        await journal.AppendAsync(5, chain[4], None);

        (await VerifyAsync(journal)).ShouldBe(3);
        await four;
        (await VerifyAsync(journal)).ShouldBe(5);
    }

    /// <summary>Three frames stored and a chain of five made, of which the insert of one will hang.</summary>
    private async Task<List<byte[]>> WithHangingAsync(IJournal journal, long hangs, int seconds = 30)
    {
        JournalTail tail = await journal.OpenAsync(None);
        List<byte[]> chain = Frames.Chain(1, 5, tail.Hash);
        for (int i = 0; i < 3; i++)
        {
            await journal.AppendAsync(i + 1, chain[i], None);
        }

        await TriggerAsync($"IF NEW.sequence = {hangs} THEN PERFORM pg_sleep({seconds}); END IF;");
        return chain;
    }
}

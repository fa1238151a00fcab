using Holdfast.Engine.Tests.Projection;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;

namespace Holdfast.Engine.Tests.Snapshots;

public sealed class SpaceVerifierTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => _folder.File("holdfast.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_good_journal_is_counted_and_found_good()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        History history = await (await History.BeginAsync(41, journal)).LiveAsync(80);

        VerificationReport report = await SpaceVerifier.VerifyAsync(journal, Token);

        report.IsGood.ShouldBeTrue(report.Problem);
        (report.Frames, report.Events, report.FirstSequence, report.LastSequence).ShouldBe((history.Sequence, history.Events, 1, history.Sequence));
        (report.Digest, report.Resources, report.KnownHolds, report.LiveHolds)
            .ShouldBe((history.Machine.Digest, history.Machine.ResourceCount, history.Machine.KnownHolds, history.Machine.LiveHolds));
    }

    [Fact]
    public async Task An_empty_journal_is_good()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        await journal.OpenAsync(Token);

        (await SpaceVerifier.VerifyAsync(journal, Token)).IsGood.ShouldBeTrue();
    }

    [Theory]
    [InlineData(100)]
    [InlineData(10)]
    public async Task E62_a_flipped_byte_is_named_by_its_sequence(int offset)
    {
        await LiveInFileAsync(20);
        await ChangeAsync(7, frame => frame[offset] ^= 1);

        VerificationReport report = await SpaceVerifier.VerifyAsync(new SqliteJournalStore(File).Get("default"), Token);

        report.FirstBadSequence.ShouldBe(7);
        report.Problem.ShouldNotBeNull();
        report.LastSequence.ShouldBe(6);
    }

    [Fact]
    public async Task E62_a_torn_last_record_is_told_and_is_no_problem()
    {
        await LiveInFileAsync(20);
        await ChangeAsync(20, frame => { }, frame => frame[..^10]);

        VerificationReport report = await SpaceVerifier.VerifyAsync(new SqliteJournalStore(File).Get("default"), Token);

        (report.IsGood, report.TornTail, report.LastSequence).ShouldBe((true, true, 19));
        (await CountAsync()).ShouldBe(20, "verifying drops nothing");
    }

    [Fact]
    public async Task A_torn_record_inside_is_damage()
    {
        await LiveInFileAsync(20);
        await ChangeAsync(12, frame => { }, frame => frame[..^10]);

        (await SpaceVerifier.VerifyAsync(new SqliteJournalStore(File).Get("default"), Token)).FirstBadSequence.ShouldBe(12);
    }

    [Fact]
    public async Task A_history_forged_with_right_hashes_is_found_by_the_replay()
    {
        var store = new MemoryJournalStore();
        IJournal journal = store.Get("default");
        History history = await (await History.BeginAsync(1, journal)).DoAsync(History.Put("sku"), History.Adjust("sku", "a", 5));
        JournalTail tail = await journal.OpenAsync(Token);

        // A confirm of a hold that nobody made, sealed and chained as it should be.
        byte[] frame = new byte[Frame.HeaderSize + 6 + Frame.FooterSize];
        ((ReadOnlySpan<byte>)[(byte)EventType.Confirmed, 2, (byte)'n', (byte)'o', 0, 0]).CopyTo(frame.AsSpan(Frame.HeaderSize));
        Frame.Seal(frame, history.Sequence + 1, 1_750_000_100_000, 1, tail.Hash.Span);
        await journal.AppendAsync(history.Sequence + 1, frame, Token);

        VerificationReport report = await SpaceVerifier.VerifyAsync(journal, Token);

        report.FirstBadSequence.ShouldBe(history.Sequence + 1);
    }

    [Fact]
    public async Task A_snapshot_that_tells_another_state_is_found()
    {
        var store = new MemoryJournalStore();
        IJournal journal = store.Get("default");
        History history = await (await History.BeginAsync(1, journal)).LiveAsync(20);
        History other = await (await History.BeginAsync(2, new MemoryJournalStore().Get("default"))).LiveAsync(20);
        await journal.WriteSnapshotAsync(history.Sequence, (stream, _) => { other.Machine.WriteSnapshot(stream); return Task.CompletedTask; }, Token);

        VerificationReport report = await SpaceVerifier.VerifyAsync(journal, Token);

        report.Problem!.ShouldContain("differ");
    }

    [Fact]
    public async Task A_journal_that_ends_before_its_snapshot_has_lost_frames()
    {
        IJournal journal = new MemoryJournalStore().Get("default");
        History history = await (await History.BeginAsync(1, journal)).LiveAsync(20);
        await journal.WriteSnapshotAsync(history.Sequence + 1, (stream, _) => { history.Machine.WriteSnapshot(stream); return Task.CompletedTask; }, Token);

        (await SpaceVerifier.VerifyAsync(journal, Token)).FirstBadSequence.ShouldBe(history.Sequence + 1);
    }

    private async Task LiveInFileAsync(int batches)
    {
        await using IJournal journal = new SqliteJournalStore(File).Get("default");
        await (await History.BeginAsync(42, journal)).LiveAsync(batches);
    }

    private async Task ChangeAsync(long sequence, Action<byte[]> change, Func<byte[], byte[]>? replace = null)
    {
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        await connection.OpenAsync(Token);
        await using SqliteCommand read = connection.CreateCommand();
        read.CommandText = $"SELECT frame FROM journal WHERE sequence = {sequence}";
        byte[] frame = (byte[])(await read.ExecuteScalarAsync(Token))!;
        change(frame);
        await using SqliteCommand write = connection.CreateCommand();
        write.CommandText = $"UPDATE journal SET frame = $frame WHERE sequence = {sequence}";
        write.Parameters.AddWithValue("$frame", replace?.Invoke(frame) ?? frame);
        (await write.ExecuteNonQueryAsync(Token)).ShouldBe(1);
    }

    private async Task<long> CountAsync()
    {
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        await connection.OpenAsync(Token);
        await using SqliteCommand count = connection.CreateCommand();
        count.CommandText = "SELECT count(*) FROM journal";
        return (long)(await count.ExecuteScalarAsync(Token))!;
    }
}

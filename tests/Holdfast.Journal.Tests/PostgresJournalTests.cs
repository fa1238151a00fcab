using Holdfast.Journal.Postgres;
using Holdfast.TestKit;
using Npgsql;

namespace Holdfast.Journal.Tests;

public sealed partial class PostgresJournalTests(PostgresServer server) : JournalConformance, IClassFixture<PostgresServer>
{
    private static readonly CancellationToken None = CancellationToken.None;
    private string _connectionString = "";

    [Fact]
    public async Task Tables_are_made_safely_by_many_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            await using IJournal journal = Store.Get($"s{i}");
            (await journal.OpenAsync(None)).Sequence.ShouldBe(0);
        })));

        (await Store.ListSpacesAsync(None)).Count.ShouldBe(8);
    }

    [Fact]
    public async Task Spaces_of_an_empty_database_are_none() => (await Store.ListSpacesAsync(None)).ShouldBeEmpty();

    [Fact]
    public async Task Frames_are_stored_without_compression()
    {
        await using IJournal journal = Store.Get("default");
        await journal.OpenAsync(None);

        (await QueryAsync("SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'holdfast_journal'::regclass AND attname = 'frame'")).ShouldBe("e");
    }

    [Theory]
    [InlineData("on", true)]
    [InlineData("off", false)]
    public async Task Appends_run_with_synchronous_commit_on_whatever_the_default_is(string required, bool accepted)
    {
        // The trigger refuses any insert under another setting; asking for "off" shows that it does look.
        await using var store = new PostgresJournalStore(_connectionString + ";Options=-c synchronous_commit=off");
        await using IJournal journal = store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        await TriggerAsync($"IF current_setting('synchronous_commit') <> '{required}' THEN RAISE EXCEPTION 'not durable'; END IF;");

        Func<Task> append = async () => await journal.AppendAsync(1, Frames.Make(1, tail.Hash.Span), None);

        if (accepted)
        {
            await append();
        }
        else
        {
            (await Should.ThrowAsync<JournalException>(append)).Fault.ShouldBe(JournalFault.NotWritten);
        }
    }

    [Fact]
    public async Task E58_server_that_only_reads_is_told_and_read()
    {
        await using (IJournal journal = Store.Get("default"))
        {
            await Frames.AppendAsync(journal, await journal.OpenAsync(None), 3);
        }

        // As a standby is, and as a primary becomes that another one replaced.
        await using var store = new PostgresJournalStore(_connectionString + ";Options=-c default_transaction_read_only=on");
        await using IJournal standby = store.Get("default");

        (await Should.ThrowAsync<JournalException>(async () => await standby.OpenAsync(None))).Fault.ShouldBe(JournalFault.Unwritable);
        (await standby.FindTailAsync(None)).Sequence.ShouldBe(3);
        (await Frames.ReadAllAsync(standby)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task E58_full_disk_is_told_reads_go_on_and_it_recovers_by_itself()
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 2);
        JournalTail tail = await journal.OpenAsync(None);
        await TriggerAsync("RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100';");
        byte[] next = Frames.Make(3, tail.Hash.Span);

        (await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(3, next, None))).Fault.ShouldBe(JournalFault.Unwritable);

        (await Frames.ReadAllAsync(journal)).Count.ShouldBe(2);
        await ExecuteAsync("DROP TRIGGER planted ON holdfast_journal");
        await journal.AppendAsync(3, next, None);
        (await VerifyAsync(journal)).ShouldBe(3);
    }

    [Fact]
    public async Task E59_backend_killed_inside_the_commit_is_unknown_and_reopening_tells_it_is_not_there()
    {
        await using IJournal journal = Store.Get("default");
        await Frames.AppendAsync(journal, await journal.OpenAsync(None), 1);
        JournalTail tail = await journal.OpenAsync(None);

        // Deferred to the commit: the insert is done, the commit hangs.
        await TriggerAsync("PERFORM pg_sleep(30);", deferred: true);
        Task append = journal.AppendAsync(2, Frames.Make(2, tail.Hash.Span), None).AsTask();
        await KillAppenderAsync();

        (await Should.ThrowAsync<JournalException>(() => append)).Fault.ShouldBe(JournalFault.Unknown);
        await Should.ThrowAsync<InvalidOperationException>(async () => await journal.AppendAsync(2, Frames.Make(2, tail.Hash.Span), None));
        await ExecuteAsync("DROP TRIGGER planted ON holdfast_journal");
        tail = await journal.OpenAsync(None);
        tail.Sequence.ShouldBe(1);
        await Frames.AppendAsync(journal, tail, 1);
        (await VerifyAsync(journal)).ShouldBe(2);
    }

    [Fact]
    public async Task E59_reply_lost_after_the_commit_is_unknown_and_reopening_finds_the_frame()
    {
        await using var proxy = new CuttingProxy(server.Port);
        await using var store = new PostgresJournalStore(Through(proxy));
        await using IJournal journal = store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        tail = tail with { Sequence = 1, Hash = Frame.Read((await Frames.AppendAsync(journal, tail, 1))[0]).Hash };
        proxy.CutReplies = true;

        JournalException lost = await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(2, Frames.Make(2, tail.Hash.Span), None));

        lost.Fault.ShouldBe(JournalFault.Unknown);
        proxy.CutReplies = false;
        tail = await journal.OpenAsync(None);
        tail.Sequence.ShouldBe(2);
        await Frames.AppendAsync(journal, tail, 1);
        (await VerifyAsync(journal)).ShouldBe(3);
    }

    [Fact]
    public async Task E59_server_out_of_reach_is_not_written_and_the_same_append_succeeds_when_it_is_back()
    {
        await using var proxy = new CuttingProxy(server.Port);
        await using var store = new PostgresJournalStore(Through(proxy) + ";Pooling=false");
        await using IJournal journal = store.Get("default");
        JournalTail tail = await journal.OpenAsync(None);
        byte[] frame = Frames.Make(1, tail.Hash.Span);
        proxy.Refuse = true;

        (await Should.ThrowAsync<JournalException>(async () => await journal.AppendAsync(1, frame, None))).Fault.ShouldBe(JournalFault.NotWritten);
        (await Should.ThrowAsync<JournalException>(async () => await journal.OpenAsync(None))).Fault.ShouldBe(JournalFault.NotWritten);

        proxy.Refuse = false;
        await journal.OpenAsync(None);
        await journal.AppendAsync(1, frame, None);
        (await VerifyAsync(journal)).ShouldBe(1);
    }

    protected override async ValueTask<IJournalStore> CreateStoreAsync()
    {
        _connectionString = await server.CreateDatabaseAsync();
        return new PostgresJournalStore(_connectionString);
    }

    protected override async Task OverwriteAsync(string space, long sequence, byte[] bytes) =>
        await ExecuteAsync($"UPDATE holdfast_journal SET frame = '\\x{Convert.ToHexString(bytes)}' WHERE space = '{space}' AND sequence = {sequence}");

    protected override async Task FlipSnapshotAsync(string space, long sequence) =>
        await ExecuteAsync($"UPDATE holdfast_snapshot SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) WHERE space = '{space}' AND sequence = {sequence} AND part = 0");

    private string Through(CuttingProxy proxy) =>
        new NpgsqlConnectionStringBuilder(_connectionString) { Port = proxy.Port }.ConnectionString;

    /// <summary>Plants a fault into every insert, or into its commit.</summary>
    private Task TriggerAsync(string body, bool deferred = false) => ExecuteAsync(
        $"""
        CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
        {(deferred
            ? "CREATE CONSTRAINT TRIGGER planted AFTER INSERT ON holdfast_journal DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION planted()"
            : "CREATE TRIGGER planted BEFORE INSERT ON holdfast_journal FOR EACH ROW EXECUTE FUNCTION planted()")}
        """);

    /// <summary>Waits until an append hangs in a planted sleep or lock, and ends its session.</summary>
    private async Task KillAppenderAsync()
    {
        string hanging = $"FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND wait_event_type IN ('Timeout', 'Lock')";
        await UntilAsync($"SELECT count(*) > 0 {hanging}");
        await ExecuteAsync($"SELECT pg_terminate_backend(pid) {hanging}");
    }

    private async Task UntilAsync(string condition)
    {
        for (int i = 0; i < 400; i++)
        {
            if (await QueryAsync(condition) is true)
            {
                return;
            }

            await Task.Delay(25);
        }

        throw new TimeoutException($"Never came true: {condition}");
    }

    private async Task ExecuteAsync(string sql) => await QueryAsync(sql);

    private async Task<object?> QueryAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_connectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}

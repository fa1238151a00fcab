using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Journal.Sqlite;
using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Cli.Tests;

/// <summary>E62 and the promise of <c>verify</c>: it names the first bad sequence, and its exit code tells.</summary>
public sealed class VerifyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Journal => _folder.File("holdfast.db");

    [Fact]
    public async Task A_good_journal_is_good()
    {
        await WriteJournalAsync();

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(0, run.Error);
        run.Output.ShouldStartWith("default: good, frames 1 to ");
        run.Output.ShouldContain("20 holds (20 live)");
    }

    [Theory]
    [InlineData(5)]
    [InlineData(17)]
    public async Task E62_a_flipped_byte_is_refused_and_its_sequence_named(int sequence)
    {
        await WriteJournalAsync();
        Change(sequence, frame =>
        {
            frame[frame.Length / 2] ^= 1;
            return frame;
        });

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1);
        run.Output.ShouldStartWith($"default: BAD at sequence {sequence}: ");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(9)] // its sequence
    [InlineData(24)]
    [InlineData(27)]
    public async Task E62_a_flip_in_the_first_frames_header_is_refused_in_words(int offset)
    {
        await WriteJournalAsync();
        Change(1, frame =>
        {
            frame[offset] ^= 1;
            return frame;
        });

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1);
        run.Output.ShouldStartWith("default: BAD at sequence 1: ");
    }

    [Fact]
    public async Task E62_a_torn_last_record_is_told_and_no_problem()
    {
        await WriteJournalAsync();
        long last = LastSequence();
        Change(last, frame => frame[..(frame.Length / 2)]);

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(0, run.Output);
        run.Output.ShouldContain($"frames 1 to {last - 1}");
        run.Output.ShouldContain($"frame {last} was cut short by a crash");
        LastSequence().ShouldBe(last, "a verification only reads");
    }

    [Fact]
    public async Task A_missing_record_is_refused_and_its_sequence_named()
    {
        await WriteJournalAsync();
        Execute("DELETE FROM journal WHERE sequence = 9");

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1);
        run.Output.ShouldStartWith("default: BAD at sequence 9: ");
    }

    [Fact]
    public async Task One_bad_space_of_two_is_enough()
    {
        await WriteJournalAsync("shop-2");
        Change(3, frame =>
        {
            frame[70] ^= 1;
            return frame;
        });

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1);
        run.Output.ShouldContain("default: BAD at sequence 3");
        run.Output.ShouldContain("shop-2: good");
    }

    [Fact]
    public async Task A_space_that_cannot_be_read_is_bad_and_the_others_are_verified_all_the_same()
    {
        await WriteJournalAsync("shop-2");
        await File.WriteAllTextAsync(_folder.File("holdfast@junk.db"), new string('x', 5000));
        Execute(_folder.File("holdfast@another.db"), "CREATE TABLE others(id INTEGER)");

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1, run.Error);
        run.Output.ShouldContain("another: BAD: can't be read: ");
        run.Output.ShouldContain("default: good");
        run.Output.ShouldContain("junk: BAD");
        run.Output.ShouldContain("shop-2: good");
        run.Error.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_the_failed_creation_of_a_space_leaves_is_told_and_no_problem()
    {
        await WriteJournalAsync("shop-2");
        await File.WriteAllBytesAsync(_folder.File("holdfast@shop-1.db"), []);
        Execute(_folder.File("holdfast@shop-0.db"), "PRAGMA journal_mode=WAL");

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(0, run.Error + run.Output);
        run.Output.ShouldContain("shop-0: empty, never opened");
        run.Output.ShouldContain("shop-1: empty, never opened");
        run.Output.ShouldContain("shop-2: good");
    }

    [Fact]
    public async Task An_empty_file_in_the_place_of_a_journal_that_was_in_use_is_bad()
    {
        await WriteJournalAsync("shop-2");
        await File.WriteAllBytesAsync(Journal, []);
        await File.WriteAllBytesAsync(_folder.File("holdfast@shop-1.db"), []);
        await using (IJournal lost = new SqliteJournalStore(Journal).Get("shop-1"))
        {
            await lost.WriteSnapshotAsync(7, (stream, _) => stream.WriteAsync("what it was"u8.ToArray()).AsTask(), TestContext.Current.CancellationToken);
        }

        ProgramRun run = await VerifyAsync();

        run.ExitCode.ShouldBe(1, run.Error + run.Output);
        run.Output.ShouldContain("default: BAD: can't be read: ");
        run.Output.ShouldContain("shop-1: BAD");
        run.Output.ShouldContain("shop-2: good");
    }

    [Fact]
    public async Task Nothing_there_is_neither_good_nor_bad()
    {
        (await VerifyAsync()).ExitCode.ShouldBe(2);
        (await HoldfastProgram.RunAsync("verify", "--data", _folder.File("nowhere"))).ExitCode.ShouldBe(2);
        (await HoldfastProgram.RunAsync("verify")).ExitCode.ShouldBe(2);
        Directory.EnumerateFileSystemEntries(_folder.Path).ShouldBeEmpty("a verification only reads");
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private Task<ProgramRun> VerifyAsync() => HoldfastProgram.RunAsync("verify", "--data", _folder.Path);

    /// <summary>A resource and twenty holds, one frame each.</summary>
    private async Task WriteJournalAsync(string? otherSpace = null)
    {
        await using ServiceProvider services = new ServiceCollection().AddHoldfastSpaces(o => o.UseSqlite(Journal).WithoutViews()).BuildServiceProvider();
        SpaceHost host = services.GetRequiredService<SpaceHost>();
        await host.StartAsync(CancellationToken.None);
        if (otherSpace is not null)
        {
            await host.CreateAsync(otherSpace, CancellationToken.None);
        }

        IHoldfast holdfast = host.Use(host.Default);
        (await holdfast.PutResourceAsync("sku-1", new ResourcePolicy { LimitPerOwner = 2 })).IsOk.ShouldBeTrue();
        (await holdfast.AdjustAsync("sku-1", new SupplyAdjustment("a1", "test") { Delta = 100 })).IsOk.ShouldBeTrue();
        for (int i = 0; i < 20; i++)
        {
            (await holdfast.TryHoldAsync(new HoldRequest($"hold-{i}", new HoldLine("sku-1", 1)) { Owner = $"owner-{i}" })).IsOk.ShouldBeTrue();
        }
    }

    private long LastSequence()
    {
        using SqliteConnection connection = Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT max(sequence) FROM journal";
        return (long)command.ExecuteScalar()!;
    }

    private void Change(long sequence, Func<byte[], byte[]> change)
    {
        using SqliteConnection connection = Open();
        using SqliteCommand read = connection.CreateCommand();
        read.CommandText = "SELECT frame FROM journal WHERE sequence = $sequence";
        read.Parameters.AddWithValue("$sequence", sequence);
        byte[] frame = change((byte[])read.ExecuteScalar()!);
        using SqliteCommand write = connection.CreateCommand();
        write.CommandText = "UPDATE journal SET frame = $frame WHERE sequence = $sequence";
        write.Parameters.AddWithValue("$sequence", sequence);
        write.Parameters.AddWithValue("$frame", frame);
        write.ExecuteNonQuery().ShouldBe(1);
    }

    private void Execute(string sql) => Execute(Journal, sql).ShouldBe(1);

    private static int Execute(string file, string sql)
    {
        using SqliteConnection connection = Open(file);
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteNonQuery();
    }

    private SqliteConnection Open() => Open(Journal);

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return connection;
    }
}

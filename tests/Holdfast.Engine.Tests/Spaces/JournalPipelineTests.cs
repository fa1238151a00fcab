using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Holdfast.Journal;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;
using Holdfast.Testing;

namespace Holdfast.Engine.Tests.Spaces;

public sealed class JournalPipelineTests
{
    private const int Batches = 1_000_000;

    /// <summary>A count of what is being written that loses one update leaves the loop without room for good.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Appends_that_end_on_another_thread_all_give_their_room_back(bool byLoop)
    {
        await using var journal = new OtherThreadJournal();
        var pipeline = new JournalPipeline(journal, await journal.OpenAsync(TestContext.Current.CancellationToken), new Teller(new RequestQueue(16), TimeProvider.System), static _ => { }, static () => { }, byLoop: byLoop);
        for (int i = 1; i <= Batches; i++)
        {
            SpinWait.SpinUntil(HasRoom, TimeSpan.FromSeconds(10)).ShouldBeTrue($"no room for batch {i}");
            Batch batch = pipeline.Rent();
            batch.Begin(timeMs: 1);
            batch.Sequence = i;
            pipeline.Write(batch);
        }

        pipeline.Drain();
        pipeline.AllIsDurable.ShouldBeTrue();

        bool HasRoom()
        {
            pipeline.FinishHere();
            return pipeline.HasRoom;
        }
    }

    /// <summary>A small batch costs nearly as much to write and sync as a large one.</summary>
    [Theory]
    [InlineData(200, 199, false)]
    [InlineData(200, 200, true)]
    [InlineData(10, JournalPipeline.SmallBatch - 1, false)]
    [InlineData(10, JournalPipeline.SmallBatch, true)]
    public async Task While_a_batch_is_synced_the_next_waits_until_it_is_no_smaller(int inFlight, int waiting, bool wanted)
    {
        await using var journal = new OtherThreadJournal();
        var pipeline = new JournalPipeline(journal, await journal.OpenAsync(TestContext.Current.CancellationToken), new Teller(new RequestQueue(16), TimeProvider.System), static _ => { }, static () => { });
        pipeline.Wants(1).ShouldBeTrue();

        journal.Syncs.Reset();
        Batch batch = pipeline.Rent();
        batch.Begin(timeMs: 1);
        batch.Sequence = 1;
        for (int i = 0; i < inFlight; i++)
        {
            batch.Add(new AwaitedRequest(new GetHold(new NameHasher(1, 2))));
        }

        pipeline.Write(batch);
        pipeline.Wants(waiting).ShouldBe(wanted);
        journal.AppendsInParallel = true;
        pipeline.Wants(1).ShouldBeTrue();
        journal.AppendsInParallel = false;

        journal.Syncs.Set();
        pipeline.Drain();
        pipeline.Wants(1).ShouldBeTrue();
    }

    /// <summary>Telling takes a while, and the journal needn't be idle meanwhile.</summary>
    [Fact]
    public async Task Where_the_loop_tells_room_is_made_first_and_answers_leave_in_order_later()
    {
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), rule: null, maxInFlight: 2);
        var told = new List<string>();
        JournalPipeline pipeline = await ByLoopAsync(journal, told);

        pipeline.Write(BatchOf(pipeline, sequence: 1, new Asker("first", told)));
        pipeline.Wants(1).ShouldBeFalse();
        journal.Settle(AppendFate.Written);
        pipeline.HasEnded.ShouldBeTrue();
        pipeline.SettleHere();

        pipeline.Wants(1).ShouldBeTrue();
        told.ShouldBeEmpty();
        pipeline.AllIsDurable.ShouldBeFalse("what only read must not be told before what it read");
        pipeline.Write(BatchOf(pipeline, sequence: 0, new Asker("reads only", told)));
        told.ShouldBeEmpty();

        pipeline.FinishHere();
        told.ShouldBe(["durable 1", "first Ok", "reads only Ok"]);
        pipeline.AllIsDurable.ShouldBeTrue();
    }

    [Fact]
    public async Task Where_the_loop_tells_a_failure_leaves_the_answers_before_it_alone()
    {
        var journal = new FaultyJournal(new MemoryJournalStore().Get("default"), rule: null, maxInFlight: 2);
        var told = new List<string>();
        JournalPipeline pipeline = await ByLoopAsync(journal, told);

        pipeline.Write(BatchOf(pipeline, sequence: 1, new Asker("first", told)));
        pipeline.Write(BatchOf(pipeline, sequence: 2, new Asker("second", told)));
        journal.Settle(AppendFate.Written);
        journal.Settle(AppendFate.NotWritten);
        pipeline.FinishHere();
        pipeline.Write(BatchOf(pipeline, sequence: 3, new Asker("third", told)));
        pipeline.Drain();

        told.ShouldBe(["durable 1", "first Ok", "second Unavailable", "third Unavailable"]);
        journal.Pending.ShouldBe(0);
        pipeline.Failure.ShouldBeOfType<JournalException>();
    }

    private static async Task<JournalPipeline> ByLoopAsync(FaultyJournal journal, List<string> told)
    {
        JournalTail tail = await journal.OpenAsync(TestContext.Current.CancellationToken);
        return new JournalPipeline(journal, tail, new Teller(new RequestQueue(16), TimeProvider.System), batch => told.Add($"durable {batch.Sequence}"), static () => { }, byLoop: true);
    }

    private static Batch BatchOf(JournalPipeline pipeline, long sequence, Asker asker)
    {
        Batch batch = pipeline.Rent();
        batch.Begin(timeMs: 1);
        batch.Sequence = sequence;
        batch.Add(asker);
        return batch;
    }

    private sealed class Asker(string name, List<string> told) : Request(new GetHold(new NameHasher(1, 2)))
    {
        protected internal override bool CompletesInline => true;

        protected internal override void Complete() => told.Add($"{name} {Answer.Code}");
    }

    private sealed class OtherThreadJournal : IJournal
    {
        private readonly Channel<TaskCompletionSource> _appends = Channel.CreateUnbounded<TaskCompletionSource>();
        private readonly Thread _thread;

        public OtherThreadJournal()
        {
            _thread = new Thread(Run) { IsBackground = true };
            _thread.Start();
        }

        public int MaxInFlight => 2;

        public bool AppendsInParallel { get; set; }

        /// <summary>Reset: appends don't end.</summary>
        public ManualResetEventSlim Syncs { get; } = new(initialState: true);

        public ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new JournalTail(0, new byte[32], 1, 0));

        public ValueTask<JournalTail> FindTailAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
        {
            var done = new TaskCompletionSource();
            _appends.Writer.TryWrite(done);
            return new ValueTask(done.Task);
        }

        public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(long fromSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.CompletedTask;
            yield break;
        }

        public ValueTask WriteSnapshotAsync(long sequence, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<JournalSnapshot?> OpenSnapshotAsync(CancellationToken cancellationToken) => ValueTask.FromResult<JournalSnapshot?>(null);

        public ValueTask PutSnapshotAsideAsync(long sequence, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask TrimAsync(long throughSequence, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync()
        {
            _appends.Writer.Complete();
            return ValueTask.CompletedTask;
        }

        private void Run()
        {
            while (!_appends.Reader.Completion.IsCompleted)
            {
                if (_appends.Reader.TryRead(out TaskCompletionSource? done))
                {
                    Syncs.Wait();
                    done.SetResult();
                }
            }
        }
    }
}

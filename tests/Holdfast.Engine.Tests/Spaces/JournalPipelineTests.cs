using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Holdfast.Journal;

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
        var pipeline = new JournalPipeline(journal, await journal.OpenAsync(TestContext.Current.CancellationToken), static _ => { }, static () => { }, byLoop: byLoop);
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

        public ValueTask<JournalTail> OpenAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new JournalTail(0, new byte[32], 1, 0));

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
                    done.SetResult();
                }
            }
        }
    }
}

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Cli.Bench;

/// <summary>
/// Holds that arrive on a schedule, whether or not earlier ones are answered, as shoppers do. Each wait is counted from
/// the instant at which the hold was meant to be asked for, so a stall shows in every arrival that it delayed. (A closed
/// loop stops asking while it waits, and so hides most of a stall: "coordinated omission".)
/// </summary>
internal sealed class OpenLoop
{
    private const int Slots = 60_000;
    private const long TtlMs = 6 * 3600 * 1000L;

    private readonly byte[][] _resources;
    private readonly double _perTick;
    private readonly long[] _waits;
    private readonly ConcurrentQueue<Slot> _answeredSlots = new();

    // Of the arriving thread: the one used last is taken first, as from any server's pool, or each arrival would go through
    // memory that was last touched thousands of arrivals ago.
    private readonly Stack<Slot> _free = new();
    private int _answered;
    private int _refused;

    public OpenLoop(Space space, byte[][] resources, double perSecond, TimeSpan length)
    {
        _resources = resources;
        _perTick = perSecond / Stopwatch.Frequency;
        _waits = new long[(int)(perSecond * length.TotalSeconds)];
        for (int i = 0; i < Slots; i++)
        {
            _free.Push(new Slot(this, space));
        }

        // So that what is collected under load is what the space leaves behind, and not these.
        GC.Collect();
    }

    /// <summary>Arrivals that found no place because 60,000 before them were not answered yet.</summary>
    public int Blocked { get; private set; }

    /// <summary>Runs the schedule; holds are numbered from <paramref name="first"/>.</summary>
    public async Task<long[]> RunAsync(long first)
    {
        await Task.Factory.StartNew(() => Arrive(first), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        long patience = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _answered) < _waits.Length)
        {
            await Task.Delay(5);
            if (Stopwatch.GetElapsedTime(patience) > TimeSpan.FromMinutes(1))
            {
                throw new BenchException($"{_waits.Length - _answered} holds were not answered within a minute.");
            }
        }

        return _refused == 0 ? _waits : throw new BenchException($"{_refused} holds were refused.");
    }

    private void Arrive(long first)
    {
        long start = Stopwatch.GetTimestamp();
        int arrived = 0;
        while (arrived < _waits.Length)
        {
            int due = (int)Math.Min(_waits.Length, (Stopwatch.GetTimestamp() - start) * _perTick);
            for (; arrived < due; arrived++)
            {
                TakeSlot().Ask(first + arrived, start + (long)(arrived / _perTick), _resources);
            }

            // Arrivals of one millisecond come together, as they do from sockets; their schedule stays exact.
            Thread.Sleep(1);
        }
    }

    private Slot TakeSlot()
    {
        while (_answeredSlots.TryDequeue(out Slot? answered))
        {
            _free.Push(answered);
        }

        return _free.TryPop(out Slot? slot) ? slot : WaitForSlot();
    }

    private Slot WaitForSlot()
    {
        Blocked++;
        Slot? slot;
        while (!_answeredSlots.TryDequeue(out slot))
        {
            Thread.Sleep(0);
        }

        return slot;
    }

    private void Answered(Slot slot, long wait, Code code)
    {
        if (code != Code.Ok)
        {
            Interlocked.Increment(ref _refused);
        }

        _answeredSlots.Enqueue(slot);
        _waits[Interlocked.Increment(ref _answered) - 1] = wait;
    }

    private sealed class Slot
    {
        private readonly OpenLoop _loop;
        private readonly Space _space;
        private readonly TryHold _hold;
        private readonly AwaitedRequest _request;
        private readonly HoldIds _ids = new();
        private readonly Action _onAnswer;
        private ValueTaskAwaiter _awaiter;
        private long _meant;

        public Slot(OpenLoop loop, Space space)
        {
            (_loop, _space) = (loop, space);
            _hold = new TryHold(space.Hasher);
            _request = new AwaitedRequest(_hold);
            _onAnswer = OnAnswer;
        }

        public void Ask(long number, long meant, byte[][] resources)
        {
            _meant = meant;
            _ids.Set(number);
            _hold.Reset(_ids.Id, _ids.Owner, TtlMs);
            _hold.AddLine(resources[number % resources.Length], 1);

            // What an await does, without a state machine for each arrival.
            _awaiter = _space.SendAsync(_request).GetAwaiter();
            _awaiter.UnsafeOnCompleted(_onAnswer);
        }

        private void OnAnswer()
        {
            long wait = Stopwatch.GetTimestamp() - _meant;
            _awaiter.GetResult();
            _loop.Answered(this, wait, _request.Answer.Code);
        }
    }
}

using System.Diagnostics;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Cli.Bench;

/// <summary>
/// Callers that each ask, wait for the answer, and ask again: what a server full of requests looks like from inside.
/// Every caller reuses its command and request, as the server's connections do.
/// </summary>
internal sealed class ClosedLoop(Space space, byte[][] resources, int callers)
{
    // A caller takes this many numbers at once, and times one of them: a clock read for each would cost a tenth of the rate.
    private const int Stride = 16;
    private const long TtlMs = 6 * 3600 * 1000L;

    private long _next;
    private long _end;
    private long[] _samples = [];
    private int _sampled;

    /// <summary>Answers as expected since the last run began.</summary>
    private long _asExpected;

    private int _unexpected;

    /// <summary>Asks for <paramref name="count"/> new holds, numbered from <paramref name="first"/>.</summary>
    /// <param name="first">The first hold's number.</param>
    /// <param name="count">How many.</param>
    /// <param name="expected">What each must be answered; anything else makes the numbers worthless.</param>
    /// <param name="cancelEach">Whether each hold is cancelled again, so that the number of live ones stays.</param>
    public async Task<LoopRun> RunAsync(long first, int count, Code expected = Code.Ok, bool cancelEach = false)
    {
        (_next, _end) = (first, first + count);
        (_samples, _sampled, _asExpected) = (new long[(count / Stride) + 1], 0, 0);
        long batches = space.Metrics.Batches;
        long allocated = GC.GetTotalAllocatedBytes();
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(i => Task.Run(() => CallAsync(i % Stride, expected, cancelEach))));
        TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
        if (_asExpected != count)
        {
            throw new BenchException($"{count - _asExpected} of {count} answers were not '{expected.Text()}', one was '{((Code)_unexpected).Text()}'.");
        }

        return new LoopRun(
            count,
            elapsed,
            Environment.CpuUsage.TotalTime - cpu,
            GC.GetTotalAllocatedBytes() - allocated,
            space.Metrics.Batches - batches,
            new ArraySegment<long>(_samples, 0, _sampled));
    }

    /// <param name="timed">Which of each stride is timed: not the same for all, or callers in step would all look away at once.</param>
    /// <param name="expected">What each must be answered.</param>
    /// <param name="cancelEach">Whether each hold is cancelled again.</param>
    private async Task CallAsync(int timed, Code expected, bool cancelEach)
    {
        var hold = new TryHold(space.Hasher);
        var request = new AwaitedRequest(hold);
        var cancel = new CancelHold(space.Hasher);
        var cancelRequest = new AwaitedRequest(cancel);
        var ids = new HoldIds();
        long asExpected = 0;
        long from;
        while ((from = Interlocked.Add(ref _next, Stride) - Stride) < _end)
        {
            long to = Math.Min(from + Stride, _end);
            for (long number = from; number < to; number++)
            {
                ids.Set(number);
                hold.Reset(ids.Id, ids.Owner, TtlMs);
                hold.AddLine(resources[number % resources.Length], 1);
                long sent = number == from + timed ? Stopwatch.GetTimestamp() : 0;
                await space.SendAsync(request);
                Code code = request.Answer.Code;
                if (sent != 0)
                {
                    _samples[Interlocked.Increment(ref _sampled) - 1] = Stopwatch.GetTimestamp() - sent;
                }

                if (cancelEach)
                {
                    cancel.Reset(ids.Id);
                    await space.SendAsync(cancelRequest);
                    Code cancelled = cancelRequest.Answer.Code;
                    code = cancelled == Code.Ok ? code : cancelled;
                }

                if (code == expected)
                {
                    asExpected++;
                }
                else
                {
                    Volatile.Write(ref _unexpected, (int)code);
                }
            }
        }

        Interlocked.Add(ref _asExpected, asExpected);
    }
}

/// <summary>One run of a loop.</summary>
/// <param name="Count">Requests answered.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Cpu">Processor time of the whole process.</param>
/// <param name="AllocatedBytes">Bytes allocated by the whole process.</param>
/// <param name="Batches">Batches that the journal wrote.</param>
/// <param name="Samples">Waits of some requests, in ticks of <see cref="Stopwatch"/>.</param>
internal sealed record LoopRun(int Count, TimeSpan Elapsed, TimeSpan Cpu, long AllocatedBytes, long Batches, ArraySegment<long> Samples)
{
    public double PerSecond => Count / Elapsed.TotalSeconds;

    public double CpuCores => Cpu / Elapsed;
}

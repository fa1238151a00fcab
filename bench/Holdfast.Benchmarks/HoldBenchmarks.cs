using System.Buffers.Text;
using BenchmarkDotNet.Attributes;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Benchmarks;

/// <summary>What the loop does for each hold, without threads, queue and disk: decide, evolve, write the event's bytes.</summary>
public class HoldBenchmarks
{
    private const int Holds = 10_000;
    private readonly EventBuffer _events = new(Frame.HeaderSize, 1 << 20);
    private readonly NameHasher _hasher = new(1, 2);
    private readonly TryHold[] _tries = new TryHold[Holds];
    private readonly CancelHold[] _cancels = new CancelHold[Holds];
    private SpaceMachine _machine = null!;
    private byte[] _frame = [];
    private long _number;
    private long _time = 1_000_000;

    [GlobalSetup]
    public void Setup()
    {
        _machine = new SpaceMachine(new HoldOptions(), _hasher);
        var put = new PutResource(_hasher);
        put.Reset("sku-1"u8, new ResourcePolicy { LimitPerOwner = 2 });
        var supply = new AdjustSupply(_hasher);
        supply.ResetDelta("sku-1"u8, "opening"u8, 1_000_000_000_000, "bench"u8);
        Ok(put);
        Ok(supply);
        for (int i = 0; i < Holds; i++)
        {
            _tries[i] = new TryHold(_hasher);
            _cancels[i] = new CancelHold(_hasher);
        }

        Fill();
        Try();
        _frame = _events.Whole(Frame.FooterSize).ToArray();
        Cancel();
    }

    /// <summary>New names, as the askers' threads make them: hashed there, not on the loop.</summary>
    [Benchmark(OperationsPerInvoke = Holds)]
    public void Fill()
    {
        Span<byte> id = stackalloc byte[32];
        Span<byte> owner = stackalloc byte[32];
        "h-"u8.CopyTo(id);
        "u-"u8.CopyTo(owner);
        for (int i = 0; i < Holds; i++)
        {
            Utf8Formatter.TryFormat(1_000_000_000_000 + ++_number, id[2..], out int digits);
            Utf8Formatter.TryFormat(_number / 2, owner[2..], out int ownerDigits);
            _tries[i].Reset(id[..(digits + 2)], owner[..(ownerDigits + 2)], 600_000);
            _tries[i].AddLine("sku-1"u8, 1);
            _cancels[i].Reset(id[..(digits + 2)]);
        }
    }

    /// <summary>A hold and its cancellation; the machine keeps what it knows, as in a shop's day.</summary>
    [Benchmark(OperationsPerInvoke = 2 * Holds)]
    public void TryAndCancel()
    {
        Fill();
        Try();
        Cancel();
    }

    /// <summary>A batch of ten thousand events sealed: SHA-256 over all of it.</summary>
    [Benchmark(OperationsPerInvoke = Holds)]
    public void Seal() => Frame.Seal(_frame, 2, _time, Holds, new byte[Frame.FooterSize]);

    private void Try()
    {
        _time++;
        _events.Clear();
        _machine.Tidy(_time, _events);
        for (int i = 0; i < Holds; i++)
        {
            if (i + 3 < Holds)
            {
                _machine.Prefetch(_tries[i + 3]);
            }

            Expect(_machine.Decide(_tries[i], _time, _events));
        }
    }

    private void Cancel()
    {
        _events.Clear();
        for (int i = 0; i < Holds; i++)
        {
            Expect(_machine.Decide(_cancels[i], _time, _events));
        }
    }

    private void Ok(Command command)
    {
        _events.Clear();
        Expect(_machine.Decide(command, _time, _events));
    }

    private static void Expect(in Answer answer)
    {
        if (answer.Code != Code.Ok)
        {
            throw new InvalidOperationException($"{answer.Code} instead of an answer: what was measured is worthless.");
        }
    }
}

using System.Diagnostics;
using Holdfast.Client;

namespace Holdfast.Cli.Demo;

/// <summary>What is seen of the sale while it runs.</summary>
internal sealed class SaleBoard
{
    private long _answers;
    private long _sold;
    private int _gone;
    private int _refused;
    private int _payers;

    /// <summary>Answers to all calls.</summary>
    public long Answers => Volatile.Read(ref _answers);

    /// <summary>Units that the server confirmed.</summary>
    public long Sold => Volatile.Read(ref _sold);

    /// <summary>Shoppers that are done.</summary>
    public int Gone => Volatile.Read(ref _gone);

    /// <summary>Shoppers who checked out and are done.</summary>
    public int Payers => Volatile.Read(ref _payers);

    /// <summary>Carts that were refused.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Times that the server was killed.</summary>
    public int Kills { get; set; }

    /// <summary>How long the server was away after kills, until it was ready again.</summary>
    public TimeSpan Away { get; set; }

    /// <summary>What is going on, for people.</summary>
    public string Stage { get; set; } = "starting";

    public void Answered() => Interlocked.Increment(ref _answers);

    public void Bought(long units) => Interlocked.Add(ref _sold, units);

    public void RefusedCart() => Interlocked.Increment(ref _refused);

    public void PayerLeft() => Interlocked.Increment(ref _payers);

    public void ShopperLeft() => Interlocked.Increment(ref _gone);
}

/// <summary>Times calls: how long a shopper waited for each answer.</summary>
internal sealed class WaitLog
{
    // One list a shopper's worker, so that nobody waits for a lock.
    private readonly List<long> _waits = [];

    public IReadOnlyList<long> Waits => _waits;

    public async ValueTask<T> TimeAsync<T>(ValueTask<T> call)
    {
        long began = Stopwatch.GetTimestamp();
        T answer = await call;
        lock (_waits)
        {
            _waits.Add(Stopwatch.GetTimestamp() - began);
        }

        return answer;
    }
}

using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>Counters of a space, written by its threads without locks and read by whoever reports them.</summary>
public sealed class SpaceMetrics
{
    private readonly long[] _answers = new long[(int)Code.ExceedsPaid + 1];
    private long _batches;
    private long _events;
    private long _bytes;
    private long _overloaded;
    private long _unavailable;
    private long _alerts;
    private SpaceMachine? _machine;

    /// <summary>Batches written.</summary>
    public long Batches => Volatile.Read(ref _batches);

    /// <summary>Events written.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Bytes of events written.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Live holds; roughly, while the loop works.</summary>
    public int LiveHolds => _machine?.LiveHolds ?? 0;

    /// <summary>Known holds, finished ones within the retention included; roughly.</summary>
    public int KnownHolds => _machine?.KnownHolds ?? 0;

    /// <summary>Resources; roughly.</summary>
    public int Resources => _machine?.ResourceCount ?? 0;

    /// <summary>Transactions that have not ended; roughly.</summary>
    public int OpenTransactions => _machine?.OpenTransactions ?? 0;

    /// <summary>Transactions that wait for an operator; roughly.</summary>
    public int StuckTransactions => _machine?.StuckTransactions ?? 0;

    /// <summary>Checkouts that are not final, and payments in suspense; roughly.</summary>
    public int OpenCheckouts => _machine?.OpenCheckouts ?? 0;

    /// <summary>Checkouts that wait for an operator; roughly.</summary>
    public int StuckCheckouts => _machine?.StuckCheckouts ?? 0;

    /// <summary>Times that people were told to look at a payment.</summary>
    public long Alerts => Volatile.Read(ref _alerts);

    /// <summary>
    /// Answers given with a code. One that was decided, and became <c>unavailable</c> because it couldn't be written, counts under both.
    /// </summary>
    public long Answers(Code code) => code switch
    {
        Code.Overloaded => Volatile.Read(ref _overloaded),
        Code.Unavailable => Volatile.Read(ref _unavailable),
        _ => Volatile.Read(ref _answers[(int)code]),
    };

    internal void Attach(SpaceMachine machine) => _machine = machine;

    internal void BatchWritten(int events, int bytes)
    {
        // One writer (the journal's thread), so plain additions do.
        Volatile.Write(ref _batches, _batches + 1);
        Volatile.Write(ref _events, _events + events);
        Volatile.Write(ref _bytes, _bytes + bytes);
    }

    /// <summary>What the space's thread has decided; the machine answers neither <c>overloaded</c> nor <c>unavailable</c>.</summary>
    internal void Answered(Code code) => _answers[(int)code]++;

    internal void Unavailable(int answers) => Interlocked.Add(ref _unavailable, answers);

    internal void Alerted() => Interlocked.Increment(ref _alerts);

    internal void Overloaded() => Interlocked.Increment(ref _overloaded);
}

using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// What was decided together and becomes durable together. Each batch has its own buffers, so that deciding the next
/// one can't touch bytes or answers of one that is still being written.
/// </summary>
internal sealed class Batch
{
    /// <summary>The events, behind room for the frame's header.</summary>
    public EventBuffer Events { get; } = new(Frame.HeaderSize, 32 * 1024);

    /// <summary>Requests whose answers wait until this batch is durable: of our own connections, told inline.</summary>
    public RequestBatch Own { get; } = new();

    /// <summary>The same, of strangers who await: told through the pool.</summary>
    public RequestBatch Awaited { get; } = new();

    /// <summary>Calls to participants that what is decided here, or before, demands: made once this batch is durable.</summary>
    public List<DueCall> Calls { get; } = [];

    /// <summary>Calls to payment providers, likewise.</summary>
    public List<PaymentCall> PaymentCalls { get; } = [];

    /// <summary>What people should look at, in words.</summary>
    public List<string> Alerts { get; } = [];

    /// <summary>Ids of transactions that ended, or got stuck, in this batch, and wait keys of checkouts that moved.</summary>
    public List<string> Settled { get; } = [];

    /// <summary>Ids of transactions that got stuck in this batch: an operator is to be told.</summary>
    public List<string> NewlyStuck { get; } = [];

    /// <summary>0 when there is nothing to write: the batch only waits for those before it.</summary>
    public long Sequence { get; set; }

    public long TimeMs { get; private set; }

    /// <summary>The machine's digest after this batch.</summary>
    public ulong Digest { get; set; }

    public bool IsEmpty => Events.Count == 0 && Requests == 0 && Calls.Count == 0 && PaymentCalls.Count == 0;

    public void Add(Request request) => (request.CompletesInline ? Own : Awaited).Add(request);

    /// <summary>Whether the loop has begun to decide for it: its time is set, what was due by then is in it.</summary>
    public bool IsBegun { get; private set; }

    /// <summary>Requests whose answers wait for it.</summary>
    public int Requests => Own.Count + Awaited.Count;

    public void Begin(long timeMs)
    {
        TimeMs = timeMs;
        IsBegun = true;
    }

    public void Clear()
    {
        IsBegun = false;
        Events.Clear();
        Own.Clear();
        Awaited.Clear();
        Calls.Clear();
        PaymentCalls.Clear();
        Alerts.Clear();
        Settled.Clear();
        NewlyStuck.Clear();
        Sequence = 0;
    }
}

using Holdfast.Journal;

namespace Holdfast.Testing;

/// <summary>What becomes of an append.</summary>
public enum AppendFate
{
    /// <summary>Durable, and said so.</summary>
    Written,

    /// <summary>Nothing written, and said so.</summary>
    NotWritten,

    /// <summary>Nothing written: storage is full.</summary>
    Full,

    /// <summary>Durable, but the answer was lost (E59).</summary>
    UnknownWritten,

    /// <summary>Nothing written, and the answer was lost (E59).</summary>
    UnknownLost,

    /// <summary>Said to be durable, and isn't: a lying disk. Only to show that an oracle notices.</summary>
    Lied,
}

/// <summary>
/// A journal around another that lets a test decide what becomes of each append, and when: by a rule, or held back
/// until <see cref="Settle"/>.
/// </summary>
/// <param name="inner">Where what is written goes.</param>
/// <param name="rule">Decides an append's fate by its sequence; null holds every append back until it is settled.</param>
/// <param name="maxInFlight">How many appends may be unfinished at once; null: as many as the inner one says.</param>
public sealed class FaultyJournal(IJournal inner, Func<long, AppendFate>? rule, int? maxInFlight = null) : DelegatingJournal(inner)
{
    private readonly Lock _lock = new();
    private readonly Queue<(long Sequence, byte[] Frame, TaskCompletionSource Done)> _pending = new();

    /// <inheritdoc/>
    public override int MaxInFlight => maxInFlight ?? Inner.MaxInFlight;

    /// <summary>Appends held back.</summary>
    public int Pending
    {
        get
        {
            lock (_lock)
            {
                return _pending.Count;
            }
        }
    }

    /// <inheritdoc/>
    public override ValueTask AppendAsync(long sequence, ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        if (rule is not null)
        {
            return Carry(sequence, frame, rule(sequence));
        }

        var done = new TaskCompletionSource();
        lock (_lock)
        {
            _pending.Enqueue((sequence, frame.ToArray(), done));
        }

        return new ValueTask(done.Task);
    }

    /// <summary>Ends the oldest append that is held back.</summary>
    public void Settle(AppendFate fate)
    {
        (long Sequence, byte[] Frame, TaskCompletionSource Done) append;
        lock (_lock)
        {
            append = _pending.Dequeue();
        }

        Task carried = Carry(append.Sequence, append.Frame, fate).AsTask();
        if (carried.IsCompletedSuccessfully)
        {
            append.Done.SetResult();
        }
        else
        {
            append.Done.SetException(carried.Exception!.InnerExceptions);
        }
    }

    private async ValueTask Carry(long sequence, ReadOnlyMemory<byte> frame, AppendFate fate)
    {
        if (fate is AppendFate.Written or AppendFate.UnknownWritten)
        {
            await Inner.AppendAsync(sequence, frame, CancellationToken.None);
        }

        JournalFault? fault = fate switch
        {
            AppendFate.Written or AppendFate.Lied => null,
            AppendFate.NotWritten => JournalFault.NotWritten,
            AppendFate.Full => JournalFault.Unwritable,
            _ => JournalFault.Unknown,
        };
        if (fault is { } known)
        {
            throw new JournalException(known, $"planted: {fate}");
        }
    }
}

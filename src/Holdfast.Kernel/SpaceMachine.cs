using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>
/// Resources, holds, transactions and checkouts of one space as a deterministic machine: <c>Decide(command, now)</c> writes events or refuses,
/// and evolves at once. No I/O, no clock, no threads, no randomness: the same commands at the same times give the same
/// events, and the same events give the same state. Not safe for concurrent use; one loop owns it.
/// </summary>
/// <remarks>
/// A large state stands in the system's memory, which goes back at <see cref="Dispose"/> (or, later, when the collector finds the
/// machine). Whatever reads that memory ends with <see cref="GC.KeepAlive"/>, so that it can't go while it is read.
/// </remarks>
public sealed class SpaceMachine : IDisposable
{
    private readonly Ledger _ledger;
    private readonly TryDecision _try;
    private readonly HoldDecisions _holds;
    private readonly ResourceDecisions _resources;
    private readonly TransactionBook _book;
    private readonly TransactionSink _transactionSink;
    private readonly TransactionDecisions _transactions;
    private readonly CheckoutBook _checkoutBook;
    private readonly CheckoutSink _checkoutSink;
    private readonly CheckoutDecisions _checkouts;
    private readonly PaymentDecisions _payments;

    /// <summary>An empty space.</summary>
    public SpaceMachine(HoldOptions options, NameHasher hasher, TransactionOptions? transactions = null, CheckoutOptions? checkouts = null)
    {
        Options = options;
        _ledger = new Ledger(hasher);
        _book = new TransactionBook(_ledger);
        _transactionSink = new TransactionSink(_book);
        var output = new EventSink(_ledger);
        _try = new TryDecision(_ledger, output, options);
        _holds = new HoldDecisions(_ledger, output, options);
        _resources = new ResourceDecisions(_ledger, output, options);
        Sink = output;
        _transactions = new TransactionDecisions(_book, _transactionSink, new BranchHolds(_ledger, output, _try), transactions ?? new TransactionOptions());
        checkouts ??= new CheckoutOptions();
        _checkoutBook = new CheckoutBook(_ledger, checkouts);
        _checkoutSink = new CheckoutSink(_checkoutBook);
        var checkoutHolds = new CheckoutHolds(_ledger, output, _try, options);
        _payments = new PaymentDecisions(_checkoutBook, _checkoutSink, checkoutHolds, checkouts);
        _checkouts = new CheckoutDecisions(_checkoutBook, _checkoutSink, checkoutHolds, _payments, checkouts);
    }

    /// <summary>The rules.</summary>
    public HoldOptions Options { get; }

    /// <summary>A running digest of all that was evolved: equal at equal sequences on every machine that replays this journal.</summary>
    public ulong Digest => _ledger.Digest;

    /// <summary>Time of the last batch evolved, unix milliseconds. The next batch must not be earlier.</summary>
    public long LastTimeMs => _ledger.LastTimeMs;

    /// <summary>Live holds.</summary>
    public int LiveHolds => _ledger.Holds.Live;

    /// <summary>Known holds, finished ones within the retention included.</summary>
    public int KnownHolds => _ledger.Holds.Count;

    /// <summary>Resources.</summary>
    public int ResourceCount => _ledger.Resources.Count;

    /// <summary>Transactions that have not ended.</summary>
    public int OpenTransactions => _book.Open;

    /// <summary>Known transactions, ended ones within the retention included.</summary>
    public int KnownTransactions => _book.Count;

    /// <summary>Checkouts that are not final, and payments in suspense.</summary>
    public int OpenCheckouts => _checkoutBook.Open;

    /// <summary>Known checkouts, finished ones within the retention included.</summary>
    public int KnownCheckouts => _checkoutBook.Count;

    /// <summary>Checkouts that wait for an operator.</summary>
    public int StuckCheckouts => _checkoutBook.Stuck;

    /// <summary>When the next call to a participant is due, unix milliseconds; <see cref="long.MaxValue"/>: none is.</summary>
    public long NextCallMs => _book.Due.NextCallMs;

    /// <summary>When the next call to a payment provider is due, unix milliseconds; <see cref="long.MaxValue"/>: none is.</summary>
    public long NextPaymentCallMs => _checkoutBook.Due.NextCallMs;

    /// <summary>When the next transaction's phase one or the next checkout's time to pay is over, unix milliseconds; <see cref="long.MaxValue"/>: none is.</summary>
    public long NextDeadlineMs => Math.Min(_book.Due.NextDeadlineMs, _checkoutBook.Due.NextTimerMs);

    /// <summary>
    /// Where ids of transactions are added when they end or get stuck, and wait keys of checkouts whenever something
    /// happens to them; null: nowhere. Not part of the state.
    /// </summary>
    public ICollection<string>? Settled
    {
        get => _book.Settled;
        set
        {
            _book.Settled = value;
            _checkoutBook.Settled = value;
        }
    }

    /// <summary>Where it is said in words what people should look at (conflicts, disputes, suspense, refused refunds); null: nowhere. Not part of the state.</summary>
    public ICollection<string>? Alerts
    {
        get => _payments.Alerts;
        set => _payments.Alerts = value;
    }

    /// <summary>Where ids of transactions are added when they get stuck; null: nowhere. Not part of the state.</summary>
    public ICollection<string>? NewlyStuck
    {
        get => _book.NewlyStuck;
        set => _book.NewlyStuck = value;
    }

    /// <summary>Open transactions that wait for an operator.</summary>
    public int StuckTransactions => _book.Stuck;

    internal Ledger Ledger => _ledger;

    internal TransactionBook Book => _book;

    internal CheckoutBook Checkouts => _checkoutBook;

    private EventSink Sink { get; }

    /// <summary>Decides one command: appends its events to <paramref name="output"/> and applies them, or refuses and changes nothing.</summary>
    /// <param name="command">What is asked.</param>
    /// <param name="nowMs">The batch's time, unix milliseconds; never before the last batch's.</param>
    /// <param name="output">The batch's events.</param>
    public Answer Decide(Command command, long nowMs, EventBuffer output)
    {
        Begin(output, nowMs);
        if (command.Problem is { } problem)
        {
            return Answer.Refused(Code.Invalid, problem);
        }

        Answer answer = command switch
        {
            TryHold c => _try.Decide(c, nowMs),
            ConfirmHold c => _checkouts.KeepsHold(c) ?? _holds.Confirm(c, nowMs),
            CancelHold c => _checkouts.KeepsHold(c) ?? _holds.Cancel(c, nowMs),
            GetHold c => _holds.Get(c, nowMs),
            GetResource c => _resources.Get(c),
            AdjustSupply c => _resources.Adjust(c),
            ExtendHold c => _checkouts.KeepsHold(c) ?? _holds.Extend(c, nowMs),
            ReturnUnits c => _holds.Return(c),
            PutResource c => _resources.Put(c),
            AnswerCall c => _transactions.AnswerCall(c, nowMs),
            BeginTransaction c => _transactions.Begin(c, nowMs),
            RegisterBranch c => _transactions.Register(c, nowMs),
            DecideTransaction c => _transactions.Decide(c, nowMs),
            GetTransaction c => _transactions.Get(c, nowMs),
            ListTransactions c => _transactions.List(c),
            RetryTransaction c => _transactions.Retry(c, nowMs),
            ForceTransaction c => _transactions.Force(c, nowMs),
            TakeNotice c => _payments.Take(c, nowMs),
            AnswerPaymentCall c => _payments.AnswerCall(c, nowMs),
            BeginCheckout c => _checkouts.Begin(c, nowMs),
            GetCheckout c => _checkouts.Get(c, nowMs),
            CancelCheckout c => _checkouts.Cancel(c, nowMs),
            RefundCheckout c => _checkouts.Refund(c, nowMs),
            ListCheckouts c => _checkouts.List(c),
            ResolveCheckout c => _checkouts.Resolve(c, nowMs),
            SettleRefund c => _checkouts.Settle(c, nowMs),
            RetryCheckout c => _checkouts.Retry(c, nowMs),
            _ => throw new ArgumentException($"{command.GetType().Name} is not a command of this machine.", nameof(command)),
        };
        GC.KeepAlive(this);
        return answer;
    }

    /// <summary>
    /// Asks the processor to fetch what deciding this command will look up, so that the misses of several commands
    /// overlap. Changes nothing; worth it a few commands ahead of <see cref="Decide"/>.
    /// </summary>
    public void Prefetch(Command command)
    {
        _ledger.Holds.Prefetch(command.Id.Hash);
        if (command is TryHold { HasOwner: true, LineCount: > 0 } hold)
        {
            // The first line's account, as if its resource were the one that was held last: right in a flash sale.
            _ledger.Accounts.Prefetch(hold.Owner.Hash, _ledger.LastHeldResource);
        }

        GC.KeepAlive(this);
    }

    /// <summary>
    /// Answers a read without any event, for a space that can't write at the moment: a hold past its deadline that is not
    /// expired yet is told as held. Null when the command is not a read.
    /// </summary>
    public Answer? Read(Command command)
    {
        if (command.Problem is { } problem)
        {
            return Answer.Refused(Code.Invalid, problem);
        }

        Answer? answer = command switch
        {
            GetHold c => _holds.Peek(c),
            GetResource c => _resources.Get(c),
            GetTransaction c => _transactions.Peek(c),
            ListTransactions c => _transactions.List(c),
            GetCheckout c => _checkouts.Peek(c),
            ListCheckouts c => _checkouts.List(c),
            _ => null,
        };
        GC.KeepAlive(this);
        return answer;
    }

    /// <summary>
    /// Expires holds whose deadline has passed and forgets ids past their retention, at most
    /// <see cref="HoldOptions.MaxExpiriesPerBatch"/> of each. Runs before a batch's commands.
    /// </summary>
    /// <returns>True when the bound was reached, so that more may be due.</returns>
    public bool Tidy(long nowMs, EventBuffer output)
    {
        Begin(output, nowMs);

        // Before the holds' deadlines: a transaction or a checkout that is late releases its holds itself.
        bool more = _transactions.Tidy(nowMs);
        more |= _checkouts.Tidy(nowMs);
        int budget = Options.MaxExpiriesPerBatch;
        while (_ledger.Holds.NextDue(nowMs, ref budget) is int slot and >= 0)
        {
            Sink.Named(EventType.Expired, _ledger.Holds.IdOf(slot));
        }

        // Forgetting waits while deadlines are behind: giving stock back comes first.
        more |= budget <= 0 || Forget(nowMs);
        GC.KeepAlive(this);
        return more;
    }

    /// <summary>
    /// The next call to a participant that is due, or null. It must not be made before what was evolved so far is durable.
    /// Taking changes no state: after a restart it is due again. Nor may it be sent when it isn't <see cref="DueCall.IsAwaited"/> any more.
    /// </summary>
    public DueCall? TakeDueCall(long nowMs) => _book.Due.TakeCall(nowMs, _book.WatermarkMs);

    /// <summary>The next call to a payment provider that is due, or null. The same rules as for <see cref="TakeDueCall"/>.</summary>
    public PaymentCall? TakeDuePaymentCall(long nowMs) => _checkoutBook.Due.TakeCall(nowMs);

    /// <summary>Applies the events of a batch that a journal holds.</summary>
    /// <exception cref="InvalidDataException">The events don't fit the state: the journal is not one of this machine's.</exception>
    public void Evolve(ReadOnlySpan<byte> payload, int count, long timeMs)
    {
        var reader = new EventReader(payload);
        try
        {
            for (int i = 0; i < count; i++)
            {
                EventType type = reader.Next();
                if (type == EventType.Held)
                {
                    i += _ledger.ReplayHelds(ref reader, count - i, timeMs) - 1;
                }
                else if (TransactionEvent.Is(type))
                {
                    _book.Evolve(TransactionEvent.Read(type, ref reader), timeMs);
                }
                else if (CheckoutEvent.Is(type))
                {
                    _checkoutBook.Evolve(CheckoutEvent.Read(type, ref reader), timeMs);
                }
                else
                {
                    _ledger.Evolve(type, ref reader, timeMs);
                }
            }
        }
        catch (Exception e) when (e is IndexOutOfRangeException or ArgumentException or OverflowException)
        {
            // A length or a number that leads outside: to the caller it is the same as any event that doesn't fit.
            throw new InvalidDataException($"An event at byte {reader.Position} of a batch can't be read, or names what is not there.", e);
        }

        if (!reader.AtEnd)
        {
            throw new InvalidDataException("A batch is longer than its events.");
        }

        _ledger.LastTimeMs = timeMs;
        GC.KeepAlive(this);
    }

    /// <summary>Checks conservation and that every bucket is the sum of what the holds say. Walks everything; null when all is well.</summary>
    public string? FindImbalance()
    {
        string? imbalance = Conservation.FindImbalance(_ledger);
        GC.KeepAlive(this);
        return imbalance;
    }

    /// <summary>Writes the whole state. See <see cref="Snapshot"/> for the format.</summary>
    public void WriteSnapshot(Stream target)
    {
        Snapshot.Write(_ledger, _book, _checkoutBook, target);
        GC.KeepAlive(this);
    }

    /// <summary>
    /// Gives its memory back, and takes back the calls that it handed out. It may be asked for its counts and its digest, and
    /// for nothing else any more.
    /// </summary>
    public void Dispose()
    {
        _book.TakeBackCalls();
        _ledger.Dispose();
    }

    /// <summary>A machine with the state that a snapshot holds.</summary>
    public static SpaceMachine ReadSnapshot(Stream source, HoldOptions options, NameHasher hasher, TransactionOptions? transactions = null, CheckoutOptions? checkouts = null)
    {
        var machine = new SpaceMachine(options, hasher, transactions, checkouts);
        try
        {
            Snapshot.Read(machine._ledger, machine._book, machine._checkoutBook, source);
            return machine;
        }
        catch
        {
            machine.Dispose();
            throw;
        }
    }

    private void Begin(EventBuffer output, long nowMs)
    {
        Sink.Begin(output, nowMs);
        _transactionSink.Begin(output, nowMs);
        _checkoutSink.Begin(output, nowMs);
    }

    private bool Forget(long nowMs)
    {
        int max = Options.MaxExpiriesPerBatch;
        int count = 0;
        HoldTable holds = _ledger.Holds;
        for (int slot = holds.OldestFinished; slot >= 0 && count < max && holds[slot].TimeMs + Options.RetentionMs < nowMs; slot = holds[slot].Next)
        {
            count++;
        }

        if (count > 0)
        {
            Sink.Forgotten(EventType.HoldsForgotten, count);
        }

        int adjustments = 0;
        foreach ((long time, _, _) in _ledger.KnownAdjustments)
        {
            if (time + Options.AdjustmentRetentionMs >= nowMs || adjustments == max)
            {
                break;
            }

            adjustments++;
        }

        if (adjustments > 0)
        {
            Sink.Forgotten(EventType.AdjustmentsForgotten, adjustments);
        }

        return count == max || adjustments == max;
    }
}

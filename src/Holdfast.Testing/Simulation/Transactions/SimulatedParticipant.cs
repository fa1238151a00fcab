using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>What kind of branch it is; with it goes what each of its calls does.</summary>
internal enum BranchKind
{
    Tcc,
    SagaStep,
    Delivery,
    Hold,
}

/// <summary>
/// A participant's durable books and barrier, as a small model of the rules that the real barrier keeps. It notes every
/// time that its business ran.
/// </summary>
internal sealed class SimulatedParticipant(long supply, TransactionFault fault)
{
    private readonly long _supply = supply;
    private readonly Dictionary<string, Rows> _barrier = new(StringComparer.Ordinal);

    public long Available { get; private set; } = supply;

    public long Frozen { get; private set; }

    public long Spent { get; private set; }

    public long Given { get; private set; }

    /// <summary>Business that ran, in order: "transaction/branch op".</summary>
    public List<string> Ran { get; } = [];

    public string? FindImbalance() =>
        Available + Frozen + Spent == _supply + Given && Available >= 0 && Frozen >= 0
            ? null
            : $"a participant's books don't balance: available {Available}, frozen {Frozen}, spent {Spent}, given {Given}, supply {_supply}";

    public CallOutcome Handle(string branch, BranchKind kind, CallOp op, long amount)
    {
        if (!_barrier.TryGetValue(branch, out Rows? rows))
        {
            _barrier[branch] = rows = new Rows();
        }

        return op switch
        {
            CallOp.Try => Try(branch, rows, kind, amount),
            CallOp.Confirm => Confirm(branch, rows, kind, amount),
            CallOp.Cancel => Cancel(branch, rows, kind, amount),
            _ => Check(rows),
        };
    }

    /// <summary>The local work of a message's sender, with its marker.</summary>
    public bool DoLocalWork(string branch)
    {
        if (!_barrier.TryGetValue(branch, out Rows? rows))
        {
            _barrier[branch] = rows = new Rows();
        }

        if (rows.Try == CallOp.Cancel)
        {
            return false; // E74: it was asked before
        }

        if (rows.Try is null)
        {
            rows.Try = CallOp.Try;
            Ran.Add(branch + " Local");
        }

        return true;
    }

    private CallOutcome Try(string branch, Rows rows, BranchKind kind, long amount)
    {
        // The duplicate before the balance: a repeat succeeds though the stock fell (E67).
        if (rows.Try == CallOp.Try && fault != TransactionFault.NoDedupe)
        {
            return CallOutcome.Done;
        }

        if (rows.Try == CallOp.Cancel && fault != TransactionFault.NoSuspension)
        {
            return CallOutcome.Refused;
        }

        if (Available < amount)
        {
            return CallOutcome.Refused;
        }

        rows.Try = CallOp.Try;
        Available -= amount;
        Frozen += kind == BranchKind.Tcc ? amount : 0;
        Spent += kind == BranchKind.Tcc ? 0 : amount;
        Ran.Add(branch + " Try");
        return CallOutcome.Done;
    }

    private CallOutcome Confirm(string branch, Rows rows, BranchKind kind, long amount)
    {
        if (rows.Confirmed && fault != TransactionFault.NoDedupe)
        {
            return CallOutcome.Done;
        }

        if (kind == BranchKind.Tcc && (rows.Try != CallOp.Try || rows.Cancelled))
        {
            return CallOutcome.Refused;
        }

        rows.Confirmed = true;
        if (kind == BranchKind.Tcc)
        {
            Frozen -= amount;
            Spent += amount;
        }
        else
        {
            Available += amount;
            Given += amount;
        }

        Ran.Add(branch + " Confirm");
        return CallOutcome.Done;
    }

    private CallOutcome Cancel(string branch, Rows rows, BranchKind kind, long amount)
    {
        if (rows.Try is null && fault != TransactionFault.EmptyRollbackRuns)
        {
            if (fault != TransactionFault.EmptyRollbackUnmarked)
            {
                rows.Try = CallOp.Cancel;
            }

            return CallOutcome.Done;
        }

        if (rows.Try == CallOp.Cancel || (rows.Cancelled && fault != TransactionFault.NoDedupe))
        {
            return CallOutcome.Done;
        }

        if (rows.Confirmed)
        {
            return CallOutcome.Refused;
        }

        rows.Cancelled = true;
        Available += amount;
        Frozen -= kind == BranchKind.Tcc ? amount : 0;
        Spent -= kind == BranchKind.Tcc ? 0 : amount;
        Ran.Add(branch + " Cancel");
        return CallOutcome.Done;
    }

    private static CallOutcome Check(Rows rows)
    {
        rows.Try ??= CallOp.Cancel;
        return rows.Try == CallOp.Try ? CallOutcome.Done : CallOutcome.Refused;
    }

    private sealed class Rows
    {
        /// <summary>Who wrote the try's row: the try, or a cancel that came first.</summary>
        public CallOp? Try { get; set; }

        public bool Confirmed { get; set; }

        public bool Cancelled { get; set; }
    }
}

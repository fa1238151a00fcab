using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>What happened to a transaction, as the journal has it. Names the transaction by its id, so that each event can be read by itself.</summary>
/// <param name="Transaction">The transaction's id.</param>
public abstract record TransactionEvent(string Transaction)
{
    /// <summary>Whether events of this type are transactions'.</summary>
    public static bool Is(EventType type) => type is >= EventType.TransactionBegun and <= EventType.TransactionCompleted;

    /// <summary>Reads the event behind its type.</summary>
    public static TransactionEvent Read(EventType type, ref EventReader reader)
    {
        if (type == EventType.TransactionsForgotten)
        {
            return new TransactionsForgottenEvent(checked((int)reader.VarUInt()));
        }

        string id = reader.String();
        return type switch
        {
            EventType.TransactionBegun => Begun(id, ref reader),
            EventType.BranchRegistered => new BranchRegisteredEvent(id, BranchCodec.Read(ref reader)),
            EventType.CallAnswered => new CallAnsweredEvent(
                id, Index(ref reader), (CallOp)reader.Byte(), (CallOutcome)reader.Byte(), reader.StringOrNull(), reader.VarLong()),
            EventType.TransactionDecided => new TransactionDecidedEvent(id, reader.Flags(1) != 0, reader.StringOrNull(), reader.StringOrNull()),
            EventType.TransactionEnded => new TransactionEndedEvent(id),
            EventType.TransactionCompleted => new TransactionCompletedEvent(id),
            EventType.CallRetried => new CallRetriedEvent(id, Index(ref reader)),
            EventType.CallForced => new CallForcedEvent(id, Index(ref reader), reader.String()),
            _ => throw new InvalidDataException($"Event type {(int)type} is not a transaction's."),
        };
    }

    private static TransactionBegunEvent Begun(string id, ref EventReader reader)
    {
        UInt128 fingerprint = BinaryPrimitives.ReadUInt128LittleEndian(reader.Text());
        string? trace = reader.StringOrNull();
        long deadline = reader.VarLong();
        byte flags = reader.Flags(3);
        long timeout = reader.VarLong();
        CallSpec? checkBack = (flags & 2) != 0 ? BranchCodec.ReadCall(ref reader) : null;
        var branches = new EncodedBranch[checked((int)reader.VarUInt())];
        for (int i = 0; i < branches.Length; i++)
        {
            branches[i] = BranchCodec.Read(ref reader);
        }

        return new TransactionBegunEvent(id, fingerprint, trace, deadline, (flags & 1) != 0, timeout, checkBack, branches);
    }

    private static int Index(ref EventReader reader) => checked((int)reader.VarUInt()) - 1;
}

/// <summary>A branch as it was given. <paramref name="AfterPrevious"/>: it comes after the one before it, since nothing else was said.</summary>
public readonly record struct EncodedBranch(BranchSpec Spec, bool AfterPrevious);

/// <summary>A transaction began.</summary>
public sealed record TransactionBegunEvent(
    string Transaction,
    UInt128 Fingerprint,
    string? Trace,
    long DeadlineMs,
    bool CallerDriven,
    long TimeoutMs,
    CallSpec? CheckBack,
    IReadOnlyList<EncodedBranch> Branches) : TransactionEvent(Transaction);

/// <summary>The caller registered a branch.</summary>
public sealed record BranchRegisteredEvent(string Transaction, EncodedBranch Branch) : TransactionEvent(Transaction);

/// <summary>A call was answered, or not in time; for a built-in hold: it was decided.</summary>
/// <param name="Transaction">Whose.</param>
/// <param name="Branch">Index of the branch; -1: the check-back.</param>
/// <param name="Op">What was asked.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Text">The answer in words.</param>
/// <param name="DueMs">When it is asked again, unix milliseconds; 0: not by itself.</param>
public sealed record CallAnsweredEvent(
    string Transaction, int Branch, CallOp Op, CallOutcome Outcome, string? Text, long DueMs) : TransactionEvent(Transaction);

/// <summary>It will commit, or abort and why.</summary>
public sealed record TransactionDecidedEvent(string Transaction, bool Commit, string? Code, string? Text) : TransactionEvent(Transaction);

/// <summary>All its branches are confirmed, or cancelled.</summary>
public sealed record TransactionEndedEvent(string Transaction) : TransactionEvent(Transaction);

/// <summary>All its branches are built-in holds, which were made and consumed with it.</summary>
public sealed record TransactionCompletedEvent(string Transaction) : TransactionEvent(Transaction);

/// <summary>An operator has a call made again; branch -1 is the check-back.</summary>
public sealed record CallRetriedEvent(string Transaction, int Branch) : TransactionEvent(Transaction);

/// <summary>An operator took a branch as done.</summary>
public sealed record CallForcedEvent(string Transaction, int Branch, string Reason) : TransactionEvent(Transaction);

/// <summary>Those that ended longest ago left memory.</summary>
public sealed record TransactionsForgottenEvent(int Count) : TransactionEvent("");

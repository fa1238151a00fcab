using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>The transactions' part of a snapshot: the numbers, ended ones in the order they ended, then open ones in the order they began.</summary>
internal static class TransactionSnapshot
{
    public static void Write(TransactionBook book, EventBuffer output, Action flush)
    {
        output.VarUInt((ulong)book.NextNumber);
        output.VarUInt((ulong)book.LowestOpen);
        output.VarUInt((ulong)book.LowestKnown);
        output.VarUInt((ulong)book.Count);
        foreach (Transaction transaction in book.Ended.Concat(book.OpenOnes))
        {
            Write(output, transaction);
            flush();
        }
    }

    public static (long NextNumber, ulong Count) ReadHeader(ref EventReader reader)
    {
        long next = reader.VarLong();
        reader.VarLong(); // lowest open and lowest known: they follow from what is read
        reader.VarLong();
        return (next, reader.VarUInt());
    }

    public static Transaction Read(ref EventReader reader)
    {
        long number = reader.VarLong();
        string id = reader.String();
        UInt128 fingerprint = BinaryPrimitives.ReadUInt128LittleEndian(reader.Text());
        string? trace = reader.StringOrNull();
        byte flags = reader.Flags(3);
        var transaction = new Transaction
        {
            Number = number,
            Id = id,
            Fingerprint = fingerprint,
            Trace = trace,
            CallerDriven = (flags & 1) != 0,
            CreatedAtMs = reader.VarLong(),
            DeadlineMs = reader.VarLong(),
            EndedAtMs = reader.VarLong(),
            State = (TransactionState)reader.Byte(),
        };
        transaction.ReasonCode = reader.StringOrNull();
        transaction.ReasonText = reader.StringOrNull();
        transaction.CheckBack = (flags & 2) != 0 ? BranchCodec.ReadCall(ref reader) : null;
        ReadProgress(transaction.Check, ref reader);
        int branches = (int)reader.VarUInt();
        for (int i = 0; i < branches; i++)
        {
            transaction.Branches.Add(ReadBranch(transaction, ref reader));
        }

        return transaction;
    }

    private static void Write(EventBuffer output, Transaction transaction)
    {
        output.VarUInt((ulong)transaction.Number);
        output.Text(transaction.Id);
        Span<byte> fingerprint = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(fingerprint, transaction.Fingerprint);
        output.Text(fingerprint);
        output.Text(transaction.Trace);
        output.Byte((byte)((transaction.CallerDriven ? 1 : 0) | (transaction.CheckBack is null ? 0 : 2)));
        output.VarUInt((ulong)transaction.CreatedAtMs);
        output.VarUInt((ulong)transaction.DeadlineMs);
        output.VarUInt((ulong)transaction.EndedAtMs);
        output.Byte((byte)transaction.State);
        output.Text(transaction.ReasonCode);
        output.Text(transaction.ReasonText);
        BranchCodec.WriteCall(output, transaction.CheckBack);
        WriteProgress(output, transaction.Check);
        output.VarUInt((ulong)transaction.Branches.Count);
        foreach (Branch branch in transaction.Branches)
        {
            BranchCodec.Write(output, branch.Spec, afterPrevious: false);
            output.Byte((byte)((byte)branch.State | (branch.HoldId is null ? 0 : 0x80)));
            output.VarUInt((ulong)branch.After.Length);
            foreach (int index in branch.After)
            {
                output.VarUInt((ulong)index);
            }

            WriteProgress(output, branch.Progress);
        }
    }

    private static Branch ReadBranch(Transaction transaction, ref EventReader reader)
    {
        BranchSpec spec = BranchCodec.Read(ref reader).Spec;
        byte state = reader.Byte();
        int[] after = new int[(int)reader.VarUInt()];
        for (int i = 0; i < after.Length; i++)
        {
            after[i] = (int)reader.VarUInt();
        }

        var branch = new Branch(spec, after)
        {
            State = (BranchState)(state & 0x7F),
            HoldId = (state & 0x80) != 0 ? transaction.Id + ":" + spec.Name : null,
        };
        ReadProgress(branch.Progress, ref reader);
        return branch;
    }

    internal static void WriteProgress(EventBuffer output, CallProgress progress)
    {
        output.VarUInt((ulong)progress.Attempts);
        output.VarUInt((ulong)progress.Failures);
        output.VarUInt((ulong)progress.NextAtMs);
        output.Byte(progress.IsStuck ? (byte)1 : (byte)0);
        output.Text(progress.LastAnswer);
    }

    internal static void ReadProgress(CallProgress progress, ref EventReader reader)
    {
        progress.Attempts = (int)reader.VarUInt();
        progress.Failures = (int)reader.VarUInt();
        progress.NextAtMs = reader.VarLong();
        progress.IsStuck = reader.Flags(1) != 0;
        progress.LastAnswer = reader.StringOrNull();
    }
}

using System.Buffers.Binary;
using System.Text;

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
        foreach (long number in book.Ended)
        {
            Write(output, book.Find(number)!);
            flush();
        }

        for (long number = book.LowestOpen; number < book.NextNumber; number++)
        {
            if (book.Find(number) is { IsOpen: true } open)
            {
                Write(output, open);
                flush();
            }
        }
    }

    public static ulong ReadHeader(TransactionBook book, ref EventReader reader)
    {
        book.RestoreNumbers(reader.VarLong(), reader.VarLong(), reader.VarLong());
        return reader.VarUInt();
    }

    public static void Read(TransactionBook book, ref EventReader reader)
    {
        long number = reader.VarLong();
        string id = Text(ref reader);
        UInt128 fingerprint = BinaryPrimitives.ReadUInt128LittleEndian(reader.Text());
        string trace = Text(ref reader);
        byte flags = reader.Flags(3);
        var transaction = new Transaction
        {
            Number = number,
            Id = id,
            Fingerprint = fingerprint,
            Trace = trace.Length == 0 ? null : trace,
            CallerDriven = (flags & 1) != 0,
            CreatedAtMs = reader.VarLong(),
            DeadlineMs = reader.VarLong(),
            EndedAtMs = reader.VarLong(),
            State = (TransactionState)reader.Byte(),
        };
        transaction.ReasonCode = TextOrNull(ref reader);
        transaction.ReasonText = TextOrNull(ref reader);
        transaction.CheckBack = (flags & 2) != 0 ? BranchCodec.ReadCall(ref reader) : null;
        ReadProgress(transaction.Check, ref reader);
        int branches = (int)reader.VarUInt();
        for (int i = 0; i < branches; i++)
        {
            transaction.Branches.Add(ReadBranch(transaction, ref reader));
        }

        book.Restore(transaction);
    }

    private static void Write(EventBuffer output, Transaction transaction)
    {
        output.VarUInt((ulong)transaction.Number);
        Words(output, transaction.Id);
        Span<byte> fingerprint = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(fingerprint, transaction.Fingerprint);
        output.Text(fingerprint);
        Words(output, transaction.Trace);
        output.Byte((byte)((transaction.CallerDriven ? 1 : 0) | (transaction.CheckBack is null ? 0 : 2)));
        output.VarUInt((ulong)transaction.CreatedAtMs);
        output.VarUInt((ulong)transaction.DeadlineMs);
        output.VarUInt((ulong)transaction.EndedAtMs);
        output.Byte((byte)transaction.State);
        Words(output, transaction.ReasonCode);
        Words(output, transaction.ReasonText);
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

    private static void WriteProgress(EventBuffer output, CallProgress progress)
    {
        output.VarUInt((ulong)progress.Attempts);
        output.VarUInt((ulong)progress.Failures);
        output.VarUInt((ulong)progress.NextAtMs);
        output.Byte(progress.IsStuck ? (byte)1 : (byte)0);
        Words(output, progress.LastAnswer);
    }

    private static void ReadProgress(CallProgress progress, ref EventReader reader)
    {
        progress.Attempts = (int)reader.VarUInt();
        progress.Failures = (int)reader.VarUInt();
        progress.NextAtMs = reader.VarLong();
        progress.IsStuck = reader.Flags(1) != 0;
        progress.LastAnswer = TextOrNull(ref reader);
    }

    private static void Words(EventBuffer output, string? text) => output.Text(Encoding.UTF8.GetBytes(text ?? ""));

    private static string Text(ref EventReader reader) => Encoding.UTF8.GetString(reader.Text());

    private static string? TextOrNull(ref EventReader reader) => Text(ref reader) is { Length: > 0 } text ? text : null;
}

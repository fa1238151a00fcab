using System.Buffers.Binary;

namespace Holdfast.Kernel;

/// <summary>Writes a transaction's events into the batch and evolves the book by the very bytes that were written.</summary>
internal sealed class TransactionSink(TransactionBook book)
{
    private EventBuffer _output = null!;
    private long _nowMs;

    public void Begin(EventBuffer output, long nowMs) => (_output, _nowMs) = (output, nowMs);

    public void Begun(BeginTransaction command, long deadlineMs)
    {
        int start = Open(EventType.TransactionBegun, command.Encoded.Length + 512);
        _output.Text(command.IdBytes);
        Span<byte> fingerprint = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(fingerprint, command.Fingerprint);
        _output.Text(fingerprint);
        _output.Text(command.Trace);
        _output.VarUInt((ulong)deadlineMs);
        _output.Raw(command.Encoded);
        Apply(start);
    }

    public void Registered(Transaction transaction, RegisterBranch command)
    {
        int start = Open(EventType.BranchRegistered, command.Encoded.Length + 16);
        _output.Text(transaction.Id);
        _output.Raw(command.Encoded);
        Apply(start);
    }

    /// <param name="transaction">Whose.</param>
    /// <param name="branch">Index of the branch; -1: the check-back.</param>
    /// <param name="op">What was asked.</param>
    /// <param name="outcome">What came of it.</param>
    /// <param name="text">The answer in words.</param>
    /// <param name="dueMs">When it is asked again, unix milliseconds; 0: not by itself.</param>
    public void Answered(Transaction transaction, int branch, CallOp op, CallOutcome outcome, string text, long dueMs)
    {
        int start = Open(EventType.CallAnswered, 32);
        _output.Text(transaction.Id);
        _output.VarUInt((ulong)(branch + 1));
        _output.Byte((byte)op);
        _output.Byte((byte)outcome);
        _output.Text(text);
        _output.VarUInt((ulong)dueMs);
        Apply(start);
    }

    public void Decided(Transaction transaction, bool commit, string? code = null, string? text = null)
    {
        int start = Open(EventType.TransactionDecided, 32);
        _output.Text(transaction.Id);
        _output.Byte(commit ? (byte)1 : (byte)0);
        _output.Text(code);
        _output.Text(text);
        Apply(start);
    }

    public void Completed(Transaction transaction) => Named(EventType.TransactionCompleted, transaction);

    public void Ended(Transaction transaction) => Named(EventType.TransactionEnded, transaction);

    private void Named(EventType type, Transaction transaction)
    {
        int start = Open(type, 16);
        _output.Text(transaction.Id);
        Apply(start);
    }

    public void Retried(Transaction transaction, int branch)
    {
        int start = Open(EventType.CallRetried, 16);
        _output.Text(transaction.Id);
        _output.VarUInt((ulong)(branch + 1));
        Apply(start);
    }

    public void Forced(Transaction transaction, int branch, string reason)
    {
        int start = Open(EventType.CallForced, 32);
        _output.Text(transaction.Id);
        _output.VarUInt((ulong)(branch + 1));
        _output.Text(reason);
        Apply(start);
    }

    public void Forgotten(int count)
    {
        int start = Open(EventType.TransactionsForgotten, 16);
        _output.VarUInt((ulong)count);
        Apply(start);
    }

    private int Open(EventType type, int room) => _output.Begin(type, room);

    private void Apply(int start)
    {
        var reader = new EventReader(_output.End(start));
        book.Evolve(TransactionEvent.Read(reader.Next(), ref reader), _nowMs);
    }
}

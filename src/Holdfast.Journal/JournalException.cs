namespace Holdfast.Journal;

/// <summary>What is known after a failed append.</summary>
public enum JournalFault
{
    /// <summary>Nothing was written; the same append may be tried again later (I/O error, storage not reachable).</summary>
    NotWritten,

    /// <summary>Nothing was written, and nothing can be for now: storage is full, or read-only. It may still be read.</summary>
    Unwritable,

    /// <summary>Nothing of ours was written: another writer holds that sequence. Reload the tail, or stop.</summary>
    Conflict,

    /// <summary>The frame may or may not be durable (connection lost inside the commit). Reload the tail to learn which.</summary>
    Unknown,

    /// <summary>There is nothing to read: a place for a journal, but none was ever opened there.</summary>
    NoJournal,
}

/// <summary>An append, read or open that storage did not carry out.</summary>
public sealed class JournalException(JournalFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What is known of the outcome.</summary>
    public JournalFault Fault { get; } = fault;
}

/// <summary>Stored bytes are not what was written. <see cref="Sequence"/> names the first bad record.</summary>
public sealed class JournalCorruptException(long sequence, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The first bad sequence.</summary>
    public long Sequence { get; } = sequence;
}

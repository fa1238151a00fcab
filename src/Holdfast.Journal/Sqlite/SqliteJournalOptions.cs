namespace Holdfast.Journal.Sqlite;

/// <summary>Settings of SQLite journals. The defaults are what the measurements in docs/decisions chose.</summary>
public sealed record SqliteJournalOptions
{
    /// <summary>Page size of a new file, bytes: a power of two from 512 to 65,536. Existing files keep theirs.</summary>
    public int PageSizeBytes { get; init; } = 16384;

    /// <summary>After so many bytes of new log a background pass copies them into the database file.</summary>
    public long CheckpointEveryBytes { get; init; } = 8L << 20;

    /// <summary>The log (the file ending in "-wal") is begun anew once it holds so many bytes. It may pass this while a
    /// pass is behind, but not <see cref="WalBytesMax"/>.</summary>
    public long WalResetBytes { get; init; } = 64L << 20;

    /// <summary>Past this size the writer itself waits for the checkpoint: the bound that holds even when the disk can't
    /// keep up. One append may go over it by its own size.</summary>
    public long WalBytesMax { get; init; } = 256L << 20;

    /// <summary>How long an append waits for another process's write lock, milliseconds.</summary>
    public int BusyTimeoutMs { get; init; } = 5000;

    /// <summary>Page cache of the writing connection, KiB.</summary>
    public int CacheKib { get; init; } = 8192;
}

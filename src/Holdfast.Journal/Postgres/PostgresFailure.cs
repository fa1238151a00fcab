using System.Net.Sockets;
using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>What an exception tells of an operation's outcome.</summary>
internal static class PostgresFailure
{
    /// <summary>True for what a server, its connection or the way there can throw.</summary>
    public static bool IsStorage(Exception e) => e is NpgsqlException or IOException or SocketException or TimeoutException;

    /// <summary>After the statement was (perhaps) sent.</summary>
    /// <remarks>
    /// A plain ERROR is the server's word that the statement was rolled back. FATAL and PANIC end the session at whatever
    /// point it had reached, the commit included, and a lost connection or a timeout tells nothing at all.
    /// </remarks>
    public static JournalFault OfExecution(Exception e) => e switch
    {
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } => JournalFault.Conflict,
        _ when IsUnwritable(e) => JournalFault.Unwritable,
        PostgresException { InvariantSeverity: "ERROR" } => JournalFault.NotWritten,
        _ => JournalFault.Unknown,
    };

    /// <summary>For everything but an append: nothing of the journal changed, or repeating is harmless.</summary>
    public static JournalException Other(string what, Exception e) =>
        new(IsUnwritable(e) ? JournalFault.Unwritable : JournalFault.NotWritten, $"{what}: {e.Message}", e);

    /// <summary>A full disk, or a server that only reads: a standby, above all the one that was the primary.</summary>
    private static bool IsUnwritable(Exception e) => e is PostgresException
    {
        InvariantSeverity: "ERROR",
        SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.ReadOnlySqlTransaction,
    };
}

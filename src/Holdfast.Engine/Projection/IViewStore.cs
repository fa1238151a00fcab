using System.Data.Common;
using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>
/// One space's views in a SQL database: rows, and the position up to which they tell the journal's story. Written by one
/// projector; a second one is refused by the position.
/// </summary>
internal interface IViewStore : IAsyncDisposable
{
    /// <summary>Whether rows of several spaces share the tables.</summary>
    bool HasSpaceColumn { get; }

    /// <summary>Creates what is missing and returns the stored position; null: these views never began.</summary>
    Task<ViewPosition?> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Empties the views and, in the same transaction, begins them anew: from nothing, or from a machine's
    /// state right after the position.</summary>
    Task BeginAsync(SpaceMachine? machine, ViewPosition position, CancellationToken cancellationToken);

    /// <summary>Reads the rows that the chunk names, lets it apply its events, writes the rows and the new position: one transaction.</summary>
    /// <exception cref="ViewPositionException">The stored position isn't where the chunk begins.</exception>
    Task ApplyAsync(ViewChunk chunk, ViewPosition after, CancellationToken cancellationToken);

    /// <summary>Reads in one transaction, so that several selects see one state.</summary>
    Task<T> ReadAsync<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken);
}

/// <summary>Somebody else moved the position.</summary>
internal sealed class ViewPositionException(long expected, long? found)
    : Exception($"The views are at {found?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "nothing"}, not at {expected}: another server projects this space too.");

/// <summary>How far views are: the last frame that they show, and its hash, by which they know their journal again.</summary>
/// <param name="Sequence">The frame's sequence; 0: none yet.</param>
/// <param name="Hash">Its SHA-256; empty: not known.</param>
internal sealed record ViewPosition(long Sequence, ReadOnlyMemory<byte> Hash)
{
    public static readonly ViewPosition Start = new(0, default);
}

using System.Data.Common;
using System.Globalization;
using Holdfast.Engine.Projection;
using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>
/// Lists over one space's views. The views follow the journal by some milliseconds (more during a sale, when they give
/// way to it): for the truth about one hold or resource ask the space itself, or await <see cref="CatchUpAsync"/> first.
/// Every list is bounded: 100 items unless said otherwise, at most 1,000.
/// </summary>
public sealed class SpaceViews
{
    /// <summary>Items of a page when no limit is given.</summary>
    public const int DefaultLimit = 100;

    /// <summary>Most items of a page.</summary>
    public const int MaxLimit = 1_000;

    private const int MaxConcurrentQueries = 4;
    private static readonly TimeSpan SetUpMax = TimeSpan.FromSeconds(2);

    private readonly Space _space;
    private readonly IViewStore _store;
    private readonly ViewQueries _queries;
    private readonly SemaphoreSlim _queryGate = new(MaxConcurrentQueries);

    internal SpaceViews(Space space, IViewStore store, ViewProgress progress)
    {
        _space = space;
        _store = store;
        Progress = progress;
        _queries = new ViewQueries(space.Name, store.HasSpaceColumn);
    }

    /// <summary>The space.</summary>
    public string SpaceName => _space.Name;

    /// <summary>How far the views are, and what is wrong when they don't move.</summary>
    public ViewProgress Progress { get; }

    /// <summary>Lists holds in the order in which they were made (tombstones: cancelled), by keyset: <c>after</c> is the last one's number.</summary>
    /// <exception cref="ViewQueryException">The query is not valid.</exception>
    /// <exception cref="ViewsUnavailableException">The view database can't be read.</exception>
    public Task<ViewPage<ListedHold>> ListHoldsAsync(HoldQuery query, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        int limit = Limit(query.Limit);
        long? after = query.After is null ? null : Cursor(query.After);
        return ReadAsync((c, t) => _queries.Holds(c, t, query, after, limit), cancellationToken);
    }

    /// <summary>Lists what happened to a resource, oldest first; <c>after</c> is the last one's sequence and ordinal.
    /// An unknown resource has no movements.</summary>
    /// <exception cref="ViewQueryException">The query is not valid.</exception>
    /// <exception cref="ViewsUnavailableException">The view database can't be read.</exception>
    public Task<ViewPage<Movement>> ListMovementsAsync(string resource, string? after = null, int? limit = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resource);
        int most = Limit(limit);
        (long sequence, long ordinal) = after is null ? (0, -1) : MovementCursor(after);
        return ReadAsync((c, t) => _queries.Movements(c, t, resource, sequence, ordinal, most), cancellationToken);
    }

    /// <summary>Lists resources by id, in the order of its bytes; <c>after</c> is the last one's id.</summary>
    /// <exception cref="ViewQueryException">The query is not valid.</exception>
    /// <exception cref="ViewsUnavailableException">The view database can't be read.</exception>
    public Task<ViewPage<ResourceView>> ListResourcesAsync(string? prefix = null, string? after = null, int? limit = null, CancellationToken cancellationToken = default)
    {
        int most = Limit(limit);
        return ReadAsync((c, t) => _queries.Resources(c, t, prefix, after, most), cancellationToken);
    }

    /// <summary>The newest live holds on a resource that together hold at least <paramref name="deficit"/> units (E42): whom
    /// to tell when stock is gone that was promised. A deficit of 0 or less puts nobody at risk.</summary>
    /// <exception cref="ViewsUnavailableException">The view database can't be read.</exception>
    public Task<HoldsAtRisk> HoldsAtRiskAsync(string resource, long deficit, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return ReadAsync((c, t) => _queries.AtRisk(c, t, resource, deficit), cancellationToken);
    }

    /// <summary>Waits until the views have passed a sequence. False when they hadn't after <paramref name="timeout"/>.</summary>
    public Task<bool> WaitForAsync(long sequence, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        Progress.WaitForAsync(sequence, timeout, cancellationToken);

    /// <summary>Waits until the views show everything that was answered before this call: read your own writes.</summary>
    public Task<bool> CatchUpAsync(TimeSpan timeout, CancellationToken cancellationToken = default) =>
        WaitForAsync(_space.Durable.Sequence, timeout, cancellationToken);

    private async Task<T> ReadAsync<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken)
    {
        await CallersContext.LeaveAsync();
        await _queryGate.WaitAsync(cancellationToken);
        try
        {
            await BecomeReadableAsync(cancellationToken);
            return await _store.ReadAsync(read, cancellationToken);
        }
        catch (DbException e)
        {
            throw new ViewsUnavailableException("The views can't be read: " + e.Message, e);
        }
        finally
        {
            _queryGate.Release();
        }
    }

    /// <summary>Just after a start the views may still be another journal's, or a part: an older copy was put back, say, or they were removed.</summary>
    private async Task BecomeReadableAsync(CancellationToken cancellationToken)
    {
        if (Progress.IsSetUp)
        {
            return;
        }

        await Progress.SetUpTriedAsync(SetUpMax, cancellationToken);
        if (!Progress.IsSetUp)
        {
            throw new ViewsUnavailableException(
                $"The views are not set up yet: ask again in a moment. {Progress.Position} of {_space.Durable.Sequence} batches are in them. {Progress.Trouble}".TrimEnd());
        }
    }

    private static int Limit(int? limit) => limit switch
    {
        null => DefaultLimit,
        < 1 or > MaxLimit => throw new ViewQueryException("limit must be from 1 to 1000"),
        _ => limit.Value,
    };

    private static long Cursor(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw new ViewQueryException("after is not a cursor: give the one that the page before told");

    private static (long Sequence, long Ordinal) MovementCursor(string text)
    {
        string[] parts = text.Split('-');
        return parts.Length == 2
            ? (Cursor(parts[0]), Cursor(parts[1]))
            : throw new ViewQueryException("after is not a cursor: give the one that the page before told");
    }
}

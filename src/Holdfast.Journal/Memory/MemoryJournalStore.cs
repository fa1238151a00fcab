namespace Holdfast.Journal.Memory;

/// <summary>Journals in memory. What is appended lives as long as this store, whoever disposes the journals.</summary>
public sealed class MemoryJournalStore : IJournalStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, MemoryLog> _logs = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>([.. _logs.Where(l => l.Value.Exists).Select(l => l.Key)]);
        }
    }

    /// <inheritdoc/>
    public IJournal Get(string space) => new MemoryJournal(LogOf(SpaceName.Checked(space)));

    /// <summary>Keeps everything, so that a second store-user can go on: memory is given back when the store is collected.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal MemoryLog LogOf(string space)
    {
        lock (_gate)
        {
            if (!_logs.TryGetValue(space, out MemoryLog? log))
            {
                _logs.Add(space, log = new MemoryLog());
            }

            return log;
        }
    }
}

using Holdfast.Journal.Memory;

namespace Holdfast.Journal.Tests;

public sealed class MemoryJournalTests : JournalConformance
{
    private readonly MemoryJournalStore _store = new();

    protected override ValueTask<IJournalStore> CreateStoreAsync() => ValueTask.FromResult<IJournalStore>(_store);

    protected override Task OverwriteAsync(string space, long sequence, byte[] bytes)
    {
        _store.LogOf(space).Overwrite(sequence, bytes);
        return Task.CompletedTask;
    }

    protected override Task FlipSnapshotAsync(string space, long sequence)
    {
        _store.LogOf(space).NewestSnapshot()!.Value.Bytes[0] ^= 1;
        return Task.CompletedTask;
    }
}

using Holdfast.Engine;
using Holdfast.Journal;

namespace Holdfast.Cli.Verify;

/// <summary>Verifies every space of a storage place.</summary>
internal static class StoreVerification
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(2);

    /// <summary>Verifies the spaces one after the other.</summary>
    /// <returns>A report for each, in ordinal order; empty when there is none.</returns>
    /// <exception cref="JournalException">The place can't be read.</exception>
    public static async IAsyncEnumerable<(string Space, VerificationReport Report)> VerifyAsync(IJournalStore store, Action<string>? progress = null)
    {
        foreach (string space in await store.ListSpacesAsync(CancellationToken.None))
        {
            await using var journal = new WatchedJournal(store.Get(space));
            Task<VerificationReport> verification = Task.Run(() => SpaceVerifier.VerifyAsync(journal));
            while (await Task.WhenAny(verification, Task.Delay(ProgressEvery)) != verification)
            {
                progress?.Invoke($"{space}: {journal.Frames} frames, {journal.Bytes / (1024 * 1024)} MiB read");
            }

            yield return (space, await verification);
        }
    }
}

using System.Data.Common;
using Holdfast.Engine;
using Holdfast.Journal;

namespace Holdfast.Cli.Verify;

/// <summary>Verifies every space of a storage place.</summary>
internal static class StoreVerification
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(2);

    /// <summary>Verifies the spaces one after the other; one that can't be read keeps nobody from the others.</summary>
    /// <returns>A report for each, in ordinal order; empty when there is none.</returns>
    /// <exception cref="JournalException">The spaces can't be listed.</exception>
    public static async IAsyncEnumerable<(string Space, VerificationReport Report)> VerifyAsync(IJournalStore store, Action<string>? progress = null)
    {
        foreach (string space in await store.ListSpacesAsync(CancellationToken.None))
        {
            await using var journal = new WatchedJournal(store.Get(space));
            Task<VerificationReport> verification = Task.Run(() => VerifyAsync(space, journal));
            while (await Task.WhenAny(verification, Task.Delay(ProgressEvery)) != verification)
            {
                progress?.Invoke($"{space}: {journal.Frames} frames, {journal.Bytes / (1024 * 1024)} MiB read");
            }

            yield return (space, await verification);
        }
    }

    private static async Task<VerificationReport> VerifyAsync(string space, IJournal journal)
    {
        try
        {
            return await SpaceVerifier.VerifyAsync(journal);
        }
        catch (JournalException e) when (e.Fault == JournalFault.NoJournal && space != SpaceHost.DefaultName)
        {
            return Unread(null); // what a space leaves whose creation failed on a full disk; a server makes `default` before all else
        }
        catch (Exception e) when (e is JournalException or IOException or UnauthorizedAccessException or DbException)
        {
            return Unread("can't be read: " + e.Message);
        }
    }

    private static VerificationReport Unread(string? problem) => new()
    {
        Frames = 0,
        FirstSequence = 1,
        LastSequence = 0,
        Events = 0,
        Resources = 0,
        KnownHolds = 0,
        LiveHolds = 0,
        Digest = 0,
        Problem = problem,
    };
}

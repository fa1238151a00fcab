using System.Data.Common;

namespace Holdfast.Participant;

/// <summary>The sender's side of a two-phase message: local work that is done or not, and a check-back that settles which.</summary>
public static class MessageBarrier
{
    /// <summary>
    /// Does the local work of a message once, with its marker in the same transaction. Refused when the coordinator has
    /// been told before that it wasn't done. Then submit the message.
    /// </summary>
    /// <param name="barrier">The barrier of the sender's database.</param>
    /// <param name="connection">To that database; opened when it isn't.</param>
    /// <param name="message">The message's id.</param>
    /// <param name="work">The work, with the transaction that it must use.</param>
    /// <param name="space">The space that the message was prepared in: a check-back from another finds no marker and aborts it.</param>
    /// <param name="cancellationToken">Ends the wait; what isn't committed is rolled back.</param>
    public static Task<BranchResult> LocalAsync(
        this BranchBarrier barrier, DbConnection connection, string message, Func<DbTransaction, CancellationToken, Task<BranchResult>> work, string space = "default", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(barrier);
        ArgumentNullException.ThrowIfNull(work);

        // The marker is the try of a branch that nobody else has: a repeat skips the work, a check-back suspends it.
        return barrier.RunAsync(connection, Call(message, space, BranchOp.Try), work, cancellationToken);
    }

    /// <summary>
    /// Answers a check-back: done when the local work was committed; refused when it wasn't, and then it never will be. Work
    /// that is underway is waited for.
    /// </summary>
    public static async Task<BranchResult> CheckAsync(this BranchBarrier barrier, DbConnection connection, BranchCall call, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(barrier);
        ArgumentNullException.ThrowIfNull(call);
        bool ran = false;
        BranchResult result = await barrier.RunAsync(
            connection,
            Call(call.Transaction, call.Space, BranchOp.Cancel),
            (_, _) =>
            {
                // A cancel whose business would run means that the work was done.
                ran = true;
                return Task.FromResult(BranchResult.NotYet);
            },
            cancellationToken);
        return ran ? BranchResult.Done : BranchResult.Refused("the local work was not done") with { Skipped = result.Skipped };
    }

    private static BranchCall Call(string message, string space, BranchOp op) => new(message, BranchCall.CheckBranch, op) { Space = space };
}

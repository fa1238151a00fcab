using System.Data;
using System.Data.Common;
using Holdfast.Participant;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Microsoft.EntityFrameworkCore;

/// <summary>The barrier through a <see cref="DbContext"/>.</summary>
public static class DbContextBarrier
{
    /// <summary>
    /// Carries out a call: begins a transaction of the context, writes the marker, runs the business, saves its changes and
    /// commits. A refusal or an exception rolls back everything and clears what the context tracks. Under a retrying
    /// execution strategy the whole is repeated, marker included.
    /// </summary>
    /// <param name="context">The participant's own; with no transaction underway and nothing unsaved.</param>
    /// <param name="barrier">One barrier for the database.</param>
    /// <param name="call">What is asked.</param>
    /// <param name="business">The work; changes are saved after it.</param>
    /// <param name="cancellationToken">Ends the wait; what isn't committed is rolled back.</param>
    public static Task<BranchResult> RunAsync<TContext>(
        this TContext context, BranchBarrier barrier, BranchCall call, Func<TContext, CancellationToken, Task<BranchResult>> business, CancellationToken cancellationToken = default)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(barrier);
        ArgumentNullException.ThrowIfNull(business);
        return context.Database.CreateExecutionStrategy().ExecuteAsync(
            (context, barrier, call, business),
            static (_, state, token) => OnceAsync(state.context, state.barrier, state.call, state.business, token),
            null,
            cancellationToken);
    }

    private static async Task<BranchResult> OnceAsync<TContext>(
        TContext context, BranchBarrier barrier, BranchCall call, Func<TContext, CancellationToken, Task<BranchResult>> business, CancellationToken cancellationToken)
        where TContext : DbContext
    {
        await context.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            DbConnection connection = context.Database.GetDbConnection();
            await barrier.PrepareAsync(connection, cancellationToken);
            BranchResult result;
            await using (IDbContextTransaction transaction = await context.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken))
            {
                BarrierVerdict verdict = await barrier.EnterAsync(transaction.GetDbTransaction(), call, cancellationToken);
                result = BranchBarrier.Without(verdict, call) ?? await business(context, cancellationToken);
                if (result.Outcome == BranchOutcome.Done)
                {
                    await context.SaveChangesAsync(cancellationToken);
                    if (verdict == BarrierVerdict.Run)
                    {
                        await barrier.EnsureMarkerAsync(transaction.GetDbTransaction(), call, cancellationToken);
                    }

                    await transaction.CommitAsync(cancellationToken);
                }
                else
                {
                    await transaction.RollbackAsync(cancellationToken);
                    context.ChangeTracker.Clear();
                }
            }

            await barrier.CleanAsync(connection, call, cancellationToken);
            return result;
        }
        catch
        {
            // What was rolled back must not be saved by the next one.
            context.ChangeTracker.Clear();
            throw;
        }
        finally
        {
            await context.Database.CloseConnectionAsync();
        }
    }
}

using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using System.Globalization;

namespace Holdfast.Participant;

/// <summary>What the barrier says to a call. Whatever it says but <see cref="Refuse"/>, the transaction must be committed: the marker is in it.</summary>
public enum BarrierVerdict
{
    /// <summary>The first time: run the business, in the same local transaction.</summary>
    Run,

    /// <summary>Carried out before, or there is nothing to undo: don't run the business, answer success.</summary>
    Skip,

    /// <summary>Must not happen any more: roll back, answer 409.</summary>
    Refuse,
}

/// <summary>
/// Lets each call of a coordinator through once, whatever the network repeats, reorders or loses. Its markers live in the
/// participant's own database and are written in the same local transaction as the business: both happen or neither.
/// </summary>
/// <remarks>
/// One row an operation, unique on (space, transaction, branch, op). A cancel writes the try's row first: if that goes in,
/// the try never ran (empty rollback: nothing to undo), and a try that comes late finds the row and is refused. The rows'
/// locks make overlapping calls wait for each other: the second sees what the first has committed.
/// Source of the pattern: dtm's barrier; its known holes (a marker that is rolled back with an empty cancel, business checks
/// before the duplicate check, no clean-up) have tests here.
/// </remarks>
public sealed class BranchBarrier
{
    private const string Try = "try", Confirm = "confirm", Cancel = "cancel";

    private readonly BarrierOptions _options;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, bool> _created = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Space, bool Messages), long> _cleanedAt = new();

    /// <summary>A barrier. One for all connections to a database.</summary>
    public BranchBarrier(BarrierOptions? options = null, TimeProvider? time = null)
    {
        _options = options ?? new BarrierOptions();
        _time = time ?? TimeProvider.System;
    }

    /// <summary>The statements that make the tables, for those who make theirs themselves.</summary>
    public static IReadOnlyList<string> Schema(BarrierDialect dialect) => BarrierSql.Of(dialect).Create;

    /// <summary>
    /// Carries out a call: begins a transaction on the connection, writes the marker, runs the business in it if it is to
    /// run, and commits. A refusal or an exception of the business rolls back everything, the marker too, so that the call
    /// can come again.
    /// </summary>
    /// <param name="connection">The participant's own; opened when it isn't.</param>
    /// <param name="call">What is asked.</param>
    /// <param name="business">The work, with the transaction that it must use.</param>
    /// <param name="cancellationToken">Ends the wait; what isn't committed is rolled back.</param>
    public async Task<BranchResult> RunAsync(
        DbConnection connection, BranchCall call, Func<DbTransaction, CancellationToken, Task<BranchResult>> business, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(business);
        if (connection.State != ConnectionState.Open)
        {
            await connection.OpenAsync(cancellationToken);
        }

        await PrepareAsync(connection, cancellationToken);
        BranchResult result;
        await using (DbTransaction transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken))
        {
            BarrierVerdict verdict = await EnterAsync(transaction, call, cancellationToken);
            result = Without(verdict, call) ?? await business(transaction, cancellationToken);
            if (result.Outcome == BranchOutcome.Done)
            {
                if (verdict == BarrierVerdict.Run)
                {
                    await EnsureMarkerAsync(transaction, call, cancellationToken);
                }

                await transaction.CommitAsync(cancellationToken);
            }
            else
            {
                await transaction.RollbackAsync(cancellationToken);
            }
        }

        await CleanAsync(connection, call, cancellationToken);
        return result;
    }

    /// <summary>
    /// The barrier alone, within a transaction of your own (READ COMMITTED; on MySQL and MariaDB also REPEATABLE READ). Commit
    /// when it says run (after the business and <see cref="EnsureMarkerAsync"/>) or skip; roll back when it says refuse or the
    /// business does. The tables must be there: <see cref="PrepareAsync"/>.
    /// </summary>
    public async Task<BarrierVerdict> EnterAsync(DbTransaction transaction, BranchCall call, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        ArgumentNullException.ThrowIfNull(call);
        Rows rows = Markers(transaction, call);
        return call.Op switch
        {
            BranchOp.Try => await rows.InsertAsync(Try, Try, cancellationToken) ? BarrierVerdict.Run
                : (await rows.ReadAsync(cancellationToken)).GetValueOrDefault(Try) == Try ? BarrierVerdict.Skip
                : BarrierVerdict.Refuse, // suspended by a cancel that overtook it, or ended long ago
            BranchOp.Confirm => await ConfirmAsync(rows, call.ExpectsTry, cancellationToken),
            BranchOp.Cancel => await CancelAsync(rows, cancellationToken),
            _ => throw new ArgumentException("A check-back is answered by CheckAsync.", nameof(call)),
        };
    }

    /// <summary>
    /// Makes sure, after the business and before the commit, that the marker is still in the transaction. It isn't when the
    /// database has rolled the transaction back (a deadlock, or on PostgreSQL any failed statement) and the business has
    /// swallowed that error: its commit would succeed with nothing in it.
    /// </summary>
    /// <exception cref="DbException">The transaction can only be rolled back.</exception>
    /// <exception cref="InvalidOperationException">The marker is gone, or the business has ended the transaction. Roll back, answer an error: the call comes again.</exception>
    public async Task EnsureMarkerAsync(DbTransaction transaction, BranchCall call, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        ArgumentNullException.ThrowIfNull(call);
        string op = call.Op switch { BranchOp.Try => Try, BranchOp.Confirm => Confirm, _ => Cancel };
        if (transaction.Connection is null || !(await Markers(transaction, call).ReadAsync(cancellationToken)).ContainsKey(op))
        {
            throw new InvalidOperationException(
                $"The marker of {call.Transaction}/{call.Branch}/{op} is no longer in the transaction: the business has ended it, or has swallowed a database error that rolled it back. "
                + "Let such errors through; the call comes again.");
        }
    }

    /// <summary>Makes the tables when they are missing. Safe to call at any time, from many processes at once.</summary>
    public async Task PrepareAsync(DbConnection connection, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connection);
        string database = connection.ConnectionString;
        if (!_options.CreateTables || _created.ContainsKey(database))
        {
            return;
        }

        BarrierSql sql = Sql(connection);
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                // Looked for first: who may use tables may not always make some.
                await using DbCommand command = connection.CreateCommand();
                command.CommandText = sql.Count;
                if (Convert.ToInt64(await command.ExecuteScalarAsync(cancellationToken), CultureInfo.InvariantCulture) < sql.Create.Count)
                {
                    foreach (string statement in sql.Create)
                    {
                        command.CommandText = statement;
                        await command.ExecuteNonQueryAsync(cancellationToken);
                    }
                }

                if (!sql.SharesNames)
                {
                    _created[database] = true;
                }

                return;
            }
            catch (DbException) when (attempt < 5)
            {
                // "if not exists" doesn't keep two that create at the same time apart; one of them sees an error, and then a table.
                await Task.Delay(TimeSpan.FromMilliseconds(20 * attempt), _time, cancellationToken);
            }
        }
    }

    /// <summary>The answer without the business; null when it is to run.</summary>
    internal static BranchResult? Without(BarrierVerdict verdict, BranchCall call) => verdict switch
    {
        BarrierVerdict.Run => null,
        BarrierVerdict.Skip => BranchResult.Done with { Skipped = true },
        _ => BranchResult.Refused(Why(call)) with { Skipped = true },
    };

    private static string Why(BranchCall call) => call.Op switch
    {
        BranchOp.Try => "cancelled before it was tried, or its transaction ended long ago",
        BranchOp.Confirm => "cancelled, or never tried here",
        _ => "confirmed before",
    };

    /// <summary>Removes markers that no call can need any more. Now and then, after the business's transaction.</summary>
    internal async Task CleanAsync(DbConnection connection, BranchCall call, CancellationToken cancellationToken)
    {
        // No watermark can be later than now. One that is told so nevertheless must not shut out what has yet to begin.
        bool messages = call.Branch == BranchCall.CheckBranch;
        long clock = _time.GetUtcNow().ToUnixTimeMilliseconds();
        long before = messages
            ? clock - (long)_options.KeepMessagesFor.TotalMilliseconds
            : Math.Min(call.WatermarkMs, clock) - (long)_options.KeepFor.TotalMilliseconds;
        long now = _time.GetTimestamp();
        if (before <= 0 || (_cleanedAt.TryGetValue((call.Space, messages), out long last) && _time.GetElapsedTime(last, now) < _options.CleanEvery))
        {
            return;
        }

        _cleanedAt[(call.Space, messages)] = now;
        BarrierSql sql = Sql(connection);
        try
        {
            if (!messages)
            {
                // The mark first: from then on a call of such a transaction is refused, whether its marker is there or not.
                await ExecuteAsync(connection, sql.Raise, call.Space, before, ("now", clock), cancellationToken);
            }

            if (await ExecuteAsync(connection, messages ? sql.CleanMessages : sql.Clean, call.Space, before, ("limit", _options.CleanAtMost), cancellationToken) >= _options.CleanAtMost)
            {
                // There is more: the next call goes on.
                _cleanedAt.TryRemove((call.Space, messages), out _);
            }
        }
        catch (DbException)
        {
            // The call itself is done; the next one cleans up.
        }
    }

    private static async Task<int> ExecuteAsync(
        DbConnection connection, string text, string space, long before, (string Name, object Value) third, CancellationToken cancellationToken)
    {
        await using DbCommand command = connection.CreateCommand();
        command.CommandText = text;
        Rows.Add(command, "space", space);
        Rows.Add(command, "before", before);
        Rows.Add(command, third.Name, third.Value);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<BarrierVerdict> ConfirmAsync(Rows rows, bool expectsTry, CancellationToken cancellationToken)
    {
        if (expectsTry)
        {
            // Before its own marker goes in: a cancel that is underway is waited for, and one that comes now waits.
            await rows.LockForConfirmAsync(cancellationToken);
        }

        if (!await rows.InsertAsync(Confirm, Confirm, cancellationToken))
        {
            // It is there; or it was cleaned up, and then its transaction ended with it done.
            return BarrierVerdict.Skip;
        }

        Dictionary<string, string> known = await rows.ReadAsync(cancellationToken);
        bool cancelled = known.ContainsKey(Cancel) || known.GetValueOrDefault(Try) == Cancel;
        return cancelled || (expectsTry && !known.ContainsKey(Try)) ? BarrierVerdict.Refuse : BarrierVerdict.Run;
    }

    private static async Task<BarrierVerdict> CancelAsync(Rows rows, CancellationToken cancellationToken)
    {
        // First the try's row: whoever is trying right now is waited for here.
        if (await rows.InsertAsync(Try, Cancel, cancellationToken))
        {
            await rows.InsertAsync(Cancel, Cancel, cancellationToken);
            return BarrierVerdict.Skip; // empty rollback; the marker suspends a late try
        }

        await rows.LockForCancelAsync(cancellationToken);
        Dictionary<string, string> known = await rows.ReadAsync(cancellationToken);
        if (known.ContainsKey(Confirm))
        {
            return BarrierVerdict.Refuse;
        }

        return known.GetValueOrDefault(Try) == Try && await rows.InsertAsync(Cancel, Cancel, cancellationToken) ? BarrierVerdict.Run : BarrierVerdict.Skip;
    }

    private Rows Markers(DbTransaction transaction, BranchCall call)
    {
        BarrierSql sql = Sql(transaction.Connection!);
        return new Rows(transaction, sql, call, sql.KeepsPrepared && _options.PrepareStatements, _time);
    }

    private BarrierSql Sql(DbConnection connection) => BarrierSql.Of(_options.Dialect ?? BarrierSql.Detect(connection));

    /// <summary>The markers of one branch, within one transaction.</summary>
    private sealed class Rows(DbTransaction transaction, BarrierSql sql, BranchCall call, bool prepare, TimeProvider time)
    {
        public async Task<bool> InsertAsync(string op, string origin, CancellationToken cancellationToken)
        {
            long now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await using DbCommand command = Command(sql.Insert);
            Add(command, "op", op);
            Add(command, "origin", origin);
            Add(command, "begun", call.BegunMs == 0 && call.Branch == BranchCall.CheckBranch ? -now : call.BegunMs);
            Add(command, "created", now);
            await PrepareAsync(command, cancellationToken);
            return await command.ExecuteNonQueryAsync(cancellationToken) == 1;
        }

        public Task LockForConfirmAsync(CancellationToken cancellationToken) => LockAsync(sql.LockForConfirm, cancellationToken);

        public Task LockForCancelAsync(CancellationToken cancellationToken) => LockAsync(sql.LockForCancel, cancellationToken);

        /// <summary>Origin by operation.</summary>
        public async Task<Dictionary<string, string>> ReadAsync(CancellationToken cancellationToken)
        {
            await using DbCommand command = Command(sql.Select);
            await PrepareAsync(command, cancellationToken);
            await using DbDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
            var rows = new Dictionary<string, string>(StringComparer.Ordinal);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows[reader.GetString(0)] = reader.GetString(1);
            }

            return rows;
        }

        // A statement of its own: what is read in the one that waited for a lock is older than the lock.
        private async Task LockAsync(string? text, CancellationToken cancellationToken)
        {
            if (text is not null)
            {
                await using DbCommand command = Command(text);
                await PrepareAsync(command, cancellationToken);
                await command.ExecuteScalarAsync(cancellationToken);
            }
        }

        /// <summary>
        /// Npgsql keeps a prepared statement with its pooled connection, so that the server plans the barrier's once.
        /// </summary>
        private Task PrepareAsync(DbCommand command, CancellationToken cancellationToken) => prepare ? command.PrepareAsync(cancellationToken) : Task.CompletedTask;

        public static void Add(DbCommand command, string name, object value)
        {
            DbParameter parameter = command.CreateParameter();
            parameter.ParameterName = "@" + name;
            parameter.Value = value;
            command.Parameters.Add(parameter);
        }

        private DbCommand Command(string text)
        {
            DbCommand command = transaction.Connection!.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = text;
            Add(command, "space", call.Space);
            Add(command, "transaction", call.Transaction);
            Add(command, "branch", call.Branch);
            return command;
        }
    }
}

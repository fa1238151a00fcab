using Npgsql;

namespace Holdfast.Journal.Postgres;

/// <summary>Journals in one PostgreSQL database, all spaces in the same tables (created when missing).</summary>
/// <param name="connectionString">An Npgsql connection string.</param>
public sealed class PostgresJournalStore(string connectionString) : IJournalStore
{
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(connectionString);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using NpgsqlCommand command = _source.CreateCommand("SELECT space FROM holdfast_space");
            await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken);
            var spaces = new List<string>();
            while (await reader.ReadAsync(cancellationToken))
            {
                spaces.Add(reader.GetString(0));
            }

            // Ordered here: the database's collation needn't be ordinal.
            spaces.Sort(StringComparer.Ordinal);
            return spaces;
        }
        catch (PostgresException e) when (string.Equals(e.SqlState, PostgresErrorCodes.UndefinedTable, StringComparison.Ordinal))
        {
            return [];
        }
        catch (Exception e) when (PostgresFailure.IsStorage(e))
        {
            throw PostgresFailure.Other("The spaces couldn't be listed", e);
        }
    }

    /// <inheritdoc/>
    public IJournal Get(string space) => new PostgresJournal(_source, SpaceName.Checked(space));

    /// <summary>Closes the idle connections of all its journals.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();
}

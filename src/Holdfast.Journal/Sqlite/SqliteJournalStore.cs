namespace Holdfast.Journal.Sqlite;

/// <summary>
/// Journals as SQLite files: <c>path</c> itself is the space "default", and space x stands beside it as <c>name@x.ext</c>.
/// </summary>
/// <param name="path">The default space's file, e.g. <c>data/holdfast.db</c>; its folder is created when missing.</param>
/// <param name="options">Settings, or null for the defaults.</param>
public sealed class SqliteJournalStore(string path, SqliteJournalOptions? options = null) : IJournalStore
{
    private readonly string _path = Path.GetFullPath(path);
    private readonly SqliteJournalOptions _options = options ?? new SqliteJournalOptions();

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> ListSpacesAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var spaces = new List<string>();
        string folder = Path.GetDirectoryName(_path)!;
        string extension = Path.GetExtension(_path);
        string prefix = Path.GetFileNameWithoutExtension(_path) + "@";
        if (File.Exists(_path))
        {
            spaces.Add(SpaceName.Default);
        }

        foreach (string file in FilesOf(folder, prefix + "*" + extension))
        {
            string space = Path.GetFileName(file)[prefix.Length..^extension.Length];
            if (SpaceName.IsValid(space) && !string.Equals(space, SpaceName.Default, StringComparison.Ordinal))
            {
                spaces.Add(space);
            }
        }

        spaces.Sort(StringComparer.Ordinal);
        return ValueTask.FromResult<IReadOnlyList<string>>(spaces);
    }

    /// <inheritdoc/>
    public IJournal Get(string space) => new SqliteJournal(PathOf(SpaceName.Checked(space)), _options);

    /// <summary>Nothing to close: every journal owns its connections.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string[] FilesOf(string folder, string pattern)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetFiles(folder, pattern) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(JournalFault.NotWritten, $"The folder {folder} can't be read: {e.Message}", e);
        }
    }

    private string PathOf(string space)
    {
        if (string.Equals(space, SpaceName.Default, StringComparison.Ordinal))
        {
            return _path;
        }

        string name = Path.GetFileNameWithoutExtension(_path) + "@" + space + Path.GetExtension(_path);
        return Path.Join(Path.GetDirectoryName(_path), name);
    }
}

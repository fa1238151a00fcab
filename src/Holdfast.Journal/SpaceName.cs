namespace Holdfast.Journal;

/// <summary>The rule for names of spaces: they become file names and keys, so they are plain.</summary>
internal static class SpaceName
{
    public const string Default = "default";
    private const int LengthMax = 64;

    public static bool IsValid(ReadOnlySpan<char> name)
    {
        if (name.Length is 0 or > LengthMax || !char.IsAsciiLetterLower(name[0]) && !char.IsAsciiDigit(name[0]))
        {
            return false;
        }

        foreach (char c in name)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('-' or '_'))
            {
                return false;
            }
        }

        return true;
    }

    public static string Checked(string space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return IsValid(space)
            ? space
            : throw new ArgumentException($"'{space}' is no space name: 1 to {LengthMax} of a-z, 0-9, '-' and '_', beginning with a letter or digit.", nameof(space));
    }
}

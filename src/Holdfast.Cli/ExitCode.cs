namespace Holdfast.Cli;

/// <summary>What the process tells the shell.</summary>
internal static class ExitCode
{
    /// <summary>All is well.</summary>
    public const int Good = 0;

    /// <summary>It ran and found something wrong: a broken chain, a broken invariant, a journal that can't be used.</summary>
    public const int Bad = 1;

    /// <summary>It didn't run: an argument or a setting is wrong, or there is nothing to work on.</summary>
    public const int BadArguments = 2;
}

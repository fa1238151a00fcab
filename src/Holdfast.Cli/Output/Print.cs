using System.Globalization;

namespace Holdfast.Cli;

/// <summary>What a person or a script reads: results on the standard output, everything else on the error output.</summary>
internal static class Print
{
    /// <summary>Whether a person watches: then tables and moving progress, otherwise plain lines.</summary>
    public static bool ToTerminal => !Console.IsOutputRedirected;

    /// <summary>A result: <c>name: value</c>.</summary>
    public static void Value(string name, string value) => Console.Out.WriteLine(name + ": " + value);

    /// <summary>A result that is a number, without separators: scripts read it.</summary>
    public static void Value(string name, double value, int decimals = 0) =>
        Value(name, value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));

    /// <summary>A line of a result.</summary>
    public static void Line(string text) => Console.Out.WriteLine(text);

    /// <summary>Progress or advice.</summary>
    public static void Note(string text) => Console.Error.WriteLine(text);

    /// <summary>Why it didn't work.</summary>
    public static void Error(string text) => Console.Error.WriteLine("error: " + text);
}

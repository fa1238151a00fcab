using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Holdfast.Cli;

/// <summary>An option that takes a whole number within bounds, and says so when it gets something else.</summary>
internal static class WholeNumber
{
    public static Option<int> Option(string name, string description, int otherwise, int least, int most) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => (int)(Parse(result, name, least, most) ?? otherwise),
    };

    /// <summary>One that may be left out.</summary>
    public static Option<long?> Optional(string name, string description, string helpName, long least, long most) => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = result => Parse(result, name, least, most),
    };

    // Parsed here and not by the library, whose own complaint names types instead of bounds.
    private static long? Parse(ArgumentResult result, string name, long least, long most)
    {
        if (long.TryParse(result.Tokens[^1].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most)
        {
            return value;
        }

        result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} must be a whole number from {least} to {most}."));
        return null;
    }
}

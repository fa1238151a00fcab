using System.CommandLine;
using System.Globalization;

namespace Holdfast.Cli;

/// <summary>An option that takes a whole number within bounds, and says so when it gets something else.</summary>
internal static class WholeNumber
{
    public static Option<int> Option(string name, string description, int otherwise, int least, int most)
    {
        string rule = $"{name} must be a whole number from {least} to {most}.";
        return new Option<int>(name)
        {
            Description = description,
            HelpName = "N",
            DefaultValueFactory = _ => otherwise,

            // Parsed here and not by the library, whose own complaint names types instead of bounds.
            CustomParser = result =>
            {
                if (int.TryParse(result.Tokens[^1].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most)
                {
                    return value;
                }

                result.AddError(rule);
                return otherwise;
            },
        };
    }
}

using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Server;

/// <summary>The <c>Prefer</c> header (RFC 7240).</summary>
internal static class Prefer
{
    private const int WaitSecondsMax = 60;

    /// <summary><c>wait=N</c>: how long the caller would wait for the end; zero: not at all.</summary>
    public static TimeSpan Wait(HttpContext context)
    {
        foreach (string preference in Preferences(context))
        {
            if (preference.StartsWith("wait=", StringComparison.OrdinalIgnoreCase))
            {
                return decimal.TryParse(preference.AsSpan(5), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds)
                    ? TimeSpan.FromSeconds((double)Math.Min(seconds, WaitSecondsMax))
                    : throw new BodyException("Prefer: wait must be a number of seconds");
            }
        }

        return TimeSpan.Zero;
    }

    /// <summary><c>respond-async</c>: the caller wants to hear at once where to look.</summary>
    public static bool Async(HttpContext context) => Preferences(context).Contains("respond-async", StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<string> Preferences(HttpContext context) => context.Request.Headers["Prefer"]
        .SelectMany(static h => (h ?? "").Split([',', ';'], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}

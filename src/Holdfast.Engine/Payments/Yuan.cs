using System.Globalization;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments;

/// <summary>Amounts in the major unit as text ("88.80"), as some providers write them, and minor units as Holdfast counts.</summary>
internal static class Yuan
{
    /// <summary>Minor units; null: not an amount with at most two decimals, or more than Holdfast counts.</summary>
    public static long? ToMinor(string? text)
    {
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal major) || major * 100 > Quantity.Max)
        {
            return null;
        }

        decimal minor = major * 100;
        return minor == decimal.Truncate(minor) ? (long)minor : null;
    }

    public static string FromMinor(long minor) => (minor / 100m).ToString("0.00", CultureInfo.InvariantCulture);
}

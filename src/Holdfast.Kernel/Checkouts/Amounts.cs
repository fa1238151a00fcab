namespace Holdfast.Kernel;

/// <summary>Sums of minor units.</summary>
internal static class Amounts
{
    /// <summary>Whether a provider's number can be an amount.</summary>
    public static bool IsOne(long amount) => amount is >= 0 and <= Quantity.Max;

    /// <summary>Stops at the largest and the smallest number: what providers write, or wrote to earlier versions, must not stop a space.</summary>
    public static long Sum(IEnumerable<long> amounts) =>
        (long)Int128.Clamp(amounts.Aggregate(Int128.Zero, static (sum, amount) => sum + amount), long.MinValue, long.MaxValue);
}

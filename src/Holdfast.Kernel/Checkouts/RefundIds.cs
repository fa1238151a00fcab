using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Kernel;

/// <summary>
/// A refund's id at the provider: made of the checkout's and the refund's, so that every attempt has the same; of letters
/// and digits only, since providers allow little else.
/// </summary>
public static class RefundIds
{
    private const int Length = 30;

    /// <summary>32 characters.</summary>
    public static string Of(string checkout, string refund)
    {
        ArgumentNullException.ThrowIfNull(checkout);
        byte[] text = Encoding.UTF8.GetBytes($"{checkout.Length}:{checkout}{refund}");
        return "hf" + Convert.ToHexStringLower(SHA256.HashData(text))[..Length];
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Client.Http;

/// <summary>Signs the tries that a caller makes itself, as the coordinator signs its calls (Standard Webhooks).</summary>
internal static class CallSignature
{
    private const string Prefix = "whsec_";

    public static bool IsSecret(string secret)
    {
        Span<byte> bytes = stackalloc byte[96];
        return secret.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(secret[Prefix.Length..], bytes, out int length) && length is >= 24 and <= 64;
    }

    public static string Sign(string secret, string id, long timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Convert.FromBase64String(secret[Prefix.Length..]));
        hmac.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.")));
        hmac.AppendData(body);
        return "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
    }

    /// <summary>An id as a header: what isn't plain is percent-encoded.</summary>
    public static string Header(string id) => id.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0 || id.Contains('%', StringComparison.Ordinal) ? Uri.EscapeDataString(id) : id;
}

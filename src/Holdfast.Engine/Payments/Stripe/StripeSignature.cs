using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Engine.Payments.Stripe;

/// <summary>
/// <c>Stripe-Signature: t=...,v1=...[,v1=...][,v0=...]</c>: v1 is HMAC-SHA256 in hex over <c>t.body</c>, keyed by the UTF-8
/// bytes of the whole secret. Any right v1 of any secret will do (rotation).
/// </summary>
/// <remarks>Source: Stripe's documentation "Verify webhook signatures", and its own library's EventUtility.</remarks>
internal static class StripeSignature
{
    public const string HeaderName = "Stripe-Signature";

    /// <summary>Why it is refused, or null.</summary>
    public static string? Refusal(string? header, ReadOnlySpan<byte> body, IReadOnlyList<byte[]> secrets, TimeSpan tolerance, DateTimeOffset now)
    {
        if (header is null)
        {
            return Refusals.MissingHeader;
        }

        long? timestamp = null;
        var signatures = new List<string>();
        foreach (string item in header.Split(','))
        {
            int equals = item.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
            {
                return Refusals.MalformedHeader;
            }

            string value = item[(equals + 1)..].Trim();
            switch (item[..equals].Trim())
            {
                case "t" when timestamp is null && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds < 253402300800:
                    timestamp = seconds;
                    break;
                case "t":
                    return Refusals.MalformedHeader;
                case "v1":
                    signatures.Add(value);
                    break;
            }
        }

        if (timestamp is null)
        {
            return Refusals.MalformedHeader;
        }

        if (signatures.Count == 0)
        {
            return Refusals.NoV1Signature;
        }

        if (!AnyMatches(timestamp.Value, signatures, body, secrets))
        {
            return Refusals.SignatureMismatch;
        }

        return (now - DateTimeOffset.FromUnixTimeSeconds(timestamp.Value)).Duration() > tolerance ? Refusals.TimestampOutOfTolerance : null;
    }

    /// <summary>The header for a body: what tests and the storm sign with.</summary>
    public static string Sign(string secret, long timestamp, ReadOnlySpan<byte> body) =>
        string.Create(CultureInfo.InvariantCulture, $"t={timestamp},v1={Convert.ToHexStringLower(Mac(Encoding.UTF8.GetBytes(secret), timestamp, body))}");

    private static bool AnyMatches(long timestamp, List<string> signatures, ReadOnlySpan<byte> body, IReadOnlyList<byte[]> secrets)
    {
        bool matches = false;
        Span<byte> given = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (byte[] secret in secrets)
        {
            byte[] right = Mac(secret, timestamp, body);
            foreach (string signature in signatures)
            {
                // Stripe writes lower case; a capital letter is another header than the one that was sent.
                bool isHex = signature.Length == 2 * SHA256.HashSizeInBytes && signature.AsSpan().IndexOfAnyInRange('A', 'F') < 0
                    && Convert.FromHexString(signature, given, out _, out _) == System.Buffers.OperationStatus.Done;
                matches |= isHex && CryptographicOperations.FixedTimeEquals(given, right);
            }
        }

        return matches;
    }

    private static byte[] Mac(byte[] secret, long timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hmac.AppendData(Encoding.ASCII.GetBytes(timestamp.ToString(CultureInfo.InvariantCulture) + "."));
        hmac.AppendData(body);
        return hmac.GetHashAndReset();
    }
}

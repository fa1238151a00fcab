using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Engine.Effects;

namespace Holdfast.Engine.Payments.StandardWebhooks;

/// <summary><c>webhook-id</c>, <c>webhook-timestamp</c>, <c>webhook-signature: v1,... v1,...</c>: any right v1 of any key will do (rotation).</summary>
/// <remarks>Source: the Standard Webhooks specification.</remarks>
internal static class StandardWebhookSignature
{
    /// <summary>Why it is refused, or null.</summary>
    public static string? Refusal(Func<string, string?> header, ReadOnlySpan<byte> body, IReadOnlyList<SigningKey> keys, TimeSpan tolerance, DateTimeOffset now)
    {
        if (header("webhook-id") is not { } id || header("webhook-timestamp") is not { } timestamp || header("webhook-signature") is not { } signatures)
        {
            return Refusals.MissingHeader;
        }

        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || seconds >= 253402300800)
        {
            return Refusals.MalformedHeader;
        }

        string[] given = [.. signatures.Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(s => s.StartsWith("v1,", StringComparison.Ordinal))];
        if (given.Length == 0)
        {
            return Refusals.NoV1Signature;
        }

        bool matches = false;
        foreach (SigningKey key in keys)
        {
            byte[] right = Encoding.ASCII.GetBytes(key.Sign(id, seconds, body));
            foreach (string signature in given)
            {
                matches |= CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(signature), right);
            }
        }

        // The timestamp as it was written is what was signed: "0123" is another text than "123".
        matches &= timestamp == seconds.ToString(CultureInfo.InvariantCulture);
        return !matches ? Refusals.SignatureMismatch
            : (now - DateTimeOffset.FromUnixTimeSeconds(seconds)).Duration() > tolerance ? Refusals.TimestampOutOfTolerance
            : null;
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Client.Http;

/// <summary>Signs the tries that a caller makes itself, as the coordinator signs its calls (Standard Webhooks).</summary>
internal static class CallSignature
{
    private const string Prefix = "whsec_";

    public static bool IsSecret(string secret) => Key(secret) is not null;

    /// <summary>The key's bytes; null when the text is not <c>whsec_</c> and 24 to 64 bytes in base64.</summary>
    public static byte[]? Key(string secret)
    {
        Span<byte> bytes = stackalloc byte[96];
        return secret.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(secret[Prefix.Length..], bytes, out int length) && length is >= 24 and <= 64
            ? bytes[..length].ToArray()
            : null;
    }

    public static string Sign(string secret, string id, long timestamp, ReadOnlySpan<byte> body) =>
        "v1," + Convert.ToBase64String(Mac(Key(secret)!, id, timestamp.ToString(CultureInfo.InvariantCulture), body));

    /// <summary>HMAC-SHA256 of <c>id.timestamp.body</c>.</summary>
    public static byte[] Mac(byte[] key, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(Encoding.UTF8.GetBytes($"{id}.{timestamp}."));
        hmac.AppendData(body);
        return hmac.GetHashAndReset();
    }

    /// <summary>What the signature of a call's watermark is over, in place of the call's id and body. No id has a line's end.</summary>
    public static string WatermarkId(string id) => "watermark\n" + id;

    /// <summary>What names a call in its signature: its space, transaction, branch and operation.</summary>
    public static string MessageId(string space, string transaction, string branch, string op) =>
        $"{Uri.EscapeDataString(space)}/{Uri.EscapeDataString(transaction)}/{Uri.EscapeDataString(branch)}/{op}";

    /// <summary>An id as a header: what isn't plain is percent-encoded.</summary>
    public static string Header(string id) => id.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0 || id.Contains('%', StringComparison.Ordinal) ? Uri.EscapeDataString(id) : id;
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Engine.Effects;

/// <summary>A key of Standard Webhooks: <c>whsec_</c> and 24 to 64 bytes in base64. Never prints itself.</summary>
/// <remarks>Source: the Standard Webhooks specification, "Signature scheme".</remarks>
public sealed class SigningKey
{
    private const string Prefix = "whsec_";
    private readonly byte[] _bytes;

    private SigningKey(byte[] bytes) => _bytes = bytes;

    /// <summary>Reads a key.</summary>
    /// <exception cref="ArgumentException">It is not one; the message doesn't repeat it.</exception>
    public static SigningKey Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Span<byte> bytes = stackalloc byte[96];
        return text.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(text[Prefix.Length..], bytes, out int length) && length is >= 24 and <= 64
            ? new SigningKey(bytes[..length].ToArray())
            : throw new ArgumentException("A signing secret is 'whsec_' followed by 24 to 64 bytes in base64.", nameof(text));
    }

    /// <summary>The text of a key of these bytes.</summary>
    public static string Format(ReadOnlySpan<byte> bytes) => Prefix + Convert.ToBase64String(bytes);

    /// <inheritdoc/>
    public override string ToString() => Prefix + "...";

    /// <summary>The signature of a message: <c>v1,</c> and the HMAC-SHA256 of <c>id.timestamp.body</c> in base64.</summary>
    public string Sign(string id, long timestamp, ReadOnlySpan<byte> body)
    {
        byte[] head = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}."));
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _bytes);
        hmac.AppendData(head);
        hmac.AppendData(body);
        return "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
    }
}

using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Engine.Payments;

/// <summary>Ids of events, payments and refunds as they are kept: what is kept of two that differ differs.</summary>
internal static class RetainedId
{
    /// <summary>The kernel keeps no more of an id.</summary>
    private const int LengthMax = 256;

    private const string DigestMark = "sha256-";
    private const int DigestLength = 32;

    /// <summary>An event's id where its provider gave none: the digest of its bytes, so that the same bytes again are the same event.</summary>
    public static string Of(ReadOnlySpan<byte> body) => DigestMark + Convert.ToHexStringLower(SHA256.HashData(body))[..DigestLength];

    /// <summary>A provider's id; of one that is too long to be kept, its beginning and the digest of the whole.</summary>
    public static string Of(string id) => id.Length <= LengthMax ? id : id[..(LengthMax - DigestMark.Length - DigestLength)] + Of(Encoding.UTF8.GetBytes(id));
}

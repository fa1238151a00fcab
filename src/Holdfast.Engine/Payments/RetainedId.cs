using System.Security.Cryptography;

namespace Holdfast.Engine.Payments;

/// <summary>An event's id where its provider gave none: the digest of its bytes, so that the same bytes again are the same event.</summary>
internal static class RetainedId
{
    public static string Of(ReadOnlySpan<byte> body) => "sha256-" + Convert.ToHexStringLower(SHA256.HashData(body)[..16]);
}

using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Client.Http;

namespace Holdfast.Participant;

/// <summary>Checks the Standard Webhooks signature of a call, over its raw body, in constant time.</summary>
/// <remarks>Source: the Standard Webhooks specification. Several secrets: while one is being replaced.</remarks>
public sealed class WebhookSignature
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    // A day longer than a transaction's longest deadline.
    private static readonly TimeSpan UnsignedWatermarkAge = TimeSpan.FromDays(8);
    private readonly byte[][] _keys;
    private readonly TimeProvider _time;

    /// <summary>A check with these secrets (<c>whsec_...</c>).</summary>
    /// <exception cref="ArgumentException">A secret is not one; the message doesn't repeat it.</exception>
    public WebhookSignature(IEnumerable<string> secrets, TimeProvider? time = null)
    {
        _keys = [.. secrets.Select(Key)];
        _time = time ?? TimeProvider.System;
    }

    /// <summary>Why the call isn't the coordinator's, or null.</summary>
    public string? Problem(string? id, string? timestamp, string? signatures, ReadOnlySpan<byte> body)
    {
        if (string.IsNullOrEmpty(id) || string.IsNullOrEmpty(timestamp) || string.IsNullOrEmpty(signatures))
        {
            return "webhook-id, webhook-timestamp or webhook-signature is missing";
        }

        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
            || Math.Abs(_time.GetUtcNow().ToUnixTimeSeconds() - seconds) > Tolerance.TotalSeconds)
        {
            return "webhook-timestamp is more than five minutes away from this server's clock";
        }

        return Matches(id, timestamp, signatures, body) ? null : "no signature matches: is the secret the coordinator's?";
    }

    /// <summary>
    /// The call with no later watermark than can be believed. A coordinator signs it in a header of its own,
    /// <c>Holdfast-Watermark-Signature</c>; where that is missing (older coordinators send none) or wrong, whoever saw the call may have
    /// altered the watermark, and it counts only up to 8 days ago.
    /// </summary>
    /// <param name="call">A call whose signature <see cref="Problem"/> has checked and whose name <see cref="BranchCall.IsNamedBy"/>.</param>
    /// <param name="header">The request's headers.</param>
    public BranchCall WithCheckedWatermark(BranchCall call, Func<string, string?> header)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(header);
        bool signed = header("webhook-id") is { } id
            && header("webhook-timestamp") is { } timestamp
            && header("Holdfast-Watermark-Signature") is { } signatures
            && header("Holdfast-Watermark") is { } watermark
            && Matches(CallSignature.WatermarkId(id), timestamp, signatures, Encoding.UTF8.GetBytes(watermark));
        return signed ? call : call with { WatermarkMs = Math.Min(call.WatermarkMs, (_time.GetUtcNow() - UnsignedWatermarkAge).ToUnixTimeMilliseconds()) };
    }

    private bool Matches(string id, string timestamp, string signatures, ReadOnlySpan<byte> body)
    {
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes + 3];
        bool matches = false;
        foreach (byte[] key in _keys)
        {
            byte[] expected = CallSignature.Mac(key, id, timestamp, body);
            foreach (Range part in signatures.AsSpan().Split(' '))
            {
                ReadOnlySpan<char> signature = signatures.AsSpan(part);
                matches |= signature.StartsWith("v1,", StringComparison.Ordinal)
                    && Convert.TryFromBase64Chars(signature[3..], given, out int length)
                    && CryptographicOperations.FixedTimeEquals(given[..length], expected);
            }
        }

        return matches;
    }

    private static byte[] Key(string secret) =>
        CallSignature.Key(secret) ?? throw new ArgumentException("A secret is 'whsec_' followed by 24 to 64 bytes in base64.", nameof(secret));
}

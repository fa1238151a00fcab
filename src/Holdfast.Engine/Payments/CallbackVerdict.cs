using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Engine.Payments;

/// <summary>Whether a callback is the provider's, and what it says.</summary>
public sealed record CallbackVerdict
{
    /// <summary>The notice of a callback that is genuine; null: it is not.</summary>
    public PaymentNotice? Notice { get; private init; }

    /// <summary>What was signed (decrypted where it was encrypted), for people.</summary>
    public JsonNode? Content { get; private init; }

    /// <summary>Why it is refused, one of <see cref="Refusals"/>; null: it is genuine.</summary>
    public string? Reason { get; private init; }

    /// <summary>Whether a refusal is what the provider wants to see: its own wrongly signed probe (E35).</summary>
    public bool IsProbe => Reason == Refusals.Probe;

    /// <summary>Genuine.</summary>
    public static CallbackVerdict Genuine(PaymentNotice notice, JsonNode? content) => new() { Notice = notice, Content = content };

    /// <summary>Refused.</summary>
    public static CallbackVerdict Refused(string reason) => new() { Reason = reason };
}

/// <summary>Why a callback is refused. Stable words: scripts and alarms may rely on them.</summary>
public static class Refusals
{
    /// <summary>A header that the signature needs is not there.</summary>
    public const string MissingHeader = "missing_header";

    /// <summary>A header of the signature can't be read.</summary>
    public const string MalformedHeader = "malformed_header";

    /// <summary>The header has signatures, but none of scheme v1.</summary>
    public const string NoV1Signature = "no_v1_signature";

    /// <summary>No key makes this signature over this body.</summary>
    public const string SignatureMismatch = "signature_mismatch";

    /// <summary>The signature is not base64.</summary>
    public const string SignatureMalformed = "signature_malformed";

    /// <summary>There is no signature.</summary>
    public const string SignatureMissing = "signature_missing";

    /// <summary>The signature's algorithm is not one that is accepted here.</summary>
    public const string UnsupportedSignatureType = "unsupported_signature_type";

    /// <summary>Signed too long ago, or in the future: a replay, or a clock that is wrong.</summary>
    public const string TimestampOutOfTolerance = "timestamp_out_of_tolerance";

    /// <summary>Signed with a key that is not configured.</summary>
    public const string UnknownSerial = "unknown_serial";

    /// <summary>The provider's own probe, wrongly signed on purpose.</summary>
    public const string Probe = "probe";

    /// <summary>The signature is right, but the resource can't be decrypted: another API key.</summary>
    public const string DecryptionFailed = "decryption_failed";

    /// <summary>The body is not in the provider's form.</summary>
    public const string MalformedBody = "malformed_body";

    /// <summary>Genuine, but for another application of this provider.</summary>
    public const string AppMismatch = "app_mismatch";

    /// <summary>Genuine, but for another seller of this provider.</summary>
    public const string SellerMismatch = "seller_mismatch";
}

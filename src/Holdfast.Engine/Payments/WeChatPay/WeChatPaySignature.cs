using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Holdfast.Engine.Payments.WeChatPay;

/// <summary>
/// What WeChat Pay signs and encrypts: RSA-SHA256 over <c>timestamp\nnonce\nbody\n</c> with the platform's key of that
/// serial number, AES-GCM over the resource with the merchant's APIv3 key.
/// </summary>
/// <remarks>Source: WeChat Pay's APIv3 documentation, "签名验证" and "证书和回调报文解密".</remarks>
internal static class WeChatPaySignature
{
    public const string SignatureType = "WECHATPAY2-SHA256-RSA2048";
    private const string ProbePrefix = "WECHATPAY/SIGNTEST/";
    private const int TagBytes = 16;

    /// <summary>Why a message with these headers is refused, or null.</summary>
    public static string? Refusal(Func<string, string?> header, ReadOnlySpan<byte> body, IReadOnlyDictionary<string, RSA> platformKeys, TimeSpan tolerance, DateTimeOffset now)
    {
        if (header("Wechatpay-Timestamp") is not { } timestamp || header("Wechatpay-Nonce") is not { } nonce
            || header("Wechatpay-Signature") is not { } signature || header("Wechatpay-Serial") is not { } serial)
        {
            return Refusals.MissingHeader;
        }

        if (signature.StartsWith(ProbePrefix, StringComparison.Ordinal))
        {
            return Refusals.Probe;
        }

        if ((header("Wechatpay-Signature-Type") ?? SignatureType) != SignatureType)
        {
            return Refusals.UnsupportedSignatureType;
        }

        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || seconds >= 253402300800)
        {
            return Refusals.MalformedHeader;
        }

        if (!platformKeys.TryGetValue(serial, out RSA? key))
        {
            return Refusals.UnknownSerial;
        }

        if (!Base64.TryDecode(signature, out byte[] given))
        {
            return Refusals.SignatureMalformed;
        }

        if (!key.VerifyData(Message(timestamp, nonce, body), given, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
        {
            return Refusals.SignatureMismatch;
        }

        return (now - DateTimeOffset.FromUnixTimeSeconds(seconds)).Duration() > tolerance ? Refusals.TimestampOutOfTolerance : null;
    }

    /// <summary>The resource's plain text, or null when it can't be decrypted.</summary>
    public static byte[]? Decrypt(JsonObject? resource, byte[] apiV3Key)
    {
        if (JsonFacts.Text(resource, "algorithm") != "AEAD_AES_256_GCM"
            || JsonFacts.Text(resource, "ciphertext") is not { } text || !Base64.TryDecode(text, out byte[] sealedBytes) || sealedBytes.Length < TagBytes
            || JsonFacts.Text(resource, "nonce") is not { } nonce || Encoding.UTF8.GetByteCount(nonce) != AesGcm.NonceByteSizes.MaxSize)
        {
            return null;
        }

        byte[] plain = new byte[sealedBytes.Length - TagBytes];
        try
        {
            using var aes = new AesGcm(apiV3Key, TagBytes);
            aes.Decrypt(
                Encoding.UTF8.GetBytes(nonce),
                sealedBytes.AsSpan(0, plain.Length),
                sealedBytes.AsSpan(plain.Length),
                plain,
                Encoding.UTF8.GetBytes(JsonFacts.Text(resource, "associated_data") ?? ""));
            return plain;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>What is signed, callbacks and answers alike.</summary>
    public static byte[] Message(string timestamp, string nonce, ReadOnlySpan<byte> body)
    {
        byte[] head = Encoding.UTF8.GetBytes($"{timestamp}\n{nonce}\n");
        byte[] message = new byte[head.Length + body.Length + 1];
        head.CopyTo(message, 0);
        body.CopyTo(message.AsSpan(head.Length));
        message[^1] = (byte)'\n';
        return message;
    }

    /// <summary>The Authorization header's value of a request.</summary>
    public static string Authorization(string merchant, string serial, RSA key, string method, string pathAndQuery, string timestamp, string nonce, string body)
    {
        byte[] signature = key.SignData(Encoding.UTF8.GetBytes($"{method}\n{pathAndQuery}\n{timestamp}\n{nonce}\n{body}\n"), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{SignatureType} mchid=\"{merchant}\",nonce_str=\"{nonce}\",signature=\"{Convert.ToBase64String(signature)}\",timestamp=\"{timestamp}\",serial_no=\"{serial}\"";
    }
}

using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Holdfast.Engine.Payments;

/// <summary>A channel's configuration is not usable; the message names the setting and never repeats a secret.</summary>
public sealed class ChannelConfigException : Exception
{
    /// <summary>What is wrong with it.</summary>
    public ChannelConfigException(string message)
        : base(message)
    {
    }
}

/// <summary>Reads a channel's JSON object. A member that nobody asked for is a mistake: a misspelled key would go unnoticed.</summary>
internal sealed class ChannelConfig(string channel, JsonObject json)
{
    private const int DefaultToleranceSeconds = 300;

    public string Channel { get; } = channel;

    public void Known(params string[] names)
    {
        foreach ((string name, _) in json)
        {
            if (!name.Equals("type", StringComparison.OrdinalIgnoreCase) && !names.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                throw Wrong($"there is no '{name}'; known: {string.Join(", ", names)}");
            }
        }
    }

    public string? Text(string name) => json[name] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw Wrong($"{name} must be a text"),
    };

    public string Required(string name) => Text(name) is { Length: > 0 } text ? text : throw Wrong($"{name} is missing");

    /// <summary>An address as it is written; null: it is not set.</summary>
    public string? Link(string name) => Text(name) switch
    {
        null => null,
        { } text when Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" => text,
        _ => throw Wrong($"{name} must be an http or https address"),
    };

    public Uri Address(string name, string otherwise)
    {
        string text = Text(name) ?? otherwise;
        return Uri.TryCreate(text.EndsWith('/') ? text : text + "/", UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            ? uri
            : throw Wrong($"{name} must be an http or https address");
    }

    public long Whole(string name, long otherwise, long least, long most)
    {
        long value = json[name] switch
        {
            null => otherwise,
            JsonValue number when long.TryParse(number.ToJsonString(), NumberStyles.None, CultureInfo.InvariantCulture, out long whole) => whole,
            JsonValue text when text.TryGetValue(out string? digits) && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long whole) => whole,
            _ => throw Wrong($"{name} must be a whole number"),
        };
        return value >= least && value <= most ? value : throw Wrong($"{name} must be from {least} to {most}");
    }

    public TimeSpan Tolerance() => TimeSpan.FromSeconds(Whole("toleranceSeconds", DefaultToleranceSeconds, 1, 24 * 3600));

    public IReadOnlyList<string> Texts(string name) => json[name] switch
    {
        // A list that came through the environment or through configuration sources has numbers for names.
        JsonArray list => [.. list.Select(item => item is JsonValue v && v.TryGetValue(out string? text) ? text : throw Wrong($"{name} must be a list of texts"))],
        JsonObject numbered => [.. numbered.Select(item => item.Value is JsonValue v && v.TryGetValue(out string? text) ? text : throw Wrong($"{name} must be a list of texts"))],
        null => [],
        _ => throw Wrong($"{name} must be a list of texts"),
    };

    public IReadOnlyDictionary<string, RSA> Keys(string name)
    {
        var keys = new Dictionary<string, RSA>(StringComparer.OrdinalIgnoreCase);
        if (json[name] is not JsonObject named || named.Count == 0)
        {
            throw Wrong($"{name} must be an object of at least one serial number and its PEM certificate or public key");
        }

        foreach ((string serial, JsonNode? value) in named)
        {
            string pem = value is JsonValue v && v.TryGetValue(out string? text) ? text : throw Wrong($"{name}: '{serial}' must be a PEM text");
            keys[serial] = PublicKey($"{name}: '{serial}'", pem);
        }

        return keys;
    }

    /// <summary>A public key as PEM, as a PEM certificate, or as the bare base64 that providers' consoles show.</summary>
    public RSA PublicKey(string name, string pem)
    {
        try
        {
            if (pem.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal))
            {
                using X509Certificate2 certificate = X509Certificate2.CreateFromPem(pem);
                return certificate.GetRSAPublicKey() ?? throw Wrong($"{name} is a certificate without an RSA key");
            }

            var rsa = RSA.Create();
            if (pem.Contains("-----BEGIN", StringComparison.Ordinal))
            {
                rsa.ImportFromPem(pem);
            }
            else
            {
                rsa.ImportSubjectPublicKeyInfo(Convert.FromBase64String(pem), out _);
            }

            return rsa;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            throw Wrong($"{name} is neither a PEM certificate nor a PEM public key");
        }
    }

    /// <summary>A private key as PEM (PKCS#1 or PKCS#8) or as bare base64.</summary>
    public RSA? PrivateKey(string name)
    {
        if (Text(name) is not { Length: > 0 } pem)
        {
            return null;
        }

        var rsa = RSA.Create();
        try
        {
            if (pem.Contains("-----BEGIN", StringComparison.Ordinal))
            {
                rsa.ImportFromPem(pem);
            }
            else
            {
                rsa.ImportPkcs8PrivateKey(Convert.FromBase64String(pem), out _);
            }

            rsa.ExportRSAPublicKey(); // a key that can't be used shows now
            return rsa;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or FormatException)
        {
            rsa.Dispose();
            throw Wrong($"{name} is not a PEM private key");
        }
    }

    public ChannelConfigException Wrong(string what) => new($"channel '{Channel}': {what}.");
}

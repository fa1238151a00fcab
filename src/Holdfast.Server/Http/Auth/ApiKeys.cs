using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Server;

/// <summary>Whom a key belongs to, and what it allows.</summary>
/// <param name="Name">Who holds it.</param>
/// <param name="Roles">What the holder may do.</param>
public sealed record ApiKey(string Name, Roles Roles);

/// <summary>
/// The API keys of a server, kept as SHA-256 only. A presented key is hashed first, so how long the search takes tells
/// nothing about any key.
/// </summary>
public sealed class ApiKeys
{
    /// <summary>Longest key that is looked at, in bytes.</summary>
    public const int MaxKeyBytes = 512;

    private readonly FrozenDictionary<UInt128, (byte[] Hash, ApiKey Key)> _byHash;

    /// <summary>Keeps the hashes of the keys set.</summary>
    /// <exception cref="SettingsException">The same key is given twice.</exception>
    public ApiKeys(IEnumerable<ApiKeySetting> settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var byHash = new Dictionary<UInt128, (byte[] Hash, ApiKey Key)>();
        foreach (ApiKeySetting setting in settings)
        {
            byte[] hash = setting.Sha256 is { } hex
                ? Convert.FromHexString(hex)
                : SHA256.HashData(Encoding.UTF8.GetBytes(setting.Key ?? throw new SettingsException($"The API key {setting.Name} has neither key nor sha256.")));
            if (!byHash.TryAdd(Front(hash), (hash, new ApiKey(setting.Name, setting.Roles))))
            {
                throw new SettingsException($"The API key {setting.Name} is given twice: give each holder a key of their own.");
            }
        }

        _byHash = byHash.ToFrozenDictionary();
    }

    /// <summary>Whether there are keys; without any, everybody may do everything.</summary>
    public bool Required => _byHash.Count > 0;

    /// <summary>Finds a presented key, or null.</summary>
    /// <param name="presented">The key as UTF-8.</param>
    public ApiKey? Find(ReadOnlySpan<byte> presented)
    {
        if (presented.IsEmpty || presented.Length > MaxKeyBytes)
        {
            return null;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(presented, hash);
        return _byHash.TryGetValue(Front(hash), out (byte[] Hash, ApiKey Key) found) && CryptographicOperations.FixedTimeEquals(found.Hash, hash)
            ? found.Key
            : null;
    }

    /// <summary>Finds a presented key, or null.</summary>
    public ApiKey? Find(ReadOnlySpan<char> presented)
    {
        Span<byte> utf8 = stackalloc byte[MaxKeyBytes];
        return Encoding.UTF8.TryGetBytes(presented, utf8, out int length) ? Find(utf8[..length]) : null;
    }

    private static UInt128 Front(ReadOnlySpan<byte> hash) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash);
}

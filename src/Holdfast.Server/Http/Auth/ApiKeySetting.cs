using Microsoft.Extensions.Configuration;

namespace Holdfast.Server;

/// <summary>What the holder of a key may do.</summary>
[Flags]
public enum Roles
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Read holds, resources, spaces, events and metrics.</summary>
    Read = 1,

    /// <summary>Make, confirm, cancel, extend and return holds.</summary>
    Write = 2,

    /// <summary>Put resources, adjust supply, create spaces.</summary>
    Operate = 4,

    /// <summary>Approve what needs a second pair of eyes.</summary>
    Approve = 8,

    /// <summary>Everything.</summary>
    All = Read | Write | Operate | Approve,
}

/// <summary>An API key as it is set: the key itself, or only its SHA-256.</summary>
/// <param name="Name">Who holds it, for logs and metrics.</param>
/// <param name="Roles">What the holder may do.</param>
public sealed record ApiKeySetting(string Name, Roles Roles)
{
    /// <summary>Shortest key, in characters: a shorter one could be found by trying.</summary>
    public const int MinLength = 16;

    /// <summary>The key, or null when <see cref="Sha256"/> is given.</summary>
    public string? Key { get; init; }

    /// <summary>SHA-256 of the key in hexadecimal, or null when <see cref="Key"/> is given.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Never the secret.</summary>
    public override string ToString() => $"{Name} ({Roles})";

    internal static ApiKeySetting From(IConfigurationSection section)
    {
        string at = $"apiKeys[{section.Key}]";
        string name = section["name"] ?? "key" + section.Key;
        string? key = section["key"];
        string? hash = section["sha256"];
        if (key is null == hash is null)
        {
            throw new SettingsException($"{at} ({name}): set key, or sha256 (the key's SHA-256 in hexadecimal), and not both.");
        }

        if (key is { Length: < MinLength })
        {
            throw new SettingsException($"{at} ({name}): the key is shorter than {MinLength} characters; make one with: openssl rand -hex 24");
        }

        if (hash is not null && (hash.Length != 64 || !hash.All(char.IsAsciiHexDigit)))
        {
            throw new SettingsException($"{at} ({name}): sha256 must be 64 hexadecimal digits; make it with: printf %s KEY | sha256sum");
        }

        // A list in the file; one text with commas in the environment.
        string[] names = section["roles"]?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            ?? [.. section.GetSection("roles").GetChildren().Select(r => r.Value ?? "")];
        var roles = Roles.None;
        foreach (string role in names)
        {
            roles |= role.ToLowerInvariant() switch
            {
                "read" => Roles.Read,
                "write" => Roles.Write,
                "operate" => Roles.Operate,
                "approve" => Roles.Approve,
                _ => throw new SettingsException($"{at} ({name}): there is no role '{role}'. Roles: read, write, operate, approve."),
            };
        }

        return roles == Roles.None
            ? throw new SettingsException($"{at} ({name}): no roles. Give some of: read, write, operate, approve.")
            : new ApiKeySetting(name, roles) { Key = key, Sha256 = hash };
    }
}

using System.Security.Cryptography;
using Holdfast.Engine.Effects;

namespace Holdfast.Server;

/// <summary>The secret that signs calls to participants, when the settings name none: made once, readable by the server's user only.</summary>
public static class SigningSecretFile
{
    /// <summary>The file's name in the data folder.</summary>
    public const string Name = "signing-secret";

    private const int SecretBytes = 32;

    /// <summary>The keys that the settings mean.</summary>
    /// <exception cref="SettingsException">The file can't be read, written, or understood.</exception>
    internal static IReadOnlyList<SigningKey> Keys(ServerSettings settings)
    {
        if (settings.SigningSecrets.Count > 0)
        {
            return [.. settings.SigningSecrets.Select(SigningKey.Parse)];
        }

        if (settings.Journal == JournalKind.Memory)
        {
            return [SigningKey.Parse(Make())]; // nothing of such a server outlives it
        }

        string path = Path.Join(settings.Data, Name);
        try
        {
            // An empty one has signed nothing: a server that could not write it, or was not able to make it durable, left it.
            if (!File.Exists(path) || new FileInfo(path).Length == 0)
            {
                Directory.CreateDirectory(settings.Data);
                Write(path, Make());
            }

            return [SigningKey.Parse(File.ReadAllText(path).Trim())];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SettingsException($"{path}: {e.Message} Name the secret in signingSecrets, or remove the file and one is made.", e);
        }
    }

    private static string Make() => SigningKey.Format(RandomNumberGenerator.GetBytes(SecretBytes));

    private static void Write(string path, string secret)
    {
        // Whole and on the disk before it has its name: what was handed to participants must be there after a crash.
        string beside = path + ".new";
        File.Delete(beside);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var file = new FileStream(beside, options))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(secret + "\n"));
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
    }
}

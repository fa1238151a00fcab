using System.Globalization;

namespace FlashSaleShop.Shop;

/// <summary>What the command line asks for.</summary>
internal sealed record ShopSettings
{
    public int Purchases { get; init; } = 300;

    public int Units { get; init; } = 150;

    public int Kills { get; init; } = 2;

    public int Callers { get; init; } = 32;

    /// <summary>Share of calls that fail, stall or lose their answer.</summary>
    public double Faults { get; init; } = 0.2;

    /// <summary>A fault in a participant, which the comparison must find: for the tests.</summary>
    public string Planted { get; init; } = "none";

    /// <summary>Npgsql connection strings by service; SQLite files where there is none.</summary>
    public IReadOnlyDictionary<string, string> Databases { get; init; } = new Dictionary<string, string>();

    /// <summary>Reads "--name value" and "--name=value".</summary>
    /// <exception cref="FormatException">What is said can't be understood; the message says why.</exception>
    public static ShopSettings Parse(string[] args)
    {
        var settings = new ShopSettings();
        for (int i = 0; i < args.Length; i++)
        {
            string[] parts = args[i].Split('=', 2);
            string name = parts[0];
            string value = parts.Length == 2 ? parts[1] : i + 1 < args.Length && IsOption(name) ? args[++i] : "";
            settings = name switch
            {
                "--purchases" => settings with { Purchases = Number(name, value, 1, 10_000_000) },
                "--units" => settings with { Units = Number(name, value, 1, 10_000_000) },
                "--kills" => settings with { Kills = Number(name, value, 0, 1_000) },
                "--callers" => settings with { Callers = Number(name, value, 1, 10_000) },
                "--faults" => settings with { Faults = Share(name, value) },
                "--planted" => settings with { Planted = Text(name, value) },
                "--orders-db" or "--points-db" or "--coupons-db" => settings with { Databases = new Dictionary<string, string>(settings.Databases) { [name[2..^3]] = Text(name, value) } },
                _ => throw new FormatException($"there is no option '{name}'."),
            };
        }

        return settings;
    }

    private static bool IsOption(string text) => text.StartsWith("--", StringComparison.Ordinal);

    private static string Text(string name, string value) => value.Length > 0 && !IsOption(value) ? value : throw new FormatException($"{name} needs a value.");

    private static int Number(string name, string value, int least, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} must be a whole number from {least} to {most}."));

    private static double Share(string name, string value) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double share) && share is >= 0 and < 1
            ? share
            : throw new FormatException($"{name} must be a number from 0 to below 1, for example 0.2.");
}

using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Server.Outlets;
using Microsoft.Extensions.Configuration;

namespace Holdfast.Server;

/// <summary>Where a server keeps its journals.</summary>
public enum JournalKind
{
    /// <summary>SQLite files in the data folder.</summary>
    Sqlite,

    /// <summary>A PostgreSQL database.</summary>
    Postgres,

    /// <summary>Memory: nothing survives the process. For tests and trials.</summary>
    Memory,
}

/// <summary>
/// Settings of a server. <see cref="Load"/> reads them, each source over the one before: the defaults, <c>holdfast.json</c>
/// in the working folder, the environment (<c>HOLDFAST_HTTP</c>, <c>HOLDFAST_APIKEYS__0__KEY</c>), the command line.
/// </summary>
public sealed record ServerSettings
{
    /// <summary>The file that is read in the working folder.</summary>
    public const string FileName = "holdfast.json";

    private const string EnvironmentPrefix = "HOLDFAST_";
    private const int RetentionHoursMax = 366 * 24;

    private static readonly string[] Known =
        ["data", "http", "resp", "journal", "connection", "apiKeys", "otlp", "maxConnections", "queueCapacity", "retentionHours", "checkoutRetentionHours", "snapshotEveryEvents", "signingSecrets", "channels", "outlets"];

    /// <summary>Folder of the journal's and the views' files. Default <c>./data</c>.</summary>
    public string Data { get; init; } = "./data";

    /// <summary>Where HTTP listens. Default 127.0.0.1:7070; port 0 takes any free one.</summary>
    public IPEndPoint Http { get; init; } = new(IPAddress.Loopback, 7070);

    /// <summary>Where RESP listens. Default 127.0.0.1:6380; null: nowhere.</summary>
    public IPEndPoint? Resp { get; init; } = new(IPAddress.Loopback, 6380);

    /// <summary>Where the journals are. Default SQLite.</summary>
    public JournalKind Journal { get; init; }

    /// <summary>Npgsql connection string of the PostgreSQL journal.</summary>
    public string? Connection { get; init; }

    /// <summary>The API keys; empty: everybody who can connect may do everything, and only loopback may be listened on.</summary>
    public IReadOnlyList<ApiKeySetting> ApiKeys { get; init; } = [];

    /// <summary>OTLP endpoint that traces and metrics are sent to, for example <c>http://localhost:4317</c>; null: nowhere.</summary>
    public Uri? Otlp { get; init; }

    /// <summary>Most open connections, HTTP and RESP each. One more is closed at once.</summary>
    public int MaxConnections { get; init; } = 16_384;

    /// <summary>
    /// Secrets (<c>whsec_...</c>) that sign the calls to participants: the first ones in use, several while one is being
    /// replaced. Empty: the server makes one at its first start and keeps it in the data folder, in <see cref="SigningSecretFile.Name"/>.
    /// </summary>
    public IReadOnlyList<string> SigningSecrets { get; init; } = [];

    /// <summary>
    /// Payment channels by name: the same objects as <c>holdfast channel verify</c> takes. Of a name that is not a kind,
    /// <c>type</c> says which kind it is. Changed in the file, they are in use within a second or two.
    /// </summary>
    public JsonObject Channels { get; init; } = [];

    /// <summary>
    /// Where the shop's own services hear of checkouts, by name: <c>{"url":"https://...","secrets":["whsec_..."]}</c> (Standard
    /// Webhooks) or <c>{"uri":"amqp://...","exchange":"holdfast"}</c> (RabbitMQ); with <c>events</c> only some types.
    /// </summary>
    public JsonObject Outlets { get; init; } = [];

    /// <summary>The file that was read; null: none.</summary>
    internal string? File { get; init; }

    /// <summary>Reads the settings again; null: they didn't come from a file.</summary>
    internal Func<ServerSettings>? Reload { get; init; }

    /// <summary>What the provider inside this server signs with, where its channel names nothing.</summary>
    internal Lazy<string> SimulatorSecret { get; init; } = new(static () => SigningKey.Format(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)));

    /// <summary>Most requests that wait for a space's loop; one more is answered <c>overloaded</c>.</summary>
    public int QueueCapacity { get; init; } = 65_536;

    /// <summary>
    /// How long finished holds and ended transactions stay known, in hours: a retry within it gets its answer again, one
    /// that was issued before it is <c>too_old</c>. Default 24.
    /// </summary>
    public int RetentionHours { get; init; } = 24;

    /// <summary>
    /// How long finished checkouts stay known, in hours. Default 168, a week. A payment that comes later is kept in suspense,
    /// and refunds go through suspense or the provider. Each takes some kilobytes of memory.
    /// </summary>
    public int CheckoutRetentionHours { get; init; } = 168;

    /// <summary>
    /// A snapshot is taken after this many events. Default 5,000,000: some seconds of replay at most at a start. It costs as
    /// much memory again as the state takes, and a processor's time beside the loop.
    /// </summary>
    public int SnapshotEveryEvents { get; init; } = 5_000_000;

    /// <summary>Reads the settings and checks each.</summary>
    /// <param name="overrides">What the command line says, under the names of the file; a null value counts as not said.</param>
    /// <param name="folder">The working folder; null: the process's.</param>
    /// <exception cref="SettingsException">A setting is not usable; the message names it.</exception>
    public static ServerSettings Load(IEnumerable<KeyValuePair<string, string?>>? overrides = null, string? folder = null)
    {
        string file = Path.GetFullPath(Path.Join(folder ?? Directory.GetCurrentDirectory(), FileName));
        try
        {
            IConfigurationRoot fromFile = new ConfigurationBuilder().AddJsonFile(file, optional: true).Build();
            foreach (IConfigurationSection section in fromFile.GetChildren())
            {
                if (!Known.Contains(section.Key, StringComparer.OrdinalIgnoreCase))
                {
                    throw new SettingsException($"{file}: there is no setting '{section.Key}'. Known: {string.Join(", ", Known)}.");
                }
            }

            IConfigurationRoot fromEnvironment = new ConfigurationBuilder().AddEnvironmentVariables(EnvironmentPrefix).Build();
            CheckNamesOfKeys();
            ServerSettings settings = From(new ConfigurationBuilder()
                .AddConfiguration(fromFile)
                .AddConfiguration(fromEnvironment)
                .AddInMemoryCollection((overrides ?? []).Where(o => o.Value is not null))
                .Build());
            return settings with { File = file, Reload = () => Load(overrides, folder) };
        }
        catch (InvalidDataException e)
        {
            throw new SettingsException($"{file} can't be read as JSON: {e.GetBaseException().Message}", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new SettingsException($"{file} can't be read: {e.Message}", e);
        }
    }

    internal static ServerSettings From(IConfiguration configuration)
    {
        var defaults = new ServerSettings();
        ServerSettings settings = defaults with
        {
            Data = configuration["data"] ?? defaults.Data,
            Http = configuration["http"] is { } http ? Endpoint("http", http) : defaults.Http,
            Resp = configuration["resp"] switch
            {
                null => defaults.Resp,
                "off" => null,
                { } resp => Endpoint("resp", resp),
            },
            Journal = configuration["journal"] is { } journal ? Kind(journal) : defaults.Journal,
            Connection = configuration["connection"],
            ApiKeys = [.. Items(configuration, "apiKeys").Select(ApiKeySetting.From)],
            Otlp = (configuration["otlp"] ?? Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT")) is { Length: > 0 } otlp
                ? Address("otlp", otlp)
                : null,
            MaxConnections = Whole(configuration, "maxConnections", defaults.MaxConnections),
            Channels = Object("channels", configuration.GetSection("channels"), lowerCase: true),
            Outlets = Object("outlets", configuration.GetSection("outlets"), lowerCase: true),
            SigningSecrets = [.. Items(configuration, "signingSecrets").Select(s => s.Value ?? "")],
            QueueCapacity = Whole(configuration, "queueCapacity", defaults.QueueCapacity),
            RetentionHours = Whole(configuration, "retentionHours", defaults.RetentionHours),
            CheckoutRetentionHours = Whole(configuration, "checkoutRetentionHours", defaults.CheckoutRetentionHours),
            SnapshotEveryEvents = Whole(configuration, "snapshotEveryEvents", defaults.SnapshotEveryEvents),
        };
        settings.Check();
        return settings;
    }

    internal void Check()
    {
        if (Journal == JournalKind.Postgres && string.IsNullOrWhiteSpace(Connection))
        {
            throw new SettingsException(
                "journal is 'postgres', but connection is not set. Say where the database is: --connection \"Host=...;Username=...;Database=...\" or HOLDFAST_CONNECTION.");
        }

        if (string.IsNullOrWhiteSpace(Data))
        {
            throw new SettingsException("data is empty: name a folder, for example ./data.");
        }

        if (Data == ":memory:" || Data.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
        {
            throw new SettingsException($"data is '{Data}': it must be a folder's path, for example ./data. (To keep everything in memory, for trials: journal 'memory'.)");
        }

        if (RetentionHours > RetentionHoursMax || CheckoutRetentionHours > RetentionHoursMax)
        {
            throw new SettingsException($"retentionHours and checkoutRetentionHours may be {RetentionHoursMax} at most (a year): all that is remembered is in memory.");
        }

        foreach (string secret in SigningSecrets)
        {
            try
            {
                SigningKey.Parse(secret);
            }
            catch (ArgumentException e)
            {
                throw new SettingsException("signingSecrets: " + e.Message, e);
            }
        }

        ChannelSetup.Check(Channels);
        OutletSettings.Parse(Outlets);
        ProtectedMode.Check(this);
    }

    /// <summary>Others' variables may begin as ours do, but a key that is not read, however its name is parted, would leave the server open.</summary>
    private static void CheckNamesOfKeys()
    {
        foreach (string name in Environment.GetEnvironmentVariables().Keys)
        {
            string letters = string.Concat(name.Where(char.IsLetterOrDigit));
            string setting = name.Replace("__", ":", StringComparison.Ordinal).Split(':')[0];
            if (letters.StartsWith("HoldfastApiKey", StringComparison.OrdinalIgnoreCase)
                && !setting.Equals(EnvironmentPrefix + "apiKeys", StringComparison.OrdinalIgnoreCase))
            {
                throw new SettingsException($"There is no setting {name}. API keys are {EnvironmentPrefix}APIKEYS__0__KEY, __0__NAME and __0__ROLES.");
            }
        }
    }

    /// <summary>The items of a list. A text in its place would else count as an empty one: a server without any keys, for example.</summary>
    private static IEnumerable<IConfigurationSection> Items(IConfiguration configuration, string setting)
    {
        IConfigurationSection section = configuration.GetSection(setting);
        return string.IsNullOrEmpty(section.Value)
            ? section.GetChildren()
            : throw new SettingsException($"{setting} is a text: it must be a list, in holdfast.json [...], in the environment HOLDFAST_{setting.ToUpperInvariant()}__0 and so on.");
    }

    /// <summary>A section as the JSON it was (the configuration knows no lists: their places are names); the environment's names are in capitals, and channels' are not.</summary>
    private static JsonObject Object(string setting, IConfigurationSection section, bool lowerCase = false)
    {
        if (!string.IsNullOrEmpty(section.Value))
        {
            throw new SettingsException($"{setting} is a text: it must be an object, for example {{\"{setting}\":{{\"NAME\":{{...}}}}}}.");
        }

        var json = new JsonObject(new JsonNodeOptions { PropertyNameCaseInsensitive = true });
        foreach (IConfigurationSection child in section.GetChildren())
        {
            json[lowerCase ? child.Key.ToLowerInvariant() : child.Key] = child.Value is { } value ? JsonValue.Create(value) : Object(setting, child);
        }

        return json;
    }

    private static JournalKind Kind(string text) => text.ToLowerInvariant() switch
    {
        "sqlite" => JournalKind.Sqlite,
        "postgres" => JournalKind.Postgres,
        "memory" => JournalKind.Memory,
        _ => throw new SettingsException($"journal is '{text}': it must be sqlite, postgres or memory."),
    };

    private static IPEndPoint Endpoint(string setting, string text)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon].Trim('[', ']');
        IPAddress? address = host switch
        {
            "localhost" => IPAddress.Loopback,
            "*" => IPAddress.IPv6Any,
            _ => IPAddress.TryParse(host, out IPAddress? parsed) ? parsed : null,
        };
        return address is not null
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port)
            && port <= IPEndPoint.MaxPort
            ? new IPEndPoint(address, port)
            : throw new SettingsException($"{setting} is '{text}': it must be ADDRESS:PORT, for example 127.0.0.1:7070, [::1]:7070, or *:7070 for all addresses.");
    }

    private static Uri Address(string setting, string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            ? uri
            : throw new SettingsException($"{setting} is not an http or https address (it isn't shown here: it may have a password in it). It must be like http://localhost:4317.");

    private static int Whole(IConfiguration configuration, string setting, int otherwise) => configuration[setting] switch
    {
        null => otherwise,
        { } text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value > 0 => value,
        { } text => throw new SettingsException($"{setting} is '{text}': it must be a whole number, 1 or more."),
    };
}

using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;

namespace Holdfast.Server.Outlets;

/// <summary>
/// Where the shop's own services hear of checkouts: a webhook (<c>url</c>, Standard Webhooks) or a RabbitMQ exchange
/// (<c>uri</c>, <c>exchange</c>).
/// </summary>
internal sealed record OutletSettings(string Name)
{
    /// <summary>Where a webhook posts; null: it is RabbitMQ.</summary>
    public Uri? Url { get; init; }

    /// <summary>Keys that sign the webhook; empty: the server's own.</summary>
    public IReadOnlyList<SigningKey> Secrets { get; init; } = [];

    /// <summary>The broker.</summary>
    public Uri? Broker { get; init; }

    /// <summary>The topic exchange; made when it is missing.</summary>
    public string Exchange { get; init; } = "holdfast";

    /// <summary>Only these types (<c>checkout.paid</c>, or <c>checkout.*</c>); empty: all.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Waits before each attempt of a webhook: the specification's own schedule.</summary>
    public IReadOnlyList<TimeSpan> Schedule { get; init; } =
    [
        TimeSpan.Zero, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2),
        TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    public bool Wants(string type) => Types.Count == 0
        || Types.Any(t => t == type || (t.EndsWith(".*", StringComparison.Ordinal) && type.StartsWith(t[..^1], StringComparison.Ordinal)));

    /// <summary>Reads all outlets.</summary>
    /// <exception cref="SettingsException">One is not usable; the message names it and repeats no secret.</exception>
    public static IReadOnlyList<OutletSettings> Parse(JsonObject outlets) => [.. outlets.Select(o => Parse(o.Key, o.Value))];

    private static OutletSettings Parse(string name, JsonNode? node)
    {
        if (node is not JsonObject json)
        {
            throw Wrong(name, "its settings must be an object");
        }

        string? unknown = json.Select(m => m.Key).FirstOrDefault(k => !new[] { "url", "secrets", "uri", "exchange", "events", "scheduleSeconds" }.Contains(k, StringComparer.OrdinalIgnoreCase));
        if (unknown is not null)
        {
            throw Wrong(name, $"there is no '{unknown}'; known: url, secrets (a webhook); uri, exchange (RabbitMQ); events, scheduleSeconds");
        }

        Uri? url = Address(name, "url", (string?)json["url"], "http", "https");
        Uri? broker = Address(name, "uri", (string?)json["uri"], "amqp", "amqps");
        if ((url is null) == (broker is null))
        {
            throw Wrong(name, "give either url (a webhook) or uri (RabbitMQ)");
        }

        var settings = new OutletSettings(name) { Url = url, Broker = broker, Types = Texts(json["events"]) };
        IReadOnlyList<string> waits = Texts(json["scheduleSeconds"]);
        try
        {
            return settings with
            {
                Secrets = [.. Texts(json["secrets"]).Select(SigningKey.Parse)],
                Exchange = (string?)json["exchange"] ?? settings.Exchange,
                Schedule = waits.Count == 0 ? settings.Schedule : [.. waits.Select(w => TimeSpan.FromSeconds(double.Parse(w, System.Globalization.CultureInfo.InvariantCulture)))],
            };
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            throw Wrong(name, e is FormatException ? "scheduleSeconds must be numbers" : "a secret is not 'whsec_' followed by 24 to 64 bytes in base64");
        }
    }

    private static IReadOnlyList<string> Texts(JsonNode? node) => node switch
    {
        JsonArray list => [.. list.Select(i => i!.ToString())],
        JsonObject numbered => [.. numbered.Select(i => i.Value!.ToString())],
        JsonValue one => [one.ToString()],
        _ => [],
    };

    private static Uri? Address(string name, string setting, string? text, params string[] schemes) => text is null ? null
        : Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && schemes.Contains(uri.Scheme) ? uri
        : throw Wrong(name, $"{setting} must be an address that begins with {string.Join(":// or ", schemes)}://");

    private static SettingsException Wrong(string name, string what) => new($"outlets: '{name}': {what}.");
}

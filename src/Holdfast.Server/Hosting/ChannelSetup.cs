using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments;
using Holdfast.Server.Simulator;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// Puts the configured channels in use, and again whenever the settings' file has changed: keys are rotated without a
/// restart. A simulator channel without an address gets a provider inside this server, under /simulator.
/// </summary>
internal sealed partial class ChannelSetup(ServerSettings settings, PaymentHost payments, TimeProvider time, ILogger<ChannelSetup> logger) : BackgroundService
{
    public const string SimulatorPath = "/simulator";

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    private static readonly string[] OfTheProvider = ["seed", "faults"];

    private Uri? _address;

    /// <summary>The provider inside this server; null: there is none.</summary>
    public SimulatedProvider? Provider { get; private set; }

    /// <summary>Uses the channels that the server was started with. Called when it listens, before the spaces open.</summary>
    public void Start(Uri address)
    {
        _address = address;
        Use(settings.Channels);
    }

    /// <summary>What is wrong with the channels, before anything runs.</summary>
    /// <exception cref="SettingsException">One is not usable.</exception>
    public static void Check(JsonObject channels)
    {
        using var http = new HttpMessageInvoker(new SocketsHttpHandler());
        try
        {
            string secret = SigningKey.Format(new byte[32]);
            new PaymentChannels(http, TimeProvider.System, static () => 0).Replace(Completed(channels, new Uri("http://localhost/"), secret, out JsonObject? inside));
            if (inside is not null)
            {
                _ = (Key(inside, secret), Faults(inside), Seed(inside));
            }
        }
        catch (Exception e) when (e is ChannelConfigException or ArgumentException)
        {
            throw new SettingsException("channels: " + e.Message, e);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await (Provider?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (settings.Reload is null || settings.File is null)
        {
            return;
        }

        string? seen = Read(settings.File, out _);
        string used = settings.Channels.ToJsonString();
        using var timer = new PeriodicTimer(LookEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(static t => t is { IsCompletedSuccessfully: true, Result: true }, TaskScheduler.Default))
        {
            string? text = Read(settings.File, out string trouble);
            if (text == seen || _address is null)
            {
                continue;
            }

            seen = text;
            if (text is null)
            {
                NotUsable(logger, trouble);
                continue;
            }

            try
            {
                JsonObject channels = settings.Reload().Channels;
                RequireObject(text);
                if (channels.ToJsonString() != used)
                {
                    Use(channels);
                    used = channels.ToJsonString();
                    Changed(logger, channels.Count);
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                NotUsable(logger, e.Message);
            }
        }
    }

    /// <summary>What the file says, or null. Its time would not tell of a change: it may be a link whose target is another by now.</summary>
    private static string? Read(string file, out string trouble)
    {
        trouble = "";
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            trouble = e.Message;
            return null;
        }
    }

    /// <summary>An empty list would look like no channels at all once it has become configuration.</summary>
    private static void RequireObject(string text)
    {
        JsonNode? root = JsonNode.Parse(
            text,
            new JsonNodeOptions { PropertyNameCaseInsensitive = true },
            new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        if (root is JsonObject json && json.ContainsKey("channels") && json["channels"] is not JsonObject)
        {
            throw new SettingsException("channels must be an object, for example {\"channels\":{\"NAME\":{...}}}.");
        }
    }

    /// <summary>The simulator's settings as its channel takes them: with address, secret and callback of the provider inside.</summary>
    private static JsonObject Completed(JsonObject channels, Uri address, string secret, out JsonObject? inside)
    {
        inside = null;
        var completed = new JsonObject();
        foreach ((string name, JsonNode? node) in channels)
        {
            JsonNode? copy = node?.DeepClone();
            if (copy is JsonObject config && IsSimulator(name, config) && config["address"] is null)
            {
                inside = (JsonObject)config.DeepClone();
                foreach (string own in OfTheProvider)
                {
                    config.Remove(own);
                }

                config["address"] = new Uri(address, SimulatorPath + "/").ToString();
                config["notifyUrl"] ??= new Uri(address, "/v1/callbacks/" + Uri.EscapeDataString(name)).AbsoluteUri;
                config["secrets"] ??= new JsonArray(secret);
            }

            completed[name] = copy;
        }

        return completed;
    }

    private static bool IsSimulator(string name, JsonObject config) =>
        config["type"] is { } type ? type is JsonValue value && value.TryGetValue(out string? kind) && kind == "simulator" : name == "simulator";

    private void Use(JsonObject channels)
    {
        string secret = settings.SimulatorSecret.Value;
        JsonObject completed = Completed(channels, _address!, secret, out JsonObject? inside);
        SimulatedProvider? provider = Provider;
        if (inside is not null && provider is null)
        {
            // First, since it may fail: its file.
            provider = new SimulatedProvider(
                Key(inside, secret),
                Faults(inside),
                Seed(inside),
                time,
                settings.Journal == JournalKind.Memory ? null : Path.Join(settings.Data, "simulator.jsonl"))
            {
                CallsOnly = inside["notifyUrl"] is { } elsewhere ? new Uri(elsewhere.ToString()) : _address,
            };
        }

        payments.Channels.Replace(completed);
        Provider = provider;
    }

    /// <summary>What the provider inside signs with: the first of its own secrets, a list in whose place settings have names "0", "1" ...</summary>
    private static SigningKey Key(JsonObject inside, string otherwise) => SigningKey.Parse(inside["secrets"] switch
    {
        JsonArray { Count: > 0 } list => list[0]!.ToString(),
        JsonObject { Count: > 0 } places => places.First().Value!.ToString(),
        _ => otherwise,
    });

    private static SimulatorFaults Faults(JsonObject inside) => inside["faults"] is { } faults ? SimulatorFaults.Parse(faults.ToString()) : new SimulatorFaults();

    private static int Seed(JsonObject inside) => inside["seed"] switch
    {
        null => 1,
        { } seed when int.TryParse(seed.ToString(), CultureInfo.InvariantCulture, out int number) => number,
        { } seed => throw new SettingsException($"channels: the simulator's seed is '{seed}': it must be a whole number."),
    };

    [LoggerMessage(150, LogLevel.Information, "The settings' file has changed: {Count} payment channel(s) are in use with their new settings.")]
    private static partial void Changed(ILogger logger, int count);

    [LoggerMessage(151, LogLevel.Error, "The settings' file has changed or is gone, and can't be used, so the channels stay as they were: {Reason}")]
    private static partial void NotUsable(ILogger logger, string reason);
}

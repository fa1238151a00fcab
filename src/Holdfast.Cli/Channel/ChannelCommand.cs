using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Command = System.CommandLine.Command;

namespace Holdfast.Cli.Channel;

/// <summary><c>holdfast channel verify</c>: is this callback genuine, and what does it say?</summary>
internal static class ChannelCommand
{
    private const string VerifyDescription = """
        Verify a callback as the server does, and print what it says or why it is refused.
        Exit code 0: genuine; 1: refused; 2: the arguments are wrong.

        Settings by channel (--config, a JSON file; the server's settings take the same objects under "channels"):
          stripe             {"secrets":["whsec_..."],"toleranceSeconds":300}
          wechatpay          {"apiV3Key":"...","platformKeys":{"SERIAL":"PEM certificate or public key"},"toleranceSeconds":300}
          alipay             {"appId":"...","publicKey":"PEM key or certificate"}
          standard-webhooks  {"secrets":["whsec_..."]}

        Example:
          holdfast channel verify stripe --config stripe.json --headers headers.txt --body body.json --now 1533204720
        """;

    // For people: readable text rather than escapes, and still valid JSON.
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var channel = new Argument<string>("CHANNEL") { Description = "One of " + string.Join(", ", PaymentChannels.Kinds) + "." };
        var config = new Option<string>("--config") { Description = "The channel's settings, a JSON file.", HelpName = "FILE", Required = true };
        var headers = new Option<string>("--headers") { Description = "The callback's headers: one \"Name: value\" a line.", HelpName = "FILE", Required = true };
        var body = new Option<string>("--body") { Description = "The callback's body: the raw bytes.", HelpName = "FILE", Required = true };
        var now = WholeNumber.Optional("--now", "The time to verify at, in seconds since 1970 (default: the present).", "UNIXSECONDS", 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds());
        var verify = new Command("verify", VerifyDescription) { channel, config, headers, body, now };
        verify.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                return await VerifyAsync(
                    parsed.GetValue(channel)!, parsed.GetValue(config)!, parsed.GetValue(headers)!, parsed.GetValue(body)!, parsed.GetValue(now), cancellationToken);
            }
            catch (ChannelConfigException e)
            {
                Print.Line("{\"verified\":false,\"reason\":\"invalid_config\"}");
                Print.Error(e.Message);
                return ExitCode.Bad;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                Print.Error(e.Message);
                return ExitCode.BadArguments;
            }
        });
        return new Command("channel", "Payment channels: look at what a provider sent.") { verify };
    }

    private static async Task<int> VerifyAsync(string name, string config, string headers, string body, long? now, CancellationToken cancellationToken)
    {
        using var http = new HttpMessageInvoker(new SocketsHttpHandler());
        IPaymentChannel channel = Channel(http, name, await JsonAsync(config, cancellationToken));
        var request = new CallbackRequest(await HeadersAsync(headers, cancellationToken), await File.ReadAllBytesAsync(body, cancellationToken));
        CallbackVerdict verdict = channel.Verify(request, now is { } seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : TimeProvider.System.GetUtcNow());
        JsonObject answer = verdict.Notice is { } notice
            ? new JsonObject { ["verified"] = true, ["event"] = Event(notice, verdict.Content) }
            : new JsonObject { ["verified"] = false, ["reason"] = verdict.Reason };
        Print.Line(answer.ToJsonString(Readable));
        return verdict.Notice is null ? ExitCode.Bad : ExitCode.Good;
    }

    private static JsonObject Event(PaymentNotice notice, JsonNode? content)
    {
        var shown = new JsonObject
        {
            ["channel"] = notice.Channel,
            ["id"] = notice.EventId,
            ["type"] = notice.Type,
            ["kind"] = JsonNamingPolicy.CamelCase.ConvertName(notice.Kind.ToString()),
        };
        Add(shown, "checkout", notice.Checkout);
        Add(shown, "transaction", notice.Transaction);
        Add(shown, "refund", notice.Refund);
        if (notice.Amount != 0 || notice.Kind == NoticeKind.Paid)
        {
            shown["amount"] = new JsonObject { ["value"] = notice.Amount, ["currency"] = notice.Currency };
        }

        shown["data"] = Shown(content);
        return shown;
    }

    /// <summary>A copy that can be written: a text that is not Unicode is genuine all the same.</summary>
    private static JsonNode? Shown(JsonNode? node) => node switch
    {
        JsonObject json => new JsonObject(json.Select(static m => KeyValuePair.Create(m.Key, Shown(m.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Shown)]),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Text(value),
        _ => node?.DeepClone(),
    };

    private static string Text(JsonValue value)
    {
        try
        {
            return value.GetValue<string>();
        }
        catch (InvalidOperationException)
        {
            return "\uFFFD";
        }
    }

    private static void Add(JsonObject shown, string name, string? value)
    {
        if (value is not null)
        {
            shown[name] = value;
        }
    }

    private static IPaymentChannel Channel(HttpMessageInvoker http, string name, JsonNode? config)
    {
        try
        {
            return new PaymentChannels(http, TimeProvider.System, static () => 0).Create(name, config);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException("the settings have a name twice, in letters of another case", e);
        }
    }

    /// <summary>Whatever the case of its names, as the server reads them.</summary>
    private static async Task<JsonNode?> JsonAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return JsonNode.Parse(await File.ReadAllTextAsync(file, cancellationToken), new JsonNodeOptions { PropertyNameCaseInsensitive = true });
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not JSON: {e.Message}", e);
        }
    }

    private static async Task<Dictionary<string, string>> HeadersAsync(string file, CancellationToken cancellationToken)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        int number = 0;
        foreach (string line in await File.ReadAllLinesAsync(file, Encoding.UTF8, cancellationToken))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1)
            {
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{file}, line {number}: a header is \"Name: value\"."));
            }

            string name = line[..colon].Trim();
            string value = line[(colon + 1)..].Trim();
            headers[name] = headers.TryGetValue(name, out string? before) ? before + "," + value : value;
        }

        return headers;
    }
}

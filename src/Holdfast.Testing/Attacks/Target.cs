using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Holdfast.Engine.Effects;

namespace Holdfast.Testing.Attacks;

/// <summary>How a call of an attack differs from an honest one.</summary>
internal enum Forgery
{
    None,
    Unsigned,
    WrongKey,
    AlteredBody,
    SignedForAnother,
    NoHeaders,
    UnknownOp,

    /// <summary>Signed and named as another operation than its URL's.</summary>
    OtherOp,
}

/// <summary>The participant under attack, as its coordinator would call it.</summary>
internal sealed class Target(AttackOptions options, HttpClient http)
{
    /// <summary>The branch that most attacks are about.</summary>
    private const string Attacked = "attacked";

    private static long _numbers = RandomNumberGenerator.GetInt32(1, 1_000_000_000) * 1_000_000L;

    private readonly Dictionary<string, long> _bodies = new(StringComparer.Ordinal);

    public AttackOptions Options => options;

    /// <summary>A transaction of this attack's own.</summary>
    public string NewTransaction()
    {
        long number = Interlocked.Increment(ref _numbers);
        string id = "attack-" + number.ToString(CultureInfo.InvariantCulture);
        lock (_bodies)
        {
            _bodies[id] = number;
        }

        return id;
    }

    public Task<int> TryAsync(string transaction, TimeSpan? patience = null, Forgery forgery = Forgery.None, string branch = Attacked) =>
        SendAsync(options.Try, "try", transaction, branch, patience, forgery);

    public Task<int> ConfirmAsync(string transaction, Forgery forgery = Forgery.None, string branch = Attacked) =>
        options.Confirm is { } confirm ? SendAsync(confirm, "confirm", transaction, branch, null, forgery) : Task.FromResult(200);

    public Task<int> CancelAsync(string transaction, Forgery forgery = Forgery.None, string branch = Attacked) =>
        SendAsync(options.Cancel, "cancel", transaction, branch, null, forgery);

    /// <summary>The truth, or null when there is no probe.</summary>
    public async Task<decimal?> ProbeAsync()
    {
        if (options.Probe is null)
        {
            return null;
        }

        JsonElement root = await ReadProbeAsync(options.Probe);
        if (Number(root) is { } number)
        {
            return number;
        }

        (string Name, decimal? Value)[] numbers = root.ValueKind == JsonValueKind.Object
            ? [.. root.EnumerateObject().Select(p => (p.Name, Number(p.Value))).Where(p => p.Item2 is not null)]
            : [];
        (string Name, decimal? Value)[] named = [.. numbers.Where(p => p.Name == (options.ProbeField ?? "balance"))];
        return named.Length == 1 ? named[0].Value
            : options.ProbeField is null && numbers.Length == 1 ? numbers[0].Value
            : throw new AttackException($"The probe {options.Probe} answers no number{(options.ProbeField is null ? ": name the field" : " named " + options.ProbeField)}.");
    }

    private async Task<JsonElement> ReadProbeAsync(Uri probe)
    {
        using var late = new CancellationTokenSource(options.Timeout);
        try
        {
            using var json = JsonDocument.Parse(await http.GetStringAsync(probe, late.Token));
            return json.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new AttackException($"The probe {probe} must answer a number, or JSON with one, and answers something else: {e.Message}", e);
        }
        catch (OperationCanceledException e)
        {
            throw new AttackException($"The probe {probe} gives no answer within {options.Timeout.TotalSeconds:0.###} s.", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidOperationException)
        {
            throw new AttackException($"The probe {probe} can't be read: {e.Message}", e);
        }
    }

    private static decimal? Number(JsonElement element) => element.ValueKind == JsonValueKind.Number && element.TryGetDecimal(out decimal number) ? number : null;

    /// <summary>The status; 0: no answer in time, or the connection broke.</summary>
    private async Task<int> SendAsync(Uri url, string op, string transaction, string branch, TimeSpan? patience, Forgery forgery)
    {
        using HttpRequestMessage request = Request(url, op, transaction, branch, forgery);
        using var late = new CancellationTokenSource(patience ?? options.Timeout);
        try
        {
            using HttpResponseMessage response = await http.SendAsync(request, late.Token);
            return (int)response.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            return 0;
        }
    }

    private HttpRequestMessage Request(Uri url, string op, string transaction, string branch, Forgery forgery)
    {
        if (forgery == Forgery.OtherOp)
        {
            op = op == "cancel" ? "try" : "cancel";
        }

        long number;
        lock (_bodies)
        {
            number = _bodies[transaction];
        }

        string digits = number.ToString(CultureInfo.InvariantCulture);
        byte[] body = Encoding.UTF8.GetBytes((options.Body ?? "").Replace("{n}", digits, StringComparison.Ordinal));
        var request = new HttpRequestMessage(HttpMethod.Post, url.OriginalString.Replace("{n}", digits, StringComparison.Ordinal)) { Content = new ByteArrayContent(body) };
        if (body.Length > 0)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        }

        foreach ((string name, string value) in options.Headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (forgery != Forgery.NoHeaders)
        {
            Add("Holdfast-Transaction", transaction);
            Add("Holdfast-Branch", branch);
            Add("Holdfast-Op", forgery == Forgery.UnknownOp ? "explode" : op);
            Add("Holdfast-Attempt", "1");
        }

        if (options.Secret is { } secret && forgery != Forgery.Unsigned)
        {
            string id = $"default/{(forgery == Forgery.SignedForAnother ? NewTransaction() : transaction)}/{branch}/{op}";
            long timestamp = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var key = SigningKey.Parse(forgery == Forgery.WrongKey ? SigningKey.Format(RandomNumberGenerator.GetBytes(32)) : secret);
            Add("webhook-id", id);
            Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
            Add("webhook-signature", key.Sign(id, timestamp, body));
        }

        if (forgery == Forgery.AlteredBody)
        {
            request.Content = new ByteArrayContent([.. body, (byte)' ']);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        }

        return request;

        void Add(string name, string value) => request.Headers.TryAddWithoutValidation(name, value);
    }
}

/// <summary>The attack can't be made as asked; the message says what to do.</summary>
public sealed class AttackException(string message, Exception? inner = null) : Exception(message, inner);

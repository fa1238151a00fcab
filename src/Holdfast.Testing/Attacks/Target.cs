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
}

/// <summary>The participant under attack, as its coordinator would call it.</summary>
internal sealed class Target(AttackOptions options, HttpClient http)
{
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

    public Task<int> TryAsync(string transaction, TimeSpan? patience = null, Forgery forgery = Forgery.None) => SendAsync(options.Try, "try", transaction, patience, forgery);

    public Task<int> ConfirmAsync(string transaction) => options.Confirm is { } confirm ? SendAsync(confirm, "confirm", transaction, null, Forgery.None) : Task.FromResult(200);

    public Task<int> CancelAsync(string transaction) => SendAsync(options.Cancel, "cancel", transaction, null, Forgery.None);

    /// <summary>The truth, or null when there is no probe.</summary>
    public async Task<decimal?> ProbeAsync()
    {
        if (options.Probe is null)
        {
            return null;
        }

        string text = await http.GetStringAsync(options.Probe);
        using var json = JsonDocument.Parse(text);
        JsonElement root = json.RootElement;
        if (root.ValueKind == JsonValueKind.Number)
        {
            return root.GetDecimal();
        }

        JsonProperty[] numbers = root.ValueKind == JsonValueKind.Object ? [.. root.EnumerateObject().Where(p => p.Value.ValueKind == JsonValueKind.Number)] : [];
        JsonProperty[] named = [.. numbers.Where(p => p.Name == (options.ProbeField ?? "balance"))];
        return named.Length == 1 ? named[0].Value.GetDecimal()
            : options.ProbeField is null && numbers.Length == 1 ? numbers[0].Value.GetDecimal()
            : throw new AttackException($"The probe {options.Probe} answers no number{(options.ProbeField is null ? ": name the field" : " named " + options.ProbeField)}.");
    }

    /// <summary>The status; 0: no answer in time, or the connection broke.</summary>
    private async Task<int> SendAsync(Uri url, string op, string transaction, TimeSpan? patience, Forgery forgery)
    {
        using HttpRequestMessage request = Request(url, op, transaction, forgery);
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

    private HttpRequestMessage Request(Uri url, string op, string transaction, Forgery forgery)
    {
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
            Add("Holdfast-Branch", "attacked");
            Add("Holdfast-Op", forgery == Forgery.UnknownOp ? "explode" : op);
            Add("Holdfast-Attempt", "1");
        }

        if (options.Secret is { } secret && forgery != Forgery.Unsigned)
        {
            string id = $"default/{(forgery == Forgery.SignedForAnother ? NewTransaction() : transaction)}/attacked/{op}";
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

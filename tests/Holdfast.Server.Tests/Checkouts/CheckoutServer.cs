using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine;
using Holdfast.Engine.Effects;
using Holdfast.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests.Checkouts;

/// <summary>
/// A server with two channels: <c>psp</c> only listens (Standard Webhooks), <c>simulator</c> is called, and its provider
/// runs inside. Tests send callbacks as a provider does: over the socket, signed.
/// </summary>
public sealed class CheckoutServer : IAsyncDisposable
{
    public const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    public const long Price = 5_000;

    private static readonly SigningKey Key = SigningKey.Parse(Secret);

    private CheckoutServer(RunningServer server) => Server = server;

    public RunningServer Server { get; }

    public static async Task<CheckoutServer> StartAsync(JsonObject? more = null, CheckoutOptions? rules = null, ServerSettings? settings = null, string faults = "none")
    {
        var channels = new JsonObject
        {
            ["psp"] = new JsonObject { ["type"] = "standard-webhooks", ["secrets"] = new JsonArray(Secret) },
            ["simulator"] = new JsonObject { ["faults"] = faults },
        };
        foreach ((string name, JsonNode? config) in more ?? [])
        {
            channels[name] = config?.DeepClone();
        }

        RunningServer server = await RunningServer.StartAsync(
            (settings ?? RunningServer.Settings) with { Channels = channels },
            change: builder => builder.Services.Configure<HoldfastOptions>(o => o.Space = o.Space with { Checkouts = rules ?? o.Space.Checkouts }));
        var started = new CheckoutServer(server);
        if ((await server.GetAsync("/v1/resources/sku")).Status == 404)
        {
            await server.StockAsync("sku", 2);
        }

        return started;
    }

    public Task<Reply> BeginAsync(string id, string channel = "psp", long quantity = 1, string ttlSeconds = "600", long amount = Price, string? prefer = null) => SendAsync(
        "/v1/checkouts",
        $$"""{"id":"{{id}}","owner":"ann","lines":[{"resource":"sku","quantity":{{quantity}}}],"amount":{"value":{{amount}},"currency":"EUR"},"channel":"{{channel}}","ttlSeconds":{{ttlSeconds}}}""",
        prefer);

    public async Task<Reply> SendAsync(string path, string? body, string? prefer = null)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        if (prefer is not null)
        {
            request.Headers.Add("Prefer", prefer);
        }

        using HttpResponseMessage response = await Server.Http.SendAsync(request);
        return new Reply(
            (int)response.StatusCode,
            await response.Content.ReadAsStringAsync(),
            response.Content.Headers.ContentType?.MediaType,
            response.Headers.Location?.OriginalString,
            response.Headers.RetryAfter?.Delta);
    }

    /// <summary>A signed callback of <c>psp</c>; the status.</summary>
    public Task<int> TellAsync(string type, string checkout, string transaction = "p1", long amount = Price, string currency = "EUR", string? refund = null, string? eventId = null, long ageSeconds = 0)
    {
        string body = new JsonObject
        {
            ["type"] = type,
            ["data"] = new JsonObject
            {
                ["checkout"] = checkout,
                ["transaction"] = transaction,
                ["amount"] = new JsonObject { ["value"] = amount, ["currency"] = currency },
                ["refund"] = refund,
            },
        }.ToJsonString();
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        return PostAsync("/v1/callbacks/psp", bytes, Signed(eventId ?? $"{type}-{checkout}-{transaction}-{refund}", bytes, ageSeconds));
    }

    /// <summary>The headers of a callback of <c>psp</c>.</summary>
    public static (string Name, string Value)[] Signed(string eventId, byte[] body, long ageSeconds = 0)
    {
        long timestamp = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - ageSeconds;
        return [("webhook-id", eventId), ("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture)), ("webhook-signature", Key.Sign(eventId, timestamp, body))];
    }

    public async Task<int> PostAsync(string path, byte[] body, params (string Name, string Value)[] headers) => (await PostForReplyAsync(path, body, headers)).Status;

    public async Task<Reply> PostForReplyAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using HttpResponseMessage response = await Server.Http.SendAsync(request);
        return new Reply((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Content.Headers.ContentType?.MediaType, null, response.Headers.RetryAfter?.Delta);
    }

    public async Task<JsonObject> CheckoutAsync(string id, string? prefer = null) => (await SendAsync("/v1/checkouts/" + id, null, prefer)).Json;

    public async Task<string> MoneyAsync(string id)
    {
        JsonObject view = await CheckoutAsync(id);
        return $"{view["state"]}: {string.Join(' ', view["payments"]!.AsArray().Select(p => $"{p!["transaction"]}={p["use"]}"))} | {string.Join(' ', view["refunds"]!.AsArray().Select(r => $"{r!["id"]}={r["state"]}:{r["amount"]!["value"]}"))}";
    }

    /// <summary>Available, held, consumed of <c>sku</c>.</summary>
    public async Task<(long Available, long Held, long Consumed)> BucketsAsync()
    {
        JsonObject sku = (await Server.GetAsync("/v1/resources/sku")).Json;
        return ((long)sku["available"]!, (long)sku["held"]!, (long)sku["consumed"]!);
    }

    public async Task<string> MetricAsync(string name) =>
        (await Server.GetAsync("/metrics")).Text.Split('\n').FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal))?.Split(' ')[^1] ?? "0";

    public Task<Reply> PayAsync(string id, string? query = null) => SendAsync($"/simulator/pay/default/{id}{query}", "");

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

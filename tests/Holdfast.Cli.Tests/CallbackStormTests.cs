using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Cli.Demo;
using Holdfast.Cli.Demo.Payments;
using Holdfast.Client;
using Holdfast.Engine.Effects;
using Holdfast.TestKit;

namespace Holdfast.Cli.Tests;

/// <summary>
/// 20,000 checkouts on a real server, every callback sent one to five times from parallel connections in random order, a
/// tenth forged, the server killed five times: each payment is counted once, each confirmed hold is paid, each paid
/// checkout is confirmed or its money goes back.
/// </summary>
public sealed class CallbackStormTests(ITestOutputHelper output) : IDisposable
{
    private const int Checkouts = 20_000;
    private const int Units = 19_000;
    private const int Kills = 5;
    private const int AtOnce = 64;
    private const long Price = 1_999;

    private readonly TempFolder _folder = new();
    private readonly SigningKey _key = SigningKey.Parse(SigningKey.Format(Encoding.ASCII.GetBytes("the provider's key of this test!")));
    private readonly SigningKey _forger = SigningKey.Parse(SigningKey.Format(Encoding.ASCII.GetBytes("a forger's key, as long as that.")));
    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = AtOnce, ActivityHeadersPropagator = null }) { Timeout = TimeSpan.FromSeconds(20) };

    [Fact]
    public async Task E25_E26_E28_E32_E34_E40_a_storm_of_callbacks_counts_each_payment_once()
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var server = new ServerProcess(_folder.Path, FreePort.Next(), FreePort.Next());
        server.Environment["HOLDFAST_CHANNELS__PSP__TYPE"] = "standard-webhooks";
        server.Environment["HOLDFAST_CHANNELS__PSP__SECRETS__0"] = SigningKey.Format(Encoding.ASCII.GetBytes("the provider's key of this test!"));
        server.Start();
        await server.WaitReadyAsync();
        using var shop = new CheckoutHttp(server.HttpAddress);
        await StockAsync(server);

        // Some pay twice, some another amount, some after they cancelled; a few orders are nobody's.
        List<Callback> payments = [.. Enumerable.Range(0, Checkouts).SelectMany(i => PaymentsOf(i, random))];
        List<Callback> storm = [.. payments.SelectMany(p => Enumerable.Repeat(p, random.Next(1, 6)))];
        storm.AddRange(storm.Take(storm.Count / 10).Select(p => p with { Forged = true, Transaction = p.Transaction + "-forged" }).ToArray());
        Callback[] sent = [.. storm];
        random.Shuffle(sent);

        var refused = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(Enumerable.Range(0, Checkouts), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, stopping) =>
        {
            (HttpStatusCode status, _) = await shop.SendAsync(HttpMethod.Post, "/v1/checkouts", Checkout(i), "respond-async", stopping);
            if (status == HttpStatusCode.Conflict)
            {
                refused["c" + i] = true;
            }
            else if (i % 25 == 0)
            {
                await shop.SendAsync(HttpMethod.Post, $"/v1/checkouts/c{i}/cancel", [], null, stopping);
            }
        });

        int done = 0, badAnswers = 0, forgedTaken = 0;
        Task killing = KillAsync(server, () => Volatile.Read(ref done), sent.Length);
        await Parallel.ForEachAsync(sent, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (callback, stopping) =>
        {
            int status = await DeliverAsync(server, callback, stopping);
            Interlocked.Add(ref forgedTaken, callback.Forged && status != 401 ? 1 : 0);
            Interlocked.Add(ref badAnswers, !callback.Forged && status != 204 ? 1 : 0);
            Interlocked.Increment(ref done);
        });
        await killing;
        forgedTaken.ShouldBe(0, "a forged callback was not answered 401");
        badAnswers.ShouldBe(0, "a genuine callback was not acknowledged");

        await JudgeAsync(server, shop, payments, refused);
        (await server.StopAsync()).ShouldBe(0);
    }

    public void Dispose()
    {
        _http.Dispose();
        _folder.Dispose();
    }

    private static IEnumerable<Callback> PaymentsOf(int i, Random random)
    {
        string order = i % 200 == 7 ? "nobody-" + i : "c" + i;
        yield return new Callback(order, $"p{i}", random.Next(50) == 0 ? Price - 1 : Price);
        if (random.Next(30) == 0)
        {
            yield return new Callback(order, $"p{i}-again", Price);
        }
    }

    private async Task JudgeAsync(ServerProcess server, CheckoutHttp shop, List<Callback> payments, ConcurrentDictionary<string, bool> refused)
    {
        List<JsonObject> checkouts = await shop.ListAsync("/v1/checkouts", default);
        List<JsonObject> suspense = await shop.ListAsync("/v1/suspense", default);
        checkouts.Count.ShouldBe(Checkouts - refused.Count);
        var uses = new Dictionary<string, string>(StringComparer.Ordinal);
        int paid = 0;
        foreach (JsonObject checkout in checkouts.Concat(suspense))
        {
            string id = (string)checkout["id"]!, state = (string)checkout["state"]!;
            JsonArray own = checkout["payments"]!.AsArray();
            foreach (JsonNode? payment in own)
            {
                uses.TryAdd((string)payment!["transaction"]!, (string)payment["use"]!).ShouldBeTrue($"{payment["transaction"]} is counted twice");
            }

            own.Count(p => (string)p!["use"]! == "order").ShouldBe(state == "paid" ? 1 : 0, $"{id} is {state}");
            paid += state == "paid" ? 1 : 0;
            foreach (JsonNode? payment in own.Where(p => (string)p!["use"]! == "goes_back"))
            {
                checkout["refunds"]!.AsArray().Count(r => (string)r!["transaction"]! == (string)payment!["transaction"]!).ShouldBe(1, $"{id}: {payment!["transaction"]} goes back once");
            }
        }

        uses.Count.ShouldBe(payments.Count, "every payment is known, and no forged one");
        payments.ShouldAllBe(p => uses.ContainsKey(p.Transaction));
        using JsonDocumentOf resource = new(await _http.GetStringAsync(new Uri(server.HttpAddress, "/v1/resources/sku")));
        resource.Number("consumed").ShouldBe(paid, "each paid checkout's unit is consumed, and no other");

        // A conflict keeps its hold, unless it came to light after the hold had expired.
        int held = checkouts.Count(c => (string)c["state"]! == "pending");
        foreach (JsonObject conflicted in checkouts.Where(c => (string)c["state"]! == "conflicted"))
        {
            (_, JsonObject hold) = await shop.SendAsync(HttpMethod.Get, "/v1/holds/" + conflicted["hold"], null, null, default);
            string holdState = (string)hold["state"]!;
            held += holdState == "held" ? 1 : 0;
            bool mayHaveExpired = ((string)conflicted["id"]!).EndsWith('3');
            (holdState == "held" || (mayHaveExpired && holdState == "cancelled")).ShouldBeTrue($"{conflicted["id"]}: its hold is {holdState}");
        }

        resource.Number("held").ShouldBe(held);
        (resource.Number("available") + resource.Number("held") + resource.Number("consumed")).ShouldBe(Units);
        paid.ShouldBeGreaterThan(Checkouts * 8 / 10);
        suspense.Count.ShouldBeGreaterThan(50);
        uses.Values.Count(u => u == "conflicted").ShouldBeGreaterThan(50);
        uses.Values.Count(u => u == "goes_back").ShouldBeGreaterThan(200);
        output.WriteLine($"{paid} paid, {refused.Count} refused, {suspense.Count} in suspense, {uses.Values.Count(u => u == "goes_back")} go back, {uses.Values.Count(u => u == "conflicted")} conflicted");
    }

    private static async Task KillAsync(ServerProcess server, Func<int> done, int callbacks)
    {
        for (int kill = 1; kill <= Kills; kill++)
        {
            while (done() < callbacks * kill / (Kills + 1))
            {
                await Task.Delay(2);
            }

            await server.KillAsync();
            server.Start();
            await server.WaitReadyAsync();
        }
    }

    /// <summary>As a provider does: until it is acknowledged.</summary>
    private async Task<int> DeliverAsync(ServerProcess server, Callback callback, CancellationToken stopping)
    {
        byte[] body = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["type"] = "payment.succeeded",
            ["data"] = new JsonObject
            {
                ["checkout"] = callback.Order,
                ["transaction"] = callback.Transaction,
                ["amount"] = new JsonObject { ["value"] = callback.Amount, ["currency"] = "EUR" },
            },
        }.ToJsonString());
        for (int attempt = 0; ; attempt++)
        {
            long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(server.HttpAddress, "/v1/callbacks/psp")) { Content = new ByteArrayContent(body) };
            request.Headers.TryAddWithoutValidation("webhook-id", "evt-" + callback.Transaction);
            request.Headers.TryAddWithoutValidation("webhook-timestamp", now.ToString(CultureInfo.InvariantCulture));
            request.Headers.TryAddWithoutValidation("webhook-signature", (callback.Forged ? _forger : _key).Sign("evt-" + callback.Transaction, now, body));
            try
            {
                using HttpResponseMessage response = await _http.SendAsync(request, stopping);
                if (attempt > 400 || response.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests))
                {
                    return (int)response.StatusCode;
                }
            }
            catch (Exception e) when (attempt < 400 && e is HttpRequestException or IOException or TaskCanceledException)
            {
                // The server is away.
            }

            await Task.Delay(Math.Min(500, 20 * (attempt + 1)), stopping);
        }
    }

    private static JsonObject Checkout(int i) => new()
    {
        ["id"] = "c" + i,
        ["owner"] = "ann-" + i,
        ["lines"] = new JsonArray(new JsonObject { ["resource"] = "sku", ["quantity"] = 1 }),
        ["amount"] = new JsonObject { ["value"] = Price, ["currency"] = "EUR" },
        ["channel"] = "psp",
        ["ttlSeconds"] = i % 10 == 3 ? 1 : 3_600, // a tenth is paid after its hold has expired
    };

    private static async Task StockAsync(ServerProcess server)
    {
        await using var clients = new SaleClients(server, 1);
        (await clients.Http.PutResourceAsync("sku", new ResourcePolicy(), CancellationToken.None)).EnsureSucceeded();
        (await clients.Http.AdjustAsync("sku", Adjustment.By(Units, "for the storm", "opening"), CancellationToken.None)).EnsureSucceeded();
    }

    private sealed record Callback(string Order, string Transaction, long Amount, bool Forged = false);

    private sealed class JsonDocumentOf(string text) : IDisposable
    {
        private readonly System.Text.Json.JsonDocument _document = System.Text.Json.JsonDocument.Parse(text);

        public long Number(string name) => _document.RootElement.GetProperty(name).GetInt64();

        public void Dispose() => _document.Dispose();
    }
}

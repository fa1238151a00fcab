using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Holdfast.Client;
using Holdfast.Server.Simulator;

namespace Holdfast.Cli.Demo.Payments;

/// <summary>
/// The part of the demo that is paid for: shoppers check out, pay at the simulated provider whose callbacks come badly, or
/// don't; the server is killed in the middle. Too few units for all, so that money that comes too late finds none.
/// </summary>
internal sealed class PaymentSale(DemoSettings settings, ServerProcess server, SimulatedProvider provider, SaleBoard board)
{
    public const string Resource = "sku-2";
    public const long Price = 1_999;
    public const string Currency = "EUR";

    private const int AtOnce = 128;
    private const double TimeToPaySeconds = 3;

    private readonly ConcurrentBag<Payer> _payers = [];

    public async Task<PaymentAudit> RunAsync(IHoldfastClient client, CancellationToken cancellationToken)
    {
        int payers = settings.Payers;
        long units = Math.Max(1, payers * 3L / 4);
        (await client.PutResourceAsync(Resource, new ResourcePolicy(), cancellationToken)).EnsureSucceeded();
        (await client.AdjustAsync(Resource, Adjustment.By(units, "for the sale", "opening-stock-2"), cancellationToken)).EnsureSucceeded();
        using var http = new CheckoutHttp(server.HttpAddress);
        board.Stage = "payments";
        int gone = 0;
        Task killing = KillAsync(() => Volatile.Read(ref gone), payers, cancellationToken);
        await Parallel.ForEachAsync(Enumerable.Range(0, payers), new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (number, stopping) =>
        {
            var payer = new Payer(number, settings.Seed);
            _payers.Add(payer);
            await payer.ShopAsync(http, stopping);
            Interlocked.Increment(ref gone);
            board.PayerLeft();
        });
        await killing;

        board.Stage = "late payments and refunds";
        List<JsonObject> checkouts = await SettledAsync(http, cancellationToken);
        Client.Resource counted = (await client.GetResourceAsync(Resource, cancellationToken))!;
        return PaymentAudit.Of([.. _payers], checkouts, provider.Books, counted.Consumed, counted.Held, units - counted.Available - counted.Held - counted.Consumed);
    }

    private async Task KillAsync(Func<int> gone, int payers, CancellationToken cancellationToken)
    {
        for (int kill = 0; kill < Math.Min(1, settings.Kills); kill++)
        {
            while (gone() < payers * 4 / 10)
            {
                await Task.Delay(2, cancellationToken);
            }

            board.Stage = "killed";
            await server.KillAsync();
            board.Kills++;
            server.Start();
            await server.WaitReadyAsync(cancellationToken);
            board.Stage = "payments";
        }
    }

    /// <summary>
    /// Waits until every checkout is final, every refund that is due has been made, and the provider has told of every
    /// payment; not for ever: what is missing then, the audit finds.
    /// </summary>
    private async Task<List<JsonObject>> SettledAsync(CheckoutHttp http, CancellationToken cancellationToken)
    {
        TimeSpan patience = TimeSpan.FromSeconds(60);
        TimeSpan quietNeeded = TimeSpan.FromSeconds(3); // a shopper's payment may still be underway at the provider
        var waited = Stopwatch.StartNew();
        var quiet = new Stopwatch();
        int seen = -1;
        while (true)
        {
            List<JsonObject> all = await http.ListAsync("/v1/checkouts", cancellationToken);
            int payments = provider.Books.Payments;
            bool over = all.All(c => (string)c["state"]! is not ("pending" or "closing") && c["refunds"]!.AsArray().All(r => (string)r!["state"]! != "pending"))
                && all.Sum(c => c["payments"]!.AsArray().Count) == payments;
            if (!over || payments != seen)
            {
                quiet.Restart();
                seen = payments;
            }

            if (quiet.Elapsed > quietNeeded || waited.Elapsed > patience)
            {
                return all;
            }

            await Task.Delay(250, cancellationToken);
        }
    }

    /// <summary>One shopper who checks out, and what the shopper was told.</summary>
    internal sealed class Payer(int number, int seed)
    {
        private readonly Random _random = new(HashCode.Combine(seed, number, 4));

        public string Id { get; } = "order-" + number;

        public bool ToldPaid { get; private set; }

        public bool Refused { get; private set; }

        public async Task ShopAsync(CheckoutHttp http, CancellationToken cancellationToken)
        {
            double mood = _random.NextDouble();
            (HttpStatusCode status, JsonObject checkout) = await http.SendAsync(
                HttpMethod.Post,
                "/v1/checkouts",
                new JsonObject
                {
                    ["id"] = Id,
                    ["owner"] = "payer-" + number,
                    ["lines"] = new JsonArray(new JsonObject { ["resource"] = Resource, ["quantity"] = 1 }),
                    ["amount"] = new JsonObject { ["value"] = Price, ["currency"] = Currency },
                    ["channel"] = "simulator",
                    ["ttlSeconds"] = TimeToPaySeconds,
                },
                null,
                cancellationToken);
            if (status == HttpStatusCode.Conflict)
            {
                Refused = true;
                return;
            }

            if (mood < 0.05)
            {
                await http.SendAsync(HttpMethod.Post, $"/v1/checkouts/{Id}/cancel", [], null, cancellationToken);
            }

            if (mood is >= 0.15 or < 0.02 && (string?)checkout["payUrl"] is { } payUrl)
            {
                await http.PayAsync(payUrl, cancellationToken);
                (_, JsonObject after) = await http.SendAsync(HttpMethod.Get, "/v1/checkouts/" + Id, null, "wait=1", cancellationToken);
                ToldPaid = (string?)after["state"] == "paid";
            }
        }
    }
}

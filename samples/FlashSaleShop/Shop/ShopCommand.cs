using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FlashSaleShop.Services;
using Holdfast.Cli.Demo;
using Holdfast.Client;

namespace FlashSaleShop.Shop;

/// <summary>
/// Opens the shop, lets buyers buy through TCC, saga and message while services have bad days and the coordinator is
/// killed, and then compares all books.
/// </summary>
internal static class ShopCommand
{
    private const string Usage = """
        FlashSaleShop [--purchases N] [--units N] [--faults SHARE] [--kills N] [--callers N] [--orders-db C] [--points-db C] [--coupons-db C]

          --purchases N   how many (default 300): two thirds TCC, the rest saga and message
          --units N       units of the flash sale's item (default 150)
          --faults SHARE  share of calls that fail, stall or lose their answer (default 0.2)
          --kills N       how often the coordinator is killed on the way (default 2)
          --callers N     purchases at the same time (default 32)
          --orders-db, --points-db, --coupons-db CONNECTION
                          databases (Npgsql connection strings); default: SQLite files in a temporary folder

        Exit status: 0 all books agree, 1 they don't (or it was stopped), 2 wrong usage, or the shop can't open.
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Contains("--help") || args.Contains("-h"))
        {
            Console.WriteLine(Usage);
            return 0;
        }

        ShopSettings settings;
        try
        {
            settings = ShopSettings.Parse(args);
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine($"error: {e.Message} --help tells what there is.");
            return 2;
        }

        using var stopped = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT, stopped);
        using PosixSignalRegistration terminate = OnSignal(PosixSignal.SIGTERM, stopped);
        using PosixSignalRegistration hangUp = OnSignal(PosixSignal.SIGHUP, stopped);
        string folder = Directory.CreateTempSubdirectory("flash-sale-shop-").FullName;
        try
        {
            using var shop = new Town(settings, folder);
            try
            {
                await shop.OpenAsync().WaitAsync(stopped.Token);
            }
            catch (Exception e) when (e is InvalidOperationException or TimeoutException)
            {
                Console.Error.WriteLine("error: the shop can't open: " + e.Message);
                return 2;
            }

            return await shop.SellAsync().WaitAsync(stopped.Token) ? 0 : 1;
        }
        catch (OperationCanceledException) when (stopped.IsCancellationRequested)
        {
            Console.Error.WriteLine("error: stopped before the end");
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, CancellationTokenSource stopped) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            // Not at once: the processes must be ended and the folder removed.
            context.Cancel = true;
            stopped.Cancel();
        });

    private sealed class Town : IDisposable
    {
        private readonly ChildProcess _coordinator, _orders, _points, _coupons;
        private readonly string _ordersUrl, _pointsUrl, _couponsUrl;
        private readonly IHoldfastClient _client;
        private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };
        private readonly int _purchases, _units, _kills, _callers;
        private readonly ConcurrentDictionary<string, string> _kinds = new(StringComparer.Ordinal);
        private int _done;

        public Town(ShopSettings settings, string folder)
        {
            _purchases = settings.Purchases;
            _units = settings.Units;
            _kills = settings.Kills;
            _callers = settings.Callers;
            string faults = settings.Faults.ToString(CultureInfo.InvariantCulture);
            string secret = "whsec_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
            int port = FreePort.Next();
            string coordinator = Url(port);
            _client = HoldfastClient.Connect(new HoldfastClientOptions
            {
                HttpAddress = new Uri(coordinator),
                SigningSecret = secret,
                Retry = new RetryOptions { MaxAttempts = 40, OverallTimeout = TimeSpan.FromSeconds(60) },
            });
            _coordinator = new ChildProcess(
                "coordinator", coordinator + "/health/ready", "coordinator", "--data", Path.Join(folder, "holdfast"), "--port", port.ToString(CultureInfo.InvariantCulture), "--secret", secret);
            (_orders, _ordersUrl) = Service("orders");
            (_points, _pointsUrl) = Service("points");
            (_coupons, _couponsUrl) = Service("coupons");

            (ChildProcess Process, string Url) Service(string name)
            {
                string url = Url(FreePort.Next());
                string database = settings.Databases.GetValueOrDefault(name) ?? $"Data Source={Path.Join(folder, name + ".db")}";
                return (new ChildProcess(name, url + "/health", name, "--http", url, "--db", database, "--secret", secret, "--coordinator", coordinator, "--faults", faults, "--planted", settings.Planted), url);
            }
        }

        public async Task OpenAsync()
        {
            Console.WriteLine("opening: coordinator, orders, points and coupons, a process and a database each");
            await Task.WhenAll(_coordinator.StartAsync(), _orders.StartAsync(), _points.StartAsync(), _coupons.StartAsync());
            (await _client.PutResourceAsync("sku-1", new ResourcePolicy())).EnsureSucceeded();
            (await _client.AdjustAsync("sku-1", Adjustment.By(_units, "opening", "opening"))).EnsureSucceeded();
        }

        /// <summary>True when all books agree.</summary>
        public async Task<bool> SellAsync()
        {
            var took = Stopwatch.StartNew();
            using var over = new CancellationTokenSource();
            Task progress = ProgressAsync(over.Token);
            Task kills = KillAsync();
            await Parallel.ForEachAsync(Enumerable.Range(0, _purchases), new ParallelOptions { MaxDegreeOfParallelism = _callers }, async (number, _) =>
            {
                await BuyAsync(number);
                Interlocked.Increment(ref _done);
            });
            await kills;
            List<Transaction> ended = await EndAsync();
            await over.CancelAsync();
            await progress;
            return await CompareAsync(ended, took.Elapsed);
        }

        public void Dispose()
        {
            _coordinator.Dispose();
            _orders.Dispose();
            _points.Dispose();
            _coupons.Dispose();
            _http.Dispose();
        }

        private async Task BuyAsync(int number)
        {
            string user = ShopFacts.User(number % ShopFacts.Users);
            string id = "purchase-" + number.ToString(CultureInfo.InvariantCulture);
            var points = new ParticipantAddress<PointsBody>(_pointsUrl + "/points");
            try
            {
                switch (number % 6)
                {
                    case 0 or 1 or 2:
                        _kinds[id] = "tcc";
                        var plan = TransactionPlan.Tcc(id);
                        if (number % 6 == 0)
                        {
                            plan.Hold("stock", user, new HoldLine("sku-1", 1)); // what sells out is asked first
                        }

                        plan.Branch("points", points, new PointsBody(user, ShopFacts.Price))
                            .Branch("coupon", new ParticipantAddress<CouponBody>(_couponsUrl + "/coupons"), new CouponBody(ShopFacts.Coupon(number % ShopFacts.Coupons)))
                            .Branch("order", new ParticipantAddress<OrderBody>(_ordersUrl + "/orders"), new OrderBody(user));
                        if (number % 6 != 0)
                        {
                            plan.Hold("stock", user, new HoldLine("sku-1", 1)); // or last: then three services have something to release
                        }

                        await _client.Transactions.SubmitAsync(plan, TimeSpan.FromSeconds(20));
                        break;
                    case 3:
                        _kinds[id] = "tcc-caller";
                        await BuyByHandAsync(id, user, points);
                        break;
                    case 4:
                        _kinds[id] = "saga";
                        await _client.Transactions.SubmitAsync(
                            TransactionPlan.Saga(id)
                                .Step("order", _ordersUrl + "/orders-now/try", _ordersUrl + "/orders-now/cancel", new OrderBody(user))
                                .Step("points", _pointsUrl + "/points-now/try", _pointsUrl + "/points-now/cancel", new PointsBody(user, ShopFacts.Price))
                                .Hold("stock", user, new HoldLine("sku-1", 1)),
                            TimeSpan.FromSeconds(20));
                        break;
                    default:
                        _kinds[id] = "message";
                        using (await _http.PostAsJsonAsync(_ordersUrl + "/place", new PlaceBody(id, user, _pointsUrl + "/bonus/confirm")))
                        {
                            break;
                        }
                }
            }
            catch (Exception e) when (e is HoldfastException or HttpRequestException or OperationCanceledException)
            {
                // The buyer gives up; the transaction ends without them.
            }
        }

        /// <summary>The caller drives: what a web handler would do.</summary>
        private async Task BuyByHandAsync(string id, string user, ParticipantAddress<PointsBody> points)
        {
            await using OpenTransaction purchase = await _client.BeginTransactionAsync(id, TimeSpan.FromSeconds(30));
            (await purchase.HoldAsync("stock", user, new HoldLine("sku-1", 1))).EnsureSucceeded();
            (await purchase.CallAsync("points", points, new PointsBody(user, ShopFacts.Price))).EnsureSucceeded();
            (await purchase.CallAsync("order", new ParticipantAddress<OrderBody>(_ordersUrl + "/orders"), new OrderBody(user))).EnsureSucceeded();
            (await purchase.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded();
        }

        private async Task KillAsync()
        {
            for (int kill = 1; kill <= _kills; kill++)
            {
                while (Volatile.Read(ref _done) < (long)_purchases * kill / (_kills + 1))
                {
                    await Task.Delay(20);
                }

                _coordinator.Kill();
                await _coordinator.StartAsync();
            }
        }

        private async Task<List<Transaction>> EndAsync()
        {
            var deadline = Stopwatch.StartNew();
            while (true)
            {
                List<Transaction> all = [];
                await foreach (Transaction transaction in _client.Transactions.ListAsync())
                {
                    all.Add(transaction);
                }

                if (all.TrueForAll(t => t.EndedAt is not null) || deadline.Elapsed > TimeSpan.FromMinutes(3))
                {
                    return all;
                }

                await Task.Delay(200);
            }
        }

        private async Task ProgressAsync(CancellationToken over)
        {
            while (!over.IsCancellationRequested)
            {
                await Task.Delay(2000, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Console.WriteLine($"  {Volatile.Read(ref _done)} of {_purchases} purchases answered");
            }
        }

        private async Task<bool> CompareAsync(List<Transaction> transactions, TimeSpan took)
        {
            var orders = await OutcomesAsync(_ordersUrl);
            var points = await OutcomesAsync(_pointsUrl);
            var coupons = await OutcomesAsync(_couponsUrl);
            var totals = (await _http.GetFromJsonAsync<Dictionary<string, long>>(_pointsUrl + "/totals"))!;
            var coupon = (await _http.GetFromJsonAsync<Dictionary<string, long>>(_couponsUrl + "/totals"))!;
            Resource stock = (await _client.GetResourceAsync("sku-1"))!;

            var wrong = new List<string>();
            long units = 0, spent = 0, given = 0, used = 0;
            foreach (Transaction transaction in transactions)
            {
                string kind = _kinds.GetValueOrDefault(transaction.Id, "?");
                bool confirmed = transaction.State == TransactionState.Confirmed;
                string order = orders.GetValueOrDefault(transaction.Id, "none"), point = points.GetValueOrDefault(transaction.Id, "none"), ticket = coupons.GetValueOrDefault(transaction.Id, "none");
                bool agrees = transaction.EndedAt is not null && (kind, confirmed) switch
                {
                    ("tcc", true) => (order, point, ticket) == ("placed", "spent", "used"),
                    ("tcc-caller" or "saga", true) => (order, point, ticket) == ("placed", "spent", "none"),
                    ("message", true) => (order, point) == ("placed", "given"),
                    ("message", false) => (order, point) == ("none", "none"),
                    (_, false) => order is "none" or "cancelled" && point is "none" or "released" && ticket is "none" or "released",
                    _ => false,
                };
                if (!agrees)
                {
                    wrong.Add($"{transaction.Id} ({kind}) is {transaction.StateText}, but order {order}, points {point}, coupon {ticket}. {transaction.Explanation}");
                }

                units += confirmed && kind != "message" ? 1 : 0;
                spent += confirmed && kind != "message" ? ShopFacts.Price : 0;
                given += confirmed && kind == "message" ? ShopFacts.Bonus : 0;
                used += confirmed && kind == "tcc" ? 1 : 0;
            }

            Check("units consumed", stock.Consumed, units);
            Check("units held", stock.Held, 0);
            Check("units available", stock.Available, _units - units);
            Check("points spent", totals["spent"], spent);
            Check("points frozen", totals["frozen"], 0);
            Check("points given", totals["given"], given);
            Check("points in all", totals["available"] + totals["spent"], (ShopFacts.Users * ShopFacts.PointsOfUser) + given);
            Check("coupons used", coupon.GetValueOrDefault("used"), used);
            Check("coupons reserved", coupon.GetValueOrDefault("reserved"), 0);

            Console.WriteLine($"{transactions.Count} transactions in {took.TotalSeconds:0.0} s, coordinator killed {_kills} times");
            foreach (var group in transactions.GroupBy(t => (_kinds.GetValueOrDefault(t.Id, "?"), t.StateText)).OrderBy(g => g.Key))
            {
                Console.WriteLine($"  {group.Key.Item1,-10} {group.Key.StateText,-10} {group.Count(),6}");
            }

            foreach (string line in wrong.Take(20))
            {
                Console.WriteLine("WRONG  " + line);
            }

            Console.WriteLine(wrong.Count == 0 ? "all books agree" : $"{wrong.Count} differences");
            return wrong.Count == 0;

            void Check(string what, long is_, long should)
            {
                Console.WriteLine($"  {what,-18} {is_,8}");
                if (is_ != should)
                {
                    wrong.Add($"{what}: {is_}, but the transactions say {should}");
                }
            }
        }

        private async Task<Dictionary<string, string>> OutcomesAsync(string url) => (await _http.GetFromJsonAsync<Dictionary<string, string>>(url + "/outcomes"))!;

        private static string Url(int port) => "http://127.0.0.1:" + port.ToString(CultureInfo.InvariantCulture);
    }
}

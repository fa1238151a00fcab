using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Cli.Demo;
using Holdfast.Cli.Verify;
using Holdfast.Client;
using Holdfast.Engine;
using Holdfast.Journal.Sqlite;
using Holdfast.TestKit;
using HoldLine = Holdfast.Client.HoldLine;
using HoldRequest = Holdfast.Client.HoldRequest;
using HoldState = Holdfast.Client.HoldState;

namespace Holdfast.Cli.Tests;

/// <summary>The real process, ended with SIGKILL. What it acknowledged must be there ever after.</summary>
public sealed class KillTests(ITestOutputHelper output) : IDisposable
{
    private const int Kills = 50;
    private const int ShoppersAtOnce = 64;
    private readonly TempFolder _folder = new();

    [Fact]
    public async Task E61_killed_fifty_times_under_load_every_acknowledged_hold_is_there_and_none_twice()
    {
        var settings = new DemoSettings { Units = 1_000_000, Connections = 2, Seed = Environment.TickCount };
        output.WriteLine($"seed {settings.Seed}");
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        await using var clients = new SaleClients(server, settings.Connections);
        await StockAsync(clients.Http, settings.Units);

        var carts = new ConcurrentBag<Cart>();
        var board = new SaleBoard();
        using var closing = new CancellationTokenSource();
        int number = 0;
        Task[] shoppers = [.. Enumerable.Range(0, ShoppersAtOnce).Select(_ => Task.Run(async () =>
        {
            var waits = new WaitLog();
            while (!closing.IsCancellationRequested)
            {
                var shopper = new Shopper(Interlocked.Increment(ref number), settings, clients, board, waits);
                foreach (Cart cart in shopper.Carts)
                {
                    carts.Add(cart);
                }

                await shopper.ShopAsync(CancellationToken.None);
            }
        }))];

        int killsAtStart = await KillAsync(server, new Random(settings.Seed), shoppers);
        await closing.CancelAsync();
        await Task.WhenAll(shoppers);
        await Task.Delay(settings.AbandonedTtl + TimeSpan.FromMilliseconds(500));

        ServerTruth truth = await TruthReader.ReadAsync(clients.Resp[0], carts, DemoSettings.Resource);
        Audit audit = Audit.Of(carts, truth, settings.Units, settings.PerOwner, allOver: true);
        output.WriteLine($"{carts.Count} carts, {board.Answers} answers, {board.Sold} units sold, {killsAtStart} of {Kills} kills before the server was ready");
        audit.Findings.ShouldBeEmpty();
        board.Answers.ShouldBeGreaterThan(10 * Kills, "without load a kill proves nothing");
        await server.KillAsync();
        await ShouldVerifyAsync();
    }

    [Fact]
    public async Task E13_killed_after_the_append_before_the_answer_was_read_the_repeat_gets_the_original_answer()
    {
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        await using var clients = new SaleClients(server, 1);
        await StockAsync(clients.Http, units: 1);

        // Asked on a connection whose answer nobody reads; another connection tells when it is durable.
        using var silent = new TcpClient();
        await silent.ConnectAsync(IPEndPoint.Parse(server.RespAddress));
        await silent.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HOLD.TRY h1 ann 300 {DemoSettings.Resource} 1\r\n"));
        while (await clients.Resp[0].GetHoldAsync("h1") is null)
        {
            await Task.Delay(5);
        }

        await server.KillAsync();
        server.Start();
        await server.WaitReadyAsync();

        // The only unit is held, by this very hold: a server that looked at the stock first would refuse.
        HoldRequest same = HoldRequest.Of(DemoSettings.Resource, 1, "ann", "h1") with { Ttl = TimeSpan.FromSeconds(300) };
        (await clients.Resp[0].TryHoldAsync(same)).State.ShouldBe(HoldState.Held);
        (await clients.Resp[0].TryHoldAsync(HoldRequest.Of(DemoSettings.Resource, 1, "bob", "h2"))).Refusal!.Code.ShouldBe(RefusalCode.Insufficient);
        (await clients.Resp[0].GetResourceAsync(DemoSettings.Resource))!.Held.ShouldBe(1);
    }

    [Fact]
    public async Task Killed_while_it_writes_a_snapshot_it_starts_from_what_is_whole_and_cleans_up()
    {
        const int holds = 40_000; // a round's
        const int rounds = 4;
        await using ServerProcess server = Server();
        server.Environment["HOLDFAST_SNAPSHOTEVERYEVENTS"] = (holds / 2).ToString(System.Globalization.CultureInfo.InvariantCulture);
        server.Start();
        await server.WaitReadyAsync();
        await using var clients = new SaleClients(server, 2);
        await StockAsync(clients.Http, units: rounds * holds);
        var acknowledged = new ConcurrentBag<string>();
        int inTheMiddle = 0;
        for (int round = 0; round < rounds; round++)
        {
            using var closing = new CancellationTokenSource();
            int next = round * holds;
            int end = next + holds;
            Task[] shoppers = [.. Enumerable.Range(0, ShoppersAtOnce).Select(i => Task.Run(async () =>
            {
                int number;
                while (!closing.IsCancellationRequested && (number = Interlocked.Increment(ref next)) <= end)
                {
                    HoldRequest request = HoldRequest.Of(DemoSettings.Resource, 1, $"owner-{number}", $"h{number}") with { Ttl = TimeSpan.FromHours(1) };
                    (await clients.Resp[i % 2].TryHoldAsync(request)).State.ShouldBe(HoldState.Held);
                    acknowledged.Add(request.Id!);
                }
            }))];
            if (await SeenAsync(_folder.File("data"), "*.snapshot-unfinished", TimeSpan.FromSeconds(20)))
            {
                await server.KillAsync();
                inTheMiddle += Directory.GetFiles(_folder.File("data"), "*.snapshot-unfinished").Length > 0 ? 1 : 0;
                server.Start();
            }

            await server.WaitReadyAsync();
            await closing.CancelAsync();
            await Task.WhenAll(shoppers);
        }

        output.WriteLine($"{acknowledged.Count} holds acknowledged, {inTheMiddle} of {rounds} kills in the middle of a snapshot");
        inTheMiddle.ShouldBeGreaterThan(0, "no kill hit a snapshot: nothing is proven");
        (await clients.Resp[0].GetResourceAsync(DemoSettings.Resource))!.Held.ShouldBe(acknowledged.Count);
        foreach (string id in acknowledged.Where(static (_, i) => i % 97 == 0))
        {
            (await clients.Resp[0].GetHoldAsync(id))!.State.ShouldBe(HoldState.Held);
        }

        (await SeenAsync(_folder.File("data"), "*.snapshot", TimeSpan.FromSeconds(60))).ShouldBeTrue("the next snapshot is written");
        for (int i = 0; i < 600 && Directory.GetFiles(_folder.File("data"), "*.snapshot-unfinished").Length > 0; i++)
        {
            await Task.Delay(100);
        }

        Directory.GetFiles(_folder.File("data"), "*.snapshot-unfinished").ShouldBeEmpty("what a killed process left is removed");
        await server.KillAsync();
        await ShouldVerifyAsync();
    }

    [Fact]
    public async Task E21_down_past_deadlines_it_expires_them_before_the_first_answer()
    {
        const int holds = 20;
        await using ServerProcess server = Server();
        server.Start();
        await server.WaitReadyAsync();
        await using var clients = new SaleClients(server, 1);
        await StockAsync(clients.Http, units: holds);
        for (int i = 0; i < holds; i++)
        {
            var request = HoldRequest.Of(DemoSettings.Resource, 1, $"owner-{i}", $"h{i}") with { Ttl = TimeSpan.FromSeconds(2) };
            (await clients.Resp[0].TryHoldAsync(request)).State.ShouldBe(HoldState.Held);
        }

        await server.KillAsync();
        await Task.Delay(TimeSpan.FromSeconds(2.5));
        server.Start();

        // Not waited for: this is the first answer that anybody gets.
        Resource resource = (await clients.Resp[0].GetResourceAsync(DemoSettings.Resource))!;
        (resource.Held, resource.Available).ShouldBe((0L, (long)holds));
        (await clients.Resp[0].GetHoldAsync("h7"))!.State.ShouldBe(HoldState.Expired);
        (await clients.Resp[0].ConfirmAsync("h7")).Refusal!.Code.ShouldBe(RefusalCode.Expired);
    }

    [Fact]
    public async Task E60_of_two_servers_on_one_folder_one_notices_and_nothing_forks()
    {
        await using ServerProcess first = Server();
        await using ServerProcess second = Server();
        first.Start();
        await first.WaitReadyAsync();
        await using var clients = new SaleClients(first, 1);
        await StockAsync(clients.Http, units: 1000);
        second.Start();
        await second.WaitReadyAsync();
        await using var secondClient = new RespHoldfastClient(new HoldfastClientOptions
        {
            RespAddress = second.RespAddress,
            Retry = new RetryOptions { MaxAttempts = 2, BaseDelay = TimeSpan.FromMilliseconds(10), MaxDelay = TimeSpan.FromMilliseconds(10) },
        });

        // The first writes, so the second's memory is behind its journal: whatever it decides now can't be appended.
        Cart one = await HoldAsync(clients.Resp[0], "on-first");
        Cart other = await HoldAsync(secondClient, "on-second");
        Cart after = await HoldAsync(clients.Resp[0], "on-first-again");
        one.Tried.ShouldBe(Told.Held);
        other.Tried.ShouldBe(Told.Unknown, "the second server must not acknowledge what it can't write");
        after.Tried.ShouldBe(Told.Held, "the first server goes on");
        (await HoldAsync(secondClient, "on-second-again")).Tried.ShouldBe(Told.Unknown, "the second has stopped serving");
        second.Log.ShouldContain("another server writes this journal");

        await first.KillAsync();
        await second.KillAsync();
        await ShouldVerifyAsync();
        first.Start();
        await first.WaitReadyAsync();
        ServerTruth truth = await TruthReader.ReadAsync(clients.Resp[0], [one, other, after], DemoSettings.Resource);
        Audit.Of([one, other, after], truth, 1000, 2, allOver: false).Findings.ShouldBeEmpty();
    }

    public void Dispose() => _folder.Dispose();

    private static async Task<Cart> HoldAsync(IHoldfastClient client, string id)
    {
        var cart = new Cart(id, id, 1, Plan.Abandon, TimeSpan.FromMinutes(5));
        try
        {
            HoldResult result = await client.TryHoldAsync(HoldRequest.Of(DemoSettings.Resource, 1, id, id));
            cart.Tried = result.Succeeded ? Told.Held : Told.Refused;
        }
        catch (HoldfastUnavailableException)
        {
            cart.Tried = Told.Unknown;
        }

        return cart;
    }

    private static async Task<bool> SeenAsync(string folder, string pattern, TimeSpan atMost)
    {
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (System.Diagnostics.Stopwatch.GetElapsedTime(began) < atMost)
        {
            if (Directory.GetFiles(folder, pattern).Length > 0)
            {
                return true;
            }

            await Task.Delay(1);
        }

        return false;
    }

    private static async Task StockAsync(IHoldfastClient http, long units)
    {
        (await http.PutResourceAsync(DemoSettings.Resource, new Client.ResourcePolicy { LimitPerOwner = 2 })).EnsureSucceeded();
        (await http.AdjustAsync(DemoSettings.Resource, Adjustment.By(units, "test", "stock"))).EnsureSucceeded();
    }

    private static async Task<int> KillAsync(ServerProcess server, Random random, Task[] shoppers)
    {
        int atStart = 0;
        for (int kill = 1; kill <= Kills; kill++)
        {
            // One in five dies while it starts: in the runtime's start, in replay, in the expiry that comes before serving.
            if (kill % 5 == 0)
            {
                atStart++;
            }
            else
            {
                await server.WaitReadyAsync();
            }

            await Task.Delay(random.Next(0, 400));
            foreach (Task shopper in shoppers.Where(s => s.IsFaulted))
            {
                await shopper;
            }

            await server.KillAsync();
            server.Start();
        }

        await server.WaitReadyAsync();
        return atStart;
    }

    private async Task ShouldVerifyAsync()
    {
        await using var store = new SqliteJournalStore(_folder.File("data/holdfast.db"));
        int spaces = 0;
        await foreach ((_, VerificationReport report) in StoreVerification.VerifyAsync(store))
        {
            spaces++;
            report.Problem.ShouldBeNull();
            output.WriteLine($"{report.Frames} frames, {report.Events} events");
        }

        spaces.ShouldBe(1);
    }

    private ServerProcess Server() => new(_folder.File("data"), FreePort.Next(), FreePort.Next());
}

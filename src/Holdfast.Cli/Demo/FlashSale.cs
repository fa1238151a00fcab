using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Holdfast.Cli.Demo.Payments;
using Holdfast.Cli.Verify;
using Holdfast.Client;
using Holdfast.Engine;
using Holdfast.Engine.Effects;
using Holdfast.Journal.Sqlite;
using Holdfast.Server.Simulator;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Cli.Demo;

/// <summary>The sale from opening to audit, against a real server process that is killed in the middle.</summary>
internal sealed class FlashSale(DemoSettings settings, string data)
{
    private readonly List<WaitLog> _waits = [];
    private readonly List<Shopper> _shoppers = [];

    public SaleBoard Board { get; } = new();

    public async Task<SaleResult> RunAsync(CancellationToken cancellationToken)
    {
        // The provider is another firm's: it goes on when the shop's server is killed.
        string secret = SigningKey.Format(RandomNumberGenerator.GetBytes(32));
        int providerPort = FreePort.Next();
        await using WebApplication provider = SimulatorServer.Create(
            new IPEndPoint(IPAddress.Loopback, providerPort), SigningKey.Parse(secret), SimulatorFaults.All with { DelayMs = 1_500 }, settings.Seed);
        await provider.StartAsync(cancellationToken);
        await using var server = new ServerProcess(data, FreePort.Next(), FreePort.Next());
        server.Environment["HOLDFAST_CHANNELS__SIMULATOR__ADDRESS"] = $"http://127.0.0.1:{providerPort}/";
        server.Environment["HOLDFAST_CHANNELS__SIMULATOR__SECRETS__0"] = secret;
        server.Environment["HOLDFAST_CHANNELS__SIMULATOR__NOTIFYURL"] = new Uri(server.HttpAddress, "/v1/callbacks/simulator").ToString();
        server.Start();
        await server.WaitReadyAsync(cancellationToken);
        (Cart[] carts, Audit audit, TimeSpan rush, long rushAnswers) = await SellAsync(server, cancellationToken);
        PaymentAudit payments = await PayAsync(server, provider.Services.GetRequiredService<SimulatedProvider>(), cancellationToken);

        Board.Stage = "verify";
        int exitCode = await server.StopAsync();
        VerificationReport chain = await VerifyAsync();
        Board.Stage = "done";
        return new SaleResult(carts, audit, payments, chain, exitCode, rushAnswers, rush, Board, [.. _waits.SelectMany(w => w.Waits)]);
    }

    private async Task<(Cart[] Carts, Audit Audit, TimeSpan Rush, long RushAnswers)> SellAsync(ServerProcess server, CancellationToken cancellationToken)
    {
        await using var clients = new SaleClients(server, settings.Connections);
        await StockAsync(clients.Http, cancellationToken);

        Board.Stage = "rush";
        int late = (int)(settings.Buyers * settings.Late);
        long began = Stopwatch.GetTimestamp();
        await Task.WhenAll(
            ShopAsync(0, settings.Buyers - late, clients, cancellationToken),
            KillAsync(server, settings.Buyers - late, cancellationToken));
        TimeSpan rush = Stopwatch.GetElapsedTime(began);
        long rushAnswers = Board.Answers;

        Board.Stage = "abandoned carts expire";
        await NothingHeldAsync(clients.Resp[0], cancellationToken);
        Board.Stage = "late shoppers";
        await ShopAsync(settings.Buyers - late, late, clients, cancellationToken);
        Board.Stage = "last carts expire";
        await NothingHeldAsync(clients.Resp[0], cancellationToken);

        Board.Stage = "audit";
        Cart[] carts = [.. _shoppers.SelectMany(s => s.Carts)];
        ServerTruth truth = await TruthReader.ReadAsync(clients.Resp[0], carts, DemoSettings.Resource);
        return (carts, Audit.Of(carts, truth, settings.Units, settings.PerOwner, allOver: true), rush, rushAnswers);
    }

    private async Task<PaymentAudit> PayAsync(ServerProcess server, SimulatedProvider provider, CancellationToken cancellationToken)
    {
        await using var clients = new SaleClients(server, 1);
        return await new PaymentSale(settings, server, provider, Board).RunAsync(clients.Http, cancellationToken);
    }

    private async Task StockAsync(IHoldfastClient client, CancellationToken cancellationToken)
    {
        (await client.PutResourceAsync(DemoSettings.Resource, new ResourcePolicy { LimitPerOwner = settings.PerOwner }, cancellationToken)).EnsureSucceeded();
        (await client.AdjustAsync(DemoSettings.Resource, Adjustment.By(settings.Units, "for the sale", "opening-stock"), cancellationToken)).EnsureSucceeded();
    }

    /// <summary>Lets shoppers in, so many at once.</summary>
    private async Task ShopAsync(int first, int count, SaleClients clients, CancellationToken cancellationToken)
    {
        int next = first;
        async Task DoorAsync(WaitLog waits)
        {
            int number;
            while ((number = Interlocked.Increment(ref next) - 1) < first + count)
            {
                var shopper = new Shopper(number, settings, clients, Board, waits);
                lock (_shoppers)
                {
                    _shoppers.Add(shopper);
                }

                await shopper.ShopAsync(cancellationToken);
            }
        }

        var doors = new List<Task>();
        for (int i = 0; i < Math.Min(settings.AtOnce, Math.Max(1, count)); i++)
        {
            var waits = new WaitLog();
            _waits.Add(waits);
            doors.Add(Task.Run(() => DoorAsync(waits), cancellationToken));
        }

        await Task.WhenAll(doors);
    }

    /// <summary>Kills the server at instants drawn from the seed: the first while units are still selling.</summary>
    private async Task KillAsync(ServerProcess server, int shoppers, CancellationToken cancellationToken)
    {
        var random = new Random(settings.Seed);
        int sellingOut = Math.Min(shoppers, settings.Units);
        for (int kill = 0; kill < settings.Kills; kill++)
        {
            double at = kill == 0
                ? sellingOut * (0.2 + (0.5 * random.NextDouble()))
                : sellingOut + ((shoppers - sellingOut) * (kill - 0.5 + (0.5 * random.NextDouble())) / settings.Kills);
            while (Board.Gone < Math.Min(at, shoppers - 1))
            {
                await Task.Delay(1, cancellationToken);
            }

            Board.Stage = "killed";
            long away = Stopwatch.GetTimestamp();
            await server.KillAsync();
            Board.Kills++;
            server.Start();
            await server.WaitReadyAsync(cancellationToken);
            Board.Away += Stopwatch.GetElapsedTime(away);
            Board.Stage = "rush";
        }
    }

    /// <summary>Waits until no unit is held: abandoned carts have a deadline.</summary>
    private async Task NothingHeldAsync(IHoldfastClient client, CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        TimeSpan patience = settings.AbandonedTtl + TimeSpan.FromSeconds(15);
        while ((await client.GetResourceAsync(DemoSettings.Resource, cancellationToken))!.Held > 0 && waited.Elapsed < patience)
        {
            await Task.Delay(50, cancellationToken);
        }
    }

    private async Task<VerificationReport> VerifyAsync()
    {
        await using var store = new SqliteJournalStore(Path.Join(data, "holdfast.db"));
        await foreach ((_, VerificationReport report) in StoreVerification.VerifyAsync(store))
        {
            return report;
        }

        throw new InvalidOperationException("The server left no journal.");
    }
}

/// <summary>What the sale came to.</summary>
internal sealed record SaleResult(
    IReadOnlyCollection<Cart> Carts,
    Audit Audit,
    PaymentAudit Payments,
    VerificationReport Chain,
    int ServerExitCode,
    long RushAnswers,
    TimeSpan Rush,
    SaleBoard Board,
    IReadOnlyCollection<long> Waits)
{
    /// <summary>Whether every invariant held.</summary>
    public bool IsGood => Audit.IsGood && Payments.IsGood && Chain.IsGood && ServerExitCode == 0;
}

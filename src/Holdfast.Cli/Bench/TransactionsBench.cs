using System.Diagnostics;
using System.Globalization;
using System.Text;
using Holdfast.Engine;
using Holdfast.Kernel;
using Holdfast.Participant;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Holdfast.Cli.Bench;

/// <summary>Transactions a second, and beside them the same work without a coordinator. Participants run in this process, over real sockets.</summary>
internal sealed class TransactionsBench(BenchSettings settings)
{
    private const int Rows = 10_000;
    private static readonly TimeSpan EndAtMost = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan WarmUpWindow = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan WarmUpAtLeast = TimeSpan.FromSeconds(24);
    private static readonly TimeSpan WarmUpAtMost = TimeSpan.FromSeconds(60);

    public async Task<int> RunAsync()
    {
        await using BenchSpace bench = await BenchSpace.OpenAsync(settings);
        Print.Value("transactions", settings.Count);
        switch (settings.Transactions)
        {
            case "holds":
                await HoldsAsync(bench.Space);
                break;
            case "http":
                await HttpAsync(bench.Space);
                break;
            default:
                await SqlAsync(bench.Space);
                break;
        }

        return ExitCode.Good;
    }

    private async Task HoldsAsync(Space space)
    {
        await StockAsync(space);
        HoldSpec hold = new(null, 0, [new("sku", 1)]);
        BranchSpec[] branches = [new("a") { Hold = hold }, new("b") { Hold = hold }];
        double rate = await MeasureAsync("two built-in holds", async (name, _) =>
        {
            // It ends in its one command, so there is nothing to wait for but the answer.
            Answer answer = await space.AskAsync(new BeginTransaction(space.Hasher, name, branches));
            if (answer.Detail is not TransactionView { State: TransactionState.Confirmed })
            {
                throw new BenchException($"a transaction was answered {answer.Code.Text()} {answer.Detail}");
            }
        });
        Print.Value("transactions per second", rate);
    }

    private async Task HttpAsync(Space space)
    {
        await using WebApplication participant = Participant(null);
        participant.MapPost("/{**any}", static () => Results.Ok());
        await participant.StartAsync();
        string url = participant.Urls.First();
        BranchSpec[] branches = [.. new[] { "a", "b" }.Select(n => new BranchSpec(n)
        {
            After = [], // a graph, so that both are tried at once
            Try = new CallSpec(url + "/try"), Confirm = new CallSpec(url + "/confirm"), Cancel = new CallSpec(url + "/cancel"),
        })];
        double rate = await MeasureAsync("two participants that do nothing", (name, _) => EndAsync(space, new BeginTransaction(space.Hasher, name, branches)));

        // As many calls, as many at once, by the same kind of client.
        using var http = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, MaxConnectionsPerServer = 64, ActivityHeadersPropagator = null });
        double bare = await MeasureAsync("as many bare calls", async (_, _) =>
        {
            for (int call = 0; call < 4; call++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, url + "/try");
                using HttpResponseMessage response = await http.SendAsync(request, CancellationToken.None);
            }
        });
        Print.Value("transactions per second", rate);
        Print.Value("calls per second", rate * 4);
        Print.Value("bare calls per second", bare * 4);
        Print.Value("share of bare calls", rate / bare, 2);
    }

    private async Task SqlAsync(Space space)
    {
        string connection = settings.Connection! + ";Maximum Pool Size=64";
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connection);
        await ExecuteAsync(source, "drop table if exists bench_points");
        await ExecuteAsync(source, "create table bench_points (id bigint primary key, spent bigint not null)");
        await ExecuteAsync(source, $"insert into bench_points select i, 0 from generate_series(0, {Rows - 1}) i");
        await using WebApplication participant = Participant(source);
        participant.MapParticipant("/points", p => p
            .Try(async call => await call.ExecuteAsync(Statement, ("id", call.Read<long>())) == 1 ? BranchResult.Done : BranchResult.Refused("no row"))
            .Cancel(static _ => Task.FromResult(BranchResult.Done)));
        await participant.StartAsync();
        string url = participant.Urls.First() + "/points";
        double rate = await MeasureAsync("barrier and a statement in each of two branches", (name, number) => EndAsync(
            space,
            new BeginTransaction(
                space.Hasher,
                name,
                [.. new[] { 2 * number, (2 * number) + 1 }.Select(row => new BranchSpec("b" + (row % 2).ToString(CultureInfo.InvariantCulture))
                {
                    After = [],
                    Try = new CallSpec(url + "/try", Encoding.ASCII.GetBytes((row % Rows).ToString(CultureInfo.InvariantCulture)), [], 0),
                    Cancel = new CallSpec(url + "/cancel"),
                })])));
        double alone = await MeasureAsync("the same statements alone", async (_, number) =>
        {
            foreach (long row in new[] { 2 * number, (2 * number) + 1 })
            {
                await using NpgsqlConnection opened = await source.OpenConnectionAsync();
                await using NpgsqlTransaction transaction = await opened.BeginTransactionAsync();
                await using var command = new NpgsqlCommand(Statement, opened, transaction);
                command.Parameters.AddWithValue("id", row % Rows);
                await command.ExecuteNonQueryAsync();
                await transaction.CommitAsync();
            }
        });
        Print.Value("transactions per second", rate);
        Print.Value("without coordinator per second", alone);
        Print.Value("share of the statements alone", rate / alone, 2);
    }

    private const string Statement = "update bench_points set spent = spent + 1 where id = @id";

    private static WebApplication Participant(NpgsqlDataSource? source)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHoldfastParticipant(o =>
        {
            o.AllowUnsigned = true; // loopback, for the time of a measurement; the signature's cost is below the noise
            o.Connection = source is null ? null : _ => source.CreateConnection();
        });
        return builder.Build();
    }

    private async Task<double> MeasureAsync(string what, Func<string, long, Task> one)
    {
        string prefix = Guid.NewGuid().ToString("N")[..8] + "-";
        Print.Note(what + " ...");

        // Until it gets no faster: on two busy cores the compiler needs half a minute, and what is measured first would pay for it alone.
        long began = Stopwatch.GetTimestamp();
        long numbers = 0;
        double before, rate = 0;
        do
        {
            (before, long from, long windowBegan) = (rate, numbers, Stopwatch.GetTimestamp());
            while (Stopwatch.GetElapsedTime(windowBegan) < WarmUpWindow)
            {
                await RoundAsync(numbers, settings.Callers * 4);
                numbers += settings.Callers * 4;
            }

            rate = (numbers - from) / Stopwatch.GetElapsedTime(windowBegan).TotalSeconds;
        }
        while ((Stopwatch.GetElapsedTime(began) < WarmUpAtLeast || rate > before * 1.03) && Stopwatch.GetElapsedTime(began) < WarmUpAtMost);

        began = Stopwatch.GetTimestamp();
        await RoundAsync(numbers, settings.Count);
        return settings.Count / Stopwatch.GetElapsedTime(began).TotalSeconds;

        async Task RoundAsync(long first, int count)
        {
            long next = first - 1;
            await Task.WhenAll(Enumerable.Range(0, settings.Callers).Select(_ => Task.Run(async () =>
            {
                for (long number = Interlocked.Increment(ref next); number < first + count; number = Interlocked.Increment(ref next))
                {
                    await one(prefix + number.ToString(CultureInfo.InvariantCulture), number);
                }
            })));
        }
    }

    /// <summary>Submits and waits until the end is durable.</summary>
    private static async Task EndAsync(Space space, BeginTransaction command)
    {
        Task<bool> ended = space.WaitForEndAsync(command.TransactionId, EndAtMost);
        Answer answer = await space.AskAsync(command);
        bool done = answer.Code == Code.Ok && (answer.Detail is TransactionView { State: TransactionState.Confirmed } || await ended);
        if (!done)
        {
            throw new BenchException($"a transaction was answered {answer.Code.Text()} {answer.Detail}");
        }
    }

    private static async Task StockAsync(Space space)
    {
        var put = new PutResource(space.Hasher);
        put.Reset("sku"u8, ResourcePolicy.Default);
        var adjust = new AdjustSupply(space.Hasher);
        adjust.ResetDelta("sku"u8, "supply"u8, Quantity.Max, "bench"u8);
        await space.AskAsync(put);
        await space.AskAsync(adjust);
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string text)
    {
        await using NpgsqlCommand command = source.CreateCommand(text);
        await command.ExecuteNonQueryAsync();
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Engine;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Holdfast.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Cli.Bench;

/// <summary>
/// Callbacks a second for each channel, over HTTP into a durable journal, and beside them the signature's verification alone;
/// checkouts a second from hold to paid through the simulated provider. Server, provider and callers share this process.
/// </summary>
internal sealed class PaymentsBench(BenchSettings settings)
{
    private const long Price = 4_999;

    public async Task<int> RunAsync()
    {
        if (settings.Journal == JournalKind.Postgres)
        {
            await BenchSpace.CheckDatabaseAsync(settings.Connection!);
        }

        using var folder = new BenchFolder(BenchFolder.NewName(), settings.Data);
        using var callbacks = new SignedCallbacks();
        await using WebApplication server = HoldfastServer.Create(new ServerSettings
        {
            Data = folder.Path,
            Http = new IPEndPoint(IPAddress.Loopback, 0),
            Resp = null,
            Journal = settings.Journal,
            Connection = settings.Connection,
            Channels = callbacks.Settings,
        });
        await server.StartAsync();
        SpaceHost host = server.Services.GetRequiredService<SpaceHost>();
        while (!host.IsReady)
        {
            await Task.Delay(20);
        }

        using var http = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, UseCookies = false, MaxConnectionsPerServer = settings.Callers, ActivityHeadersPropagator = null });
        await StockAsync(host.Default);
        Print.Value("checkouts", settings.Count);
        if (settings.Payments == "callbacks")
        {
            await CallbacksAsync(server, host.Default, http, callbacks);
        }
        else
        {
            await CheckoutsAsync(server, http);
        }

        await server.StopAsync();
        return ExitCode.Good;
    }

    private async Task CallbacksAsync(WebApplication server, Space space, HttpMessageInvoker http, SignedCallbacks callbacks)
    {
        PaymentChannels channels = server.Services.GetRequiredService<PaymentHost>().Channels;
        Uri address = HoldfastServer.HttpAddress(server);
        foreach (string name in SignedCallbacks.Channels)
        {
            string currency = name is "wechatpay" or "alipay" ? "CNY" : "EUR";
            string prefix = Guid.NewGuid().ToString("N")[..8] + "-";
            Print.Note($"{name}: {settings.Count} checkouts and signed callbacks ...");
            await ParallelAsync(settings.Count, async i =>
            {
                Answer answer = await space.AskAsync(
                    new BeginCheckout(space.Hasher, prefix + Text(i), "ann", [new("sku", 1)], Price, currency, name, channelCalls: false));
                Require(answer.Code == Code.Ok, $"a checkout was answered {answer.Code.Text()} {answer.Detail}");
            });
            long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            var signed = new (byte[] Body, KeyValuePair<string, string>[] Headers)[settings.Count];
            Parallel.For(0, settings.Count, i => signed[i] = callbacks.Paid(name, prefix + Text(i), Price, currency, now));

            IPaymentChannel channel = channels.Find(name)!;
            DateTimeOffset clock = DateTimeOffset.FromUnixTimeSeconds(now);
            double alone = await RateAsync(settings.Count, i =>
            {
                var request = new CallbackRequest(signed[i].Headers.ToDictionary(StringComparer.OrdinalIgnoreCase), signed[i].Body);
                Require(channel.Verify(request, clock).Notice is not null, "a genuine callback was refused");
                return ValueTask.CompletedTask;
            });
            double rate = await RateAsync(settings.Count, async i =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "/v1/callbacks/" + name)) { Content = new ByteArrayContent(signed[i].Body) };
                foreach ((string header, string value) in signed[i].Headers)
                {
                    request.Headers.TryAddWithoutValidation(header, value);
                }

                using HttpResponseMessage response = await http.SendAsync(request, CancellationToken.None);
                Require(response.IsSuccessStatusCode, $"a callback was answered {(int)response.StatusCode}");
            });
            await ParallelAsync(Math.Min(100, settings.Count), async i =>
            {
                Answer answer = await space.AskAsync(new GetCheckout(space.Hasher, prefix + Text(i)));
                Require(answer.Detail is CheckoutView { State: CheckoutState.Paid }, "a checkout is not paid after its callback");
            });
            Print.Value($"{name} callbacks per second", rate);
            Print.Value($"{name} verifications alone per second", alone);
        }
    }

    private async Task CheckoutsAsync(WebApplication server, HttpMessageInvoker http)
    {
        Uri address = HoldfastServer.HttpAddress(server);
        string prefix = Guid.NewGuid().ToString("N")[..8] + "-";
        Print.Note($"{settings.Count} checkouts through the simulated provider ...");
        await OneAsync(http, address, prefix + "warm");
        double rate = await RateAsync(settings.Count, i => new ValueTask(OneAsync(http, address, prefix + Text(i))));
        Print.Value("checkouts from hold to paid per second", rate);
    }

    private static async Task OneAsync(HttpMessageInvoker http, Uri address, string id)
    {
        JsonObject begun = await AskAsync(http, HttpMethod.Post, new Uri(address, "/v1/checkouts"), $$$"""{"id":"{{{id}}}","owner":"ann","channel":"simulator","lines":[{"resource":"sku","quantity":1}],"amount":{"value":4999,"currency":"EUR"}}""", null);
        using var pay = new HttpRequestMessage(HttpMethod.Post, new Uri((string?)begun["payUrl"] ?? throw new BenchException("a checkout has no payUrl: " + begun.ToJsonString())));

        // Let go of at once: an answer that isn't read keeps its connection, and the next call waits for one of as many as there are callers.
        (await http.SendAsync(pay, CancellationToken.None)).Dispose();
        JsonObject after = await AskAsync(http, HttpMethod.Get, new Uri(address, "/v1/checkouts/" + id), null, "wait=30");
        Require((string?)after["state"] == "paid", "a checkout is not paid: " + after.ToJsonString());
    }

    private static async Task<JsonObject> AskAsync(HttpMessageInvoker http, HttpMethod method, Uri address, string? body, string? prefer)
    {
        using var request = new HttpRequestMessage(method, address);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        if (prefer is not null)
        {
            request.Headers.TryAddWithoutValidation("Prefer", prefer);
        }

        using HttpResponseMessage response = await http.SendAsync(request, CancellationToken.None);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
    }

    private async Task<double> RateAsync(int count, Func<int, ValueTask> one)
    {
        long began = Stopwatch.GetTimestamp();
        await ParallelAsync(count, one);
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private async Task ParallelAsync(int count, Func<int, ValueTask> one)
    {
        int next = -1;
        await Task.WhenAll(Enumerable.Range(0, Math.Min(settings.Callers, count)).Select(_ => Task.Run(async () =>
        {
            for (int i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                await one(i);
            }
        })));
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

    private static string Text(int number) => number.ToString("000000", CultureInfo.InvariantCulture);

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new BenchException(otherwise);
        }
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Holdfast.Server.Tests;

public sealed class TelemetryTests
{
    [Fact]
    public async Task Traces_and_metrics_go_to_the_collector_that_is_set()
    {
        var received = new ConcurrentDictionary<string, string>();
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        await using WebApplication collector = builder.Build();
        collector.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            received.AddOrUpdate(context.Request.Path, _ => Encoding.Latin1.GetString(body.ToArray()), (_, before) => before + Encoding.Latin1.GetString(body.ToArray()));
        });
        await collector.StartAsync();
        await using (RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { Otlp = new Uri(collector.Urls.First()) }))
        {
            await server.StockAsync("sku", 1);
            await server.TryAsync("h", "sku");

            // Not right here: this may be the thread that watches the sockets, and a flush waits for one.
            (await Task.Run(() => server.App.Services.GetRequiredService<TracerProvider>().ForceFlush(30_000))).ShouldBeTrue();
            (await Task.Run(() => server.App.Services.GetRequiredService<MeterProvider>().ForceFlush(30_000))).ShouldBeTrue();
        }

        received["/v1/traces"].ShouldContain("holdfast");
        received["/v1/metrics"].ShouldContain("holdfast.answers");
        received["/v1/metrics"].ShouldContain("http.server.request.duration");
    }
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Holdfast.Server;

/// <summary>
/// The meter and the traces named "Holdfast", sent by OTLP only where an endpoint is set: without one nothing is created
/// that a request would have to feed.
/// </summary>
internal sealed class Telemetry : IDisposable
{
    /// <summary>Name of the meter and of the activity source.</summary>
    public const string Name = "Holdfast";

    private const int GrpcPort = 4317;

    private readonly Meter _meter;

    public Telemetry(SpaceHost host, IMeterFactory meters)
    {
        _meter = meters.Create(Name);
        _meter.CreateObservableCounter("holdfast.answers", () => Answers(host), "{answer}", "Answers of a space, by code; what was decided and couldn't be written counts under unavailable as well.");
        _meter.CreateObservableCounter("holdfast.batches", () => Each(host, s => s.Metrics.Batches), "{batch}", "Batches written to the journal.");
        _meter.CreateObservableCounter("holdfast.events", () => Each(host, s => s.Metrics.Events), "{event}", "Events written to the journal.");
        _meter.CreateObservableGauge("holdfast.queue.length", () => Each(host, s => s.QueueLength), "{request}", "Requests waiting for a space's loop.");
        _meter.CreateObservableGauge("holdfast.holds.live", () => Each(host, s => s.Metrics.LiveHolds), "{hold}", "Holds that reserve something.");
    }

    /// <summary>Adds the exporters.</summary>
    public static void Add(IServiceCollection services, Uri endpoint)
    {
        services.AddOpenTelemetry()
            .ConfigureResource(r => r.AddService("holdfast"))
            .WithTracing(t => t.AddSource(Name).AddAspNetCoreInstrumentation().AddOtlpExporter(o => Send(o, endpoint, "v1/traces")))
            .WithMetrics(m => m.AddMeter(Name).AddAspNetCoreInstrumentation().AddRuntimeInstrumentation().AddOtlpExporter(o => Send(o, endpoint, "v1/metrics")));
        services.AddSingleton<Telemetry>();
        services.AddHostedService<Begin>();
    }

    public void Dispose() => _meter.Dispose();

    private static void Send(OtlpExporterOptions otlp, Uri endpoint, string path)
    {
        // 4317 is the registered port of OTLP over gRPC, and what the others speak is HTTP, unless the standard's own
        // variable says otherwise (the exporter has read it already).
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL") is null)
        {
            otlp.Protocol = endpoint.Port == GrpcPort ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        }

        otlp.Endpoint = otlp.Protocol == OtlpExportProtocol.Grpc ? endpoint : new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/" + path);
    }

    private static IEnumerable<Measurement<long>> Each(SpaceHost host, Func<Space, long> value) =>
        host.Spaces.Select(s => new Measurement<long>(value(s), new KeyValuePair<string, object?>("space", s.Name)));

    private static IEnumerable<Measurement<long>> Answers(SpaceHost host) =>
        from space in host.Spaces
        from code in Enum.GetValues<Code>()
        select new Measurement<long>(
            space.Metrics.Answers(code),
            new KeyValuePair<string, object?>("space", space.Name),
            new KeyValuePair<string, object?>("code", code.Text()));

    /// <summary>Makes the meter exist: it is observed by the exporter, and asked for by nobody else.</summary>
    private sealed class Begin(Telemetry telemetry) : Microsoft.Extensions.Hosting.IHostedService
    {
        private readonly Telemetry _telemetry = telemetry;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

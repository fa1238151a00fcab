using System.Net;
using Holdfast.Engine.Effects;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Simulator;

/// <summary>The simulated provider as a server of its own: it then outlives the shop's server, as a provider does.</summary>
public static class SimulatorServer
{
    /// <summary>Builds it; nothing is opened before it starts. The provider ends with the server.</summary>
    public static WebApplication Create(IPEndPoint endpoint, SigningKey key, SimulatorFaults faults, int seed, string? file = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "holdfast-simulator" });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(endpoint));
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(_ => new SimulatedProvider(key, faults, seed, TimeProvider.System, file));
        Logs.Add(builder.Logging);
        WebApplication app = builder.Build();
        SimulatedProvider provider = app.Services.GetRequiredService<SimulatedProvider>();
        app.UseRouting();
        SimulatorEndpoints.Map(app, "", () => provider);
        return app;
    }
}

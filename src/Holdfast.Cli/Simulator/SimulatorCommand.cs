using System.Net;
using Holdfast.Engine.Effects;
using Holdfast.Server;
using Holdfast.Server.Simulator;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Command = System.CommandLine.Command;

namespace Holdfast.Cli.Simulator;

/// <summary><c>holdfast simulator</c>: the simulated payment provider as a process of its own.</summary>
internal static class SimulatorCommand
{
    private const string Description = """
        Run the simulated payment provider: orders, a page to pay on, refunds, bills and callbacks, all with play money. The
        server's channel for it: {"channels":{"simulator":{"address":"http://127.0.0.1:7080/","secrets":["whsec_..."],
        "notifyUrl":"http://127.0.0.1:7070/v1/callbacks/simulator"}}}. Without an address, the server has one inside.
        """;

    public static Command Create()
    {
        var http = new System.CommandLine.Option<string>("--http") { Description = "Where it listens (port 0: any free one).", HelpName = "HOST:PORT", DefaultValueFactory = _ => "127.0.0.1:7080" };
        var secret = new System.CommandLine.Option<string>("--secret") { Description = "Signs its callbacks (whsec_...).", HelpName = "SECRET", Required = true };
        var faults = new System.CommandLine.Option<string>("--faults") { Description = "What goes wrong: all, none, or duplicate=0.2,drop=0.05,delay=0.3,forge=0.05,timeout=0.03,wrongAmount=0.01,twice=0.02,late=0.05,delayMs=2000.", HelpName = "LIST", DefaultValueFactory = _ => "none" };
        var seed = WholeNumber.Option("--seed", "What goes wrong is drawn from it.", 1, int.MinValue, int.MaxValue);
        var file = new System.CommandLine.Option<string?>("--file") { Description = "Where it remembers its orders; without, in memory only.", HelpName = "FILE" };
        var command = new Command("simulator", Description) { http, secret, faults, seed, file };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                IPEndPoint endpoint = Endpoint(parsed.GetValue(http)!);
                ListenAddress.Check("--http", endpoint);
                await using WebApplication server = SimulatorServer.Create(
                    endpoint, SigningKey.Parse(parsed.GetValue(secret)!), SimulatorFaults.Parse(parsed.GetValue(faults)!), parsed.GetValue(seed), parsed.GetValue(file));
                await server.StartAsync(cancellationToken);
                string address = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
                Print.Line($"The simulated provider listens at {address}");
                await server.WaitForShutdownAsync(cancellationToken);
                return ExitCode.Good;
            }
            catch (Exception e) when (e is SettingsException or ArgumentException or IOException or UnauthorizedAccessException)
            {
                Print.Error(e.Message);
                return ExitCode.BadArguments;
            }
        });
        return command;
    }

    private static IPEndPoint Endpoint(string text) => IPEndPoint.TryParse(text, out IPEndPoint? endpoint) && IPAddress.IsLoopback(endpoint.Address)
        ? endpoint
        : throw new SettingsException($"--http is '{text}': it must be an address of this machine and a port, for example 127.0.0.1:7080. Play money is not for others.");
}

using System.CommandLine;
using System.Net.Sockets;
using Holdfast.Engine;
using Holdfast.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Holdfast.Cli.Serve;

/// <summary><c>holdfast serve</c>: the server, until Ctrl-C or SIGTERM.</summary>
internal static class ServeCommand
{
    /// <summary>Said by a program that starts a server for itself and holds its standard input: when that program dies, however it dies, the server ends too.</summary>
    public const string UntilInputEnds = "--until-input-ends";

    public static Command Create()
    {
        // No defaults here: what the command line doesn't say, holdfast.json and the environment may.
        var data = new Option<string?>("--data") { Description = "Folder of the journal's and the views' files (default ./data).", HelpName = "DIR" };
        var http = new Option<string?>("--http") { Description = "Where HTTP listens (default 127.0.0.1:7070; port 0: any free one).", HelpName = "HOST:PORT" };
        var resp = new Option<string?>("--resp") { Description = "Where RESP listens (default 127.0.0.1:6380), or 'off'.", HelpName = "HOST:PORT" };
        var journal = new Option<string?>("--journal") { Description = "sqlite (default), postgres, or memory (nothing survives the process).", HelpName = "KIND" };
        var connection = new Option<string?>("--connection") { Description = "Npgsql connection string of the PostgreSQL journal.", HelpName = "STRING" };
        var untilInputEnds = new Option<bool>(UntilInputEnds) { Hidden = true, Arity = ArgumentArity.Zero };
        var command = new Command(
            "serve",
            "Take holds over HTTP and RESP. The same settings are read from holdfast.json in the working folder and from the environment (HOLDFAST_HTTP=...).")
        {
            data, http, resp, journal, connection, untilInputEnds,
        };
        command.SetAction((parsed, _) => RunAsync(
        [
            new("data", parsed.GetValue(data)),
            new("http", parsed.GetValue(http)),
            new("resp", parsed.GetValue(resp)),
            new("journal", parsed.GetValue(journal)),
            new("connection", parsed.GetValue(connection)),
        ],
        parsed.GetValue(untilInputEnds)));
        return command;
    }

    private static async Task<int> RunAsync(KeyValuePair<string, string?>[] said, bool untilInputEnds)
    {
        try
        {
            ServerSettings settings = ServerSettings.Load(said);
            CheckStorage(settings);
            CheckAddresses(settings);
            await using WebApplication server = HoldfastServer.Create(settings);
            return await ServeAsync(server, settings, untilInputEnds);
        }
        catch (Exception e) when (e is SettingsException or HoldfastException)
        {
            Print.Error(e.Message);
            return ExitCode.BadArguments;
        }
    }

    private static async Task<int> ServeAsync(WebApplication server, ServerSettings settings, bool untilInputEnds)
    {
        try
        {
            await server.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Somebody took the address since it was checked.
            Print.Error("can't listen: " + e.Message);
            return ExitCode.BadArguments;
        }

        if (untilInputEnds)
        {
            new Thread(() => StopWhenInputEnds(server.Lifetime)) { IsBackground = true, Name = "input" }.Start();
        }

        Welcome(server, settings);
        await server.WaitForShutdownAsync();
        if (HoldfastServer.Failure(server) is { } failure)
        {
            Print.Error(failure.Message);
            return ExitCode.Bad;
        }

        return ExitCode.Good;
    }

    private static void StopWhenInputEnds(IHostApplicationLifetime lifetime)
    {
        using Stream input = Console.OpenStandardInput();
        while (input.Read(new byte[64]) > 0)
        {
            // Nobody has anything to say here; only the end counts.
        }

        lifetime.StopApplication();
    }

    private static void CheckStorage(ServerSettings settings)
    {
        try
        {
            if (settings.Journal == JournalKind.Postgres)
            {
                _ = new NpgsqlConnectionStringBuilder(settings.Connection);
            }
            else if (settings.Journal == JournalKind.Sqlite)
            {
                // Tried, not asked: what the file system allows shows only when something is written.
                Directory.CreateDirectory(settings.Data);
                string probe = Path.Join(settings.Data, ".writable-" + Environment.ProcessId);
                File.WriteAllBytes(probe, []);
                File.Delete(probe);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"data is '{settings.Data}', and files can't be written there: {e.Message}", e);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            // Not the driver's words: they may show the end of a password with a semicolon in it.
            throw new SettingsException("connection is not a connection string: it must be like Host=localhost;Username=holdfast;Database=holdfast, with values that have a semicolon in them in quotes.", e);
        }
    }

    private static void CheckAddresses(ServerSettings settings)
    {
        ListenAddress.Check("--http", settings.Http);
        if (settings.Resp is not { } resp)
        {
            return;
        }

        ListenAddress.Check("--resp", resp);
        if (ListenAddress.Overlap(settings.Http, resp))
        {
            throw new SettingsException($"http is {settings.Http} and resp is {resp}: each needs a port of its own. Choose another with --http or --resp HOST:PORT.");
        }
    }

    private static void Welcome(WebApplication server, ServerSettings settings)
    {
        string http = HoldfastServer.HttpAddress(server).ToString().TrimEnd('/');
        string place = settings.Journal switch
        {
            JournalKind.Postgres => "PostgreSQL",
            JournalKind.Memory => "memory (nothing survives this process)",
            _ => Path.GetFullPath(settings.Data),
        };
        string key = settings.ApiKeys.Count > 0 ? " -H 'Authorization: Bearer KEY'" : "";
        Print.Line($"Holdfast serves from {place}");
        Print.Line($"  HTTP  {http}   ({http}/docs to browse)");
        if (HoldfastServer.RespEndpoint(server) is { } resp)
        {
            Print.Line($"  RESP  {resp}   (redis-cli -p {resp.Port})");
        }

        Print.Line("Try it:");
        Print.Line($"  curl{key} -X PUT {http}/v1/resources/sku-1 -H 'Content-Type: application/json' -d '{{\"limitPerOwner\":2}}'");
        Print.Line($"  curl{key} {http}/v1/resources/sku-1/adjustments -H 'Content-Type: application/json' -d '{{\"id\":\"trial-1\",\"delta\":100,\"reason\":\"a trial\"}}'");
        Print.Line($"  curl{key} {http}/v1/holds -H 'Content-Type: application/json' -d '{{\"id\":\"trial-1\",\"owner\":\"tom\",\"lines\":[{{\"resource\":\"sku-1\",\"quantity\":1}}]}}'");
        Print.Line("Ctrl-C stops it.");
    }
}

using Holdfast.Client;

namespace Holdfast.Cli.Demo;

/// <summary>The shoppers' ways to the server: over RESP for most, over HTTP for some.</summary>
internal sealed class SaleClients : IAsyncDisposable
{
    public SaleClients(ServerProcess server, int connections)
    {
        Resp = [.. Enumerable.Range(0, connections).Select(_ => (IHoldfastClient)new RespHoldfastClient(Options(server)))];
        Http = new HttpHoldfastClient(Options(server));
    }

    public IReadOnlyList<IHoldfastClient> Resp { get; }

    public IHoldfastClient Http { get; }

    public async ValueTask DisposeAsync()
    {
        foreach (IHoldfastClient client in Resp.Append(Http))
        {
            await client.DisposeAsync();
        }
    }

    // Patient: the server will be away for a while, and the same ids are asked again until it is back.
    private static HoldfastClientOptions Options(ServerProcess server) => new()
    {
        HttpAddress = server.HttpAddress,
        RespAddress = server.RespAddress,
        Retry = new RetryOptions
        {
            MaxAttempts = 100,
            OverallTimeout = TimeSpan.FromMinutes(2),
            AttemptTimeout = TimeSpan.FromSeconds(15),
            BaseDelay = TimeSpan.FromMilliseconds(20),
            MaxDelay = TimeSpan.FromSeconds(1), // restarts on a busy machine take long: fifty seconds on average in all
        },
    };
}

using System.Collections.Concurrent;
using Holdfast.Client;

namespace Holdfast.Cli.Demo;

/// <summary>Asks the server about every cart.</summary>
internal static class TruthReader
{
    private const int AtOnce = 256;

    public static async Task<ServerTruth> ReadAsync(IHoldfastClient client, IEnumerable<Cart> carts, string resource)
    {
        var holds = new ConcurrentDictionary<string, ServerHold>(StringComparer.Ordinal);
        await Parallel.ForEachAsync(carts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (cart, cancellationToken) =>
        {
            if (await client.GetHoldAsync(cart.Id, cancellationToken) is { } hold)
            {
                holds[cart.Id] = new ServerHold(hold.Owner, hold.State, hold.Lines.Sum(l => l.Quantity));
            }
        });
        Resource counted = await client.GetResourceAsync(resource)
            ?? throw new InvalidOperationException($"The server doesn't know {resource} any more.");
        return new ServerTruth(holds, counted.Available, counted.Held, counted.Consumed);
    }
}

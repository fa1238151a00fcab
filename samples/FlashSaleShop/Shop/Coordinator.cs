using System.Net;
using Holdfast.Server;

namespace FlashSaleShop.Shop;

/// <summary>A Holdfast server as a process of the sample; in production this is <c>holdfast serve</c>.</summary>
internal static class Coordinator
{
    /// <summary>coordinator --data FOLDER --port PORT --secret whsec_...</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        IConfiguration settings = new ConfigurationBuilder().AddCommandLine(args[1..]).Build();
        await using WebApplication server = HoldfastServer.Create(new ServerSettings
        {
            Data = settings["data"]!,
            Http = new IPEndPoint(IPAddress.Loopback, int.Parse(settings["port"]!, null)),
            Resp = null,
            SigningSecrets = [settings["secret"]!],
        });
        await server.RunAsync();
        return 0;
    }
}

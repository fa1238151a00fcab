using System.Net;
using System.Net.Sockets;

namespace Holdfast.Cli.Demo;

/// <summary>Ports for servers that can't be told to choose one themselves, or that must come back to the same one.</summary>
internal static class FreePort
{
    /// <summary>
    /// A port that nothing listens on. Below the system's range for outgoing connections: otherwise some client could be
    /// given the very port before the server binds it, or while it is down.
    /// </summary>
    public static int Next()
    {
        while (true)
        {
            int port = Random.Shared.Next(12_000, 32_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken; another.
            }
        }
    }
}

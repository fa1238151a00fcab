using System.Net;
using System.Net.Sockets;
using Holdfast.Server;

namespace Holdfast.Cli;

/// <summary>Whether an address can be listened on, asked before a host is built: what a host says of a taken port is a page of stack trace.</summary>
internal static class ListenAddress
{
    /// <exception cref="SettingsException">It can't.</exception>
    public static void Check(string option, IPEndPoint endpoint)
    {
        using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Bind(endpoint);
        }
        catch (SocketException e)
        {
            string why = e.SocketErrorCode == SocketError.AddressAlreadyInUse
                ? "another program (another Holdfast?) listens there already"
                : e.Message;
            throw new SettingsException($"can't listen on {endpoint}: {why}. Choose another address with {option} HOST:PORT.", e);
        }
    }

    /// <summary>Whether two addresses can't both be listened on.</summary>
    public static bool Overlap(IPEndPoint one, IPEndPoint other) =>
        one.Port == other.Port && one.Port != 0 && (Covers(one.Address, other.Address) || Covers(other.Address, one.Address));

    private static bool Covers(IPAddress all, IPAddress address) =>
        all.Equals(address) || all.Equals(IPAddress.IPv6Any) || (all.Equals(IPAddress.Any) && address.AddressFamily == AddressFamily.InterNetwork);
}

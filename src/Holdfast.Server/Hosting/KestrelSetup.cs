using Holdfast.Server.Resp;
using Holdfast.Server.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Holdfast.Server;

/// <summary>How Kestrel is tuned and bounded.</summary>
internal static class KestrelSetup
{
    /// <summary>Largest body of a single request, in bytes. A batch and a transaction have their own bounds.</summary>
    private const int BodyBytesMax = 1024 * 1024;

    private const int HeaderBytesMax = 16 * 1024;
    private const int HeaderCountMax = 64;
    private const int RequestLineBytesMax = 4 * 1024;

    /// <summary>Of Kestrel's own transport, which serves elsewhere than on Linux.</summary>
    public static void Sockets(SocketTransportOptions sockets)
    {
        // Nothing of ours blocks on these threads, so they may go on with a request themselves.
        sockets.UnsafePreferInlineScheduling = true;
        sockets.NoDelay = true;

        // Waiting for data with an empty read saves an idle connection's 4 KiB and costs a system call for each read.
        sockets.WaitForDataBeforeAllocatingBuffer = false;
        sockets.Backlog = 4096;
    }

    public static void Listen(KestrelServerOptions kestrel, ServerSettings settings)
    {
        kestrel.AddServerHeader = false;
        kestrel.AllowSynchronousIO = false;
        KestrelServerLimits limits = kestrel.Limits;
        limits.MaxConcurrentConnections = settings.MaxConnections;
        limits.MaxConcurrentUpgradedConnections = 0;
        limits.MaxRequestBodySize = BodyBytesMax;
        limits.MaxRequestHeadersTotalSize = HeaderBytesMax;
        limits.MaxRequestHeaderCount = HeaderCountMax;
        limits.MaxRequestLineSize = RequestLineBytesMax;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
        limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
        limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(10));

        kestrel.Listen(settings.Http, static http => http.Protocols = HttpProtocols.Http1);
        if (settings.Resp is { } resp)
        {
            kestrel.Listen(new RespEndPoint(resp), static endpoint => endpoint.UseConnectionHandler<RespConnectionHandler>());
        }
    }
}

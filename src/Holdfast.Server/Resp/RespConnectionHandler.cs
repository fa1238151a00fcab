using Holdfast.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Resp;

/// <summary>Serves RESP on connections that Kestrel accepts: see docs/architecture.md for what is spoken.</summary>
internal sealed class RespConnectionHandler(IServiceProvider services, SpaceHost host, ApiKeys keys) : ConnectionHandler
{
    // With the first connection: the server makes this while it is made itself, and what knows the spaces' start knows the server.
    private readonly Lazy<SpaceOf> _spaces = new(services.GetRequiredService<SpaceOf>);

    private long _lastId;

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        // A server that stops lets go of idle clients at once; one whose commands are underway is answered first.
        CancellationToken stopping = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        await using CancellationTokenRegistration letGo = stopping.UnsafeRegister(static c => ((ConnectionContext)c!).Transport.Input.CancelPendingRead(), connection);
        try
        {
            var served = new RespConnection(_spaces.Value, host.Hasher, keys, Interlocked.Increment(ref _lastId));
            connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(
                static state =>
                {
                    (RespConnection served, ConnectionContext connection) = ((RespConnection, ConnectionContext))state;
                    if (served.IsTooSlow())
                    {
                        connection.Transport.Input.CancelPendingRead();
                    }
                },
                (served, connection));
            await served.RunAsync(connection.Transport);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has gone. What it asked stands (E63): a hold it never heard of lasts until its deadline.
        }
    }
}

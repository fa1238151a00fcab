using Holdfast.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Holdfast.Server.Resp;

/// <summary>Serves RESP on connections that Kestrel accepts: see docs/architecture.md for what is spoken.</summary>
public sealed class RespConnectionHandler(SpaceHost host, ApiKeys keys) : ConnectionHandler
{
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
            await new RespConnection(host, keys, Interlocked.Increment(ref _lastId)).RunAsync(connection.Transport);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has gone. What it asked stands (E63): a hold it never heard of lasts until its deadline.
        }
    }
}

using Holdfast.Engine;
using Microsoft.AspNetCore.Connections;

namespace Holdfast.Server.Resp;

/// <summary>Serves RESP on connections that Kestrel accepts: see docs/architecture.md for what is spoken.</summary>
public sealed class RespConnectionHandler(SpaceHost host, ApiKeys keys) : ConnectionHandler
{
    private long _lastId;

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        try
        {
            await new RespConnection(host, keys, Interlocked.Increment(ref _lastId)).RunAsync(connection.Transport, connection.ConnectionClosed);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has gone. What it asked stands (E63): a hold it never heard of lasts until its deadline.
        }
    }
}

using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Holdfast.Server.Outlets;

/// <summary>Publishes to a topic exchange, persistent and confirmed by the broker; routing key: the type; message id: the message's.</summary>
internal sealed class RabbitMqSink(Uri broker, string exchange) : IOutletSink
{
    private readonly SemaphoreSlim _connecting = new(1, 1);
    private IConnection? _connection;
    private IChannel? _channel;

    public int AtOnce => 64;

    public async Task<Delivery> SendAsync(DueMessage message, CancellationToken cancellationToken)
    {
        try
        {
            IChannel channel = await ChannelAsync(cancellationToken);
            var properties = new BasicProperties { MessageId = message.Id, Type = message.Type, ContentType = "application/json", DeliveryMode = DeliveryModes.Persistent };

            // Completes when the broker has confirmed it; throws when it refuses.
            await channel.BasicPublishAsync(exchange, message.Type, mandatory: false, properties, message.Body, cancellationToken);
            return new Delivery(true, "confirmed");
        }
        catch (Exception e) when (e is RabbitMQClientException or IOException or TimeoutException or ObjectDisposedException or InvalidOperationException)
        {
            return new Delivery(false, e.GetType().Name) { NobodyThere = true };
        }
    }

    public async ValueTask DisposeAsync()
    {
        await (_channel?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (_connection?.DisposeAsync() ?? ValueTask.CompletedTask);
        _connecting.Dispose();
    }

    private async Task<IChannel> ChannelAsync(CancellationToken cancellationToken)
    {
        if (_channel is { IsOpen: true } open)
        {
            return open;
        }

        await _connecting.WaitAsync(cancellationToken);
        try
        {
            if (_channel is { IsOpen: true } meanwhile)
            {
                return meanwhile;
            }

            await (_channel?.DisposeAsync() ?? ValueTask.CompletedTask);
            await (_connection?.DisposeAsync() ?? ValueTask.CompletedTask);
            (_channel, _connection) = (null, null);
            var factory = new ConnectionFactory { Uri = broker, AutomaticRecoveryEnabled = false, ClientProvidedName = "holdfast" };
            _connection = await factory.CreateConnectionAsync(cancellationToken);
            IChannel channel = await _connection.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);
            await channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, autoDelete: false, cancellationToken: cancellationToken);
            return _channel = channel;
        }
        finally
        {
            _connecting.Release();
        }
    }
}

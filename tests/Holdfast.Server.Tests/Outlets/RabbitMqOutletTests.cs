using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Server.Tests.Checkouts;
using RabbitMQ.Client;

namespace Holdfast.Server.Tests.Outlets;

/// <summary>Against a real broker, which is killed and started again.</summary>
public sealed class RabbitMqOutletTests
{
    [Fact]
    public async Task Messages_are_published_confirmed_and_wait_while_the_broker_is_away()
    {
        await using var broker = new RabbitMqServer();
        await broker.StartAsync();
        await using CheckoutServer shop = await CheckoutServer.StartAsync(settings: RunningServer.Settings with
        {
            Outlets = new JsonObject { ["bus"] = new JsonObject { ["uri"] = broker.Uri, ["exchange"] = "shop", ["events"] = new JsonArray("checkout.*") } },
        });
        var factory = new ConnectionFactory { Uri = new Uri(broker.Uri) };
        await using (IConnection connection = await factory.CreateConnectionAsync())
        await using (IChannel channel = await connection.CreateChannelAsync())
        {
            await channel.ExchangeDeclareAsync("shop", ExchangeType.Topic, durable: true, autoDelete: false);
            await channel.QueueDeclareAsync("orders", durable: true, exclusive: false, autoDelete: false);
            await channel.QueueBindAsync("orders", "shop", "checkout.*");
            await shop.BeginAsync("a");
            await shop.TellAsync("payment.succeeded", "a");

            BasicGetResult[] got = await GetAsync(channel, 2);
            got.Select(g => g.RoutingKey).ShouldBe(["checkout.begun", "checkout.paid"], ignoreOrder: true);
            got.ShouldAllBe(g => g.BasicProperties.Persistent && g.BasicProperties.MessageId!.StartsWith("default/", StringComparison.Ordinal));
            CheckoutOf(got[0]).ShouldBe("a");
        }

        await broker.KillAsync();
        await shop.BeginAsync("b");
        JsonNode status = await OutletTests.StatusAsync(shop, s => (string?)s["lastFailure"] is not null);
        ((long)status["waiting"]!).ShouldBe(1);
        ((string)status["state"]!).ShouldBe("active");

        await broker.StartAsync();
        await using IConnection again = await factory.CreateConnectionAsync();
        await using IChannel later = await again.CreateChannelAsync();

        // The killed broker may have lost that "a" was taken off the queue: it is there again, then, before "b".
        BasicGetResult message;
        do
        {
            message = (await GetAsync(later, 1)).Single();
        }
        while (CheckoutOf(message) == "a");
        (CheckoutOf(message), message.RoutingKey).ShouldBe(("b", "checkout.begun"));
        ((long)(await OutletTests.StatusAsync(shop, s => (long)s["waiting"]! == 0))["givenUp"]!).ShouldBe(0);
    }

    private static string CheckoutOf(BasicGetResult message) => (string)JsonNode.Parse(Encoding.UTF8.GetString(message.Body.Span))!["data"]!["checkout"]!;

    private static async Task<BasicGetResult[]> GetAsync(IChannel channel, int count)
    {
        var got = new List<BasicGetResult>();
        for (int i = 0; i < 600 && got.Count < count; i++)
        {
            if (await channel.BasicGetAsync("orders", autoAck: true) is { } message)
            {
                got.Add(message);
            }
            else
            {
                await Task.Delay(50);
            }
        }

        got.Count.ShouldBe(count);
        return [.. got];
    }
}

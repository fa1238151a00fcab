using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Holdfast.Server.Tests;

/// <summary>E64: malformed JSON, huge lengths, deep nesting, slow senders: refused, memory bounded, others unaffected.</summary>
public sealed class HostileInputTests
{
    [Fact]
    public async Task E64_bodies_beyond_the_bound_are_413_however_they_come()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        string big = "{\"id\":\"" + new string('x', 200_000) + "\"}";
        (await server.PostAsync("/v1/holds", big)).ShouldBeProblem(413, "too_large");
        (await server.PutAsync("/v1/resources/sku", big)).ShouldBeProblem(413, "too_large");
        (await server.PostAsync("/v1/holds/h/confirm", new string(' ', 200_000))).ShouldBeProblem(413, "too_large");

        // A length that is only announced is refused before a byte of it was sent.
        using RawClient client = await RawClient.ConnectAsync(server.Endpoint);
        await client.SendAsync("POST /v1/holds HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9223372036854775807\r\n\r\n{");
        string? said = await client.ReadToEndAsync(TimeSpan.FromSeconds(20));
        said.ShouldNotBeNull();
        said.ShouldStartWith("HTTP/1.1 413");
        said.ShouldContain("too_large");
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public async Task E64_deep_nesting_is_400(char open, char close)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        string step = open == '[' ? "[" : "{\"a\":";
        string deep = string.Concat(Enumerable.Repeat(step, 5_000)) + (open == '{' ? "1" : "") + new string(close, 5_000);
        (await server.PostAsync("/v1/holds", "{\"id\":\"h\",\"x\":" + deep + "}")).ShouldBeProblem(400, "invalid");
        (await server.PostAsync("/v1/holds", deep)).ShouldBeProblem(400, "invalid");
        (await server.PostAsync("/v1/batch", "{\"op\":\"try\",\"x\":" + deep + "}\n", type: "application/x-ndjson")).Lines[0]["code"]!.GetValue<string>().ShouldBe("invalid");
    }

    [Fact]
    public async Task E64_slow_senders_are_shut_out_and_others_are_served_meanwhile()
    {
        await using RunningServer server = await RunningServer.StartAsync(change: builder => builder.Services.Configure<KestrelServerOptions>(o =>
        {
            o.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(1);
            o.Limits.MinRequestBodyDataRate = new MinDataRate(240, TimeSpan.FromSeconds(1.1));
        }));
        await server.StockAsync("sku", 1_000);
        var slow = new List<RawClient>();
        for (int i = 0; i < 40; i++)
        {
            RawClient client = await RawClient.ConnectAsync(server.Endpoint);
            slow.Add(client);
            await client.SendAsync(i % 2 == 0
                ? "POST /v1/holds HTTP/1.1\r\nHost: h\r\nX-Slow: "
                : "POST /v1/holds HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"id\":");
        }

        for (int i = 0; i < 50; i++)
        {
            (await server.TryAsync($"h{i}", "sku")).Status.ShouldBe(201);
        }

        foreach (RawClient client in slow)
        {
            string? said = await client.ReadToEndAsync(TimeSpan.FromSeconds(20));
            said.ShouldNotBeNull("the server still waits for a slow sender");
            if (said.Length > 0)
            {
                said.ShouldStartWith("HTTP/1.1 408");
            }

            client.Dispose();
        }

        (await server.GetAsync("/v1/resources/sku")).Number("held").ShouldBe(50);
    }

    [Fact]
    public async Task E64_the_limits_that_the_product_sets_are_there()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { MaxConnections = 77 });
        KestrelServerLimits limits = server.App.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        limits.MaxConcurrentConnections.ShouldBe(77);
        limits.MaxRequestBodySize.ShouldBe(1024 * 1024);
        limits.MaxRequestHeadersTotalSize.ShouldBeLessThanOrEqualTo(32 * 1024);
        limits.RequestHeadersTimeout.ShouldBeLessThanOrEqualTo(TimeSpan.FromSeconds(15));
        limits.MinRequestBodyDataRate.ShouldNotBeNull();
        limits.MinResponseDataRate.ShouldNotBeNull();
    }

    [Fact]
    public async Task E64_one_connection_more_than_allowed_is_closed_at_once()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { MaxConnections = 3 });
        using RawClient second = await RawClient.ConnectAsync(server.Endpoint);
        using RawClient third = await RawClient.ConnectAsync(server.Endpoint);
        await Task.Delay(100);
        using RawClient fourth = await RawClient.ConnectAsync(server.Endpoint);
        (await fourth.ReadToEndAsync(TimeSpan.FromSeconds(10))).ShouldBe("");
        (await server.GetAsync("/health/live")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20261123)]
    public async Task E64_random_bytes_leave_the_server_up_its_memory_bounded_and_its_books_right(int seed)
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 1_000);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var random = new Random(seed);
        for (int round = 0; round < 300; round++)
        {
            using RawClient client = await RawClient.ConnectAsync(server.Endpoint);
            try
            {
                await client.SendAsync(Mutated(random));
            }
            catch (System.Net.Sockets.SocketException)
            {
                // It hung up on what came first: as it should.
            }

            client.Leave(reset: random.Next(2) == 0);
        }

        (await server.TryAsync("honest", "sku", 7)).Status.ShouldBe(201);
        (await server.GetAsync("/health/ready")).Status.ShouldBe(200);
        Reply resource = await server.GetAsync("/v1/resources/sku");
        (resource.Number("available") + resource.Number("held") + resource.Number("consumed")).ShouldBe(resource.Number("supplied"));
        (GC.GetTotalMemory(forceFullCollection: true) - before).ShouldBeLessThan(64L * 1024 * 1024);
    }

    private static byte[] Mutated(Random random)
    {
        string[] requests =
        [
            RawClient.Post("/v1/holds", """{"id":"fuzz","owner":"o","lines":[{"resource":"sku","quantity":1}]}"""),
            RawClient.Post("/v1/holds/fuzz/confirm", """{"lines":[{"resource":"sku","quantity":1}],"keepRemainder":true}"""),
            RawClient.Post("/v1/resources/sku/adjustments", """{"id":"f","delta":1,"reason":"fuzz"}"""),
            RawClient.Post("/v1/batch", "{\"op\":\"try\",\"id\":\"b\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}\n{\"op\":\"cancel\",\"id\":\"b\"}\n"),
            "GET /v1/holds/%ff%00%2F..%2F?limit=%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        ];
        byte[] bytes = Encoding.UTF8.GetBytes(requests[random.Next(requests.Length)]);
        for (int changes = random.Next(8); changes > 0; changes--)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        return random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Holdfast.Server.Resp;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests.Resp;

/// <summary>E64 on the RESP port: what is not RESP, too long, too slow, or cut anywhere.</summary>
public sealed class RespHostileTests
{
    [Theory]
    [InlineData("*999999\r\n")]
    [InlineData("*-1\r\n")]
    [InlineData("*1\r\n$999999999\r\n")]
    [InlineData("*1\r\n$-5\r\n")]
    [InlineData("*99999999999999999999999\r\n")]
    [InlineData("*1\r\n:5\r\n")]
    [InlineData("*1\r\n$4\r\nPINGxx")]
    [InlineData("*x\r\n")]
    [InlineData("*1\r\n$abc\r\n")]
    public async Task E64_malformed_framing_is_told_and_the_connection_closed(string input)
    {
        await using RespServer server = await RespServer.StartAsync();
        string answer = await server.ExchangeAsync([.. Encoding.ASCII.GetBytes(input), .. RespServer.Encode("PING late")]);
        answer.ShouldStartWith("-ERR Protocol error: ");
        answer.ShouldNotContain("late");
        (await server.ExchangeAsync("PING")).ShouldBe("+PONG\r\n");
    }

    [Fact]
    public async Task E64_an_endless_line_or_command_is_cut_off_at_its_bound()
    {
        await using RespServer server = await RespServer.StartAsync();
        (await server.ExchangeAsync(Encoding.ASCII.GetBytes(new string('a', 300_000)))).ShouldContain("longer than 65536 bytes");
        var many = new StringBuilder("*150\r\n");
        for (int i = 0; i < 149; i++)
        {
            many.Append("$4000\r\n").Append('x', 4000).Append("\r\n");
        }

        (await server.ExchangeAsync(Encoding.ASCII.GetBytes(many.ToString()))).ShouldContain("longer than 65536 bytes");
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: 127.0.0.1:6380\r\nContent-Type: text/plain\r\n\r\n")]
    [InlineData("Host: 127.0.0.1:6380\r\n\r\n")]
    public async Task A_web_pages_request_carries_nothing_out(string head)
    {
        await using RespServer server = await RespServer.StartAsync();
        string answer = await server.ExchangeAsync(Encoding.ASCII.GetBytes(head + "STOCK.ADJUST sku-1 evil 77\r\nHOLD.TRY evil - 0 sku-1 70\r\n"));
        answer.ShouldBe("-ERR Protocol error: this is HTTP; RESP is spoken here\r\n");
        (await server.StockAsync()).Supplied.ShouldBe(1_000_000);
    }

    [Theory]
    [InlineData(true, "*2\r\n$4\r\nAU", 11, "-NOAUTH no key was shown in time")]
    [InlineData(true, "*1\r\n$4\r\nPING\r\n", 11, "-NOAUTH no key was shown in time")]
    [InlineData(false, "*2\r\n$8\r\nHOLD.GET\r\n$1", 31, "-ERR a command's end didn't come in time")]
    [InlineData(false, "*1\r\n$4\r\nPING\r\n", null, "")]
    public async Task E64_who_keeps_a_place_for_nothing_is_let_go(bool keys, string sent, int? seconds, string words)
    {
        await using RunningServer running = await RunningServer.StartAsync(RunningServer.Settings with
        {
            ApiKeys = keys ? [new ApiKeySetting("shop", Roles.Read) { Key = "shop-key-0123456789" }] : [],
        });
        var connection = new RespConnection(
            running.App.Services.GetRequiredService<SpaceOf>(), running.Spaces.Hasher, running.App.Services.GetRequiredService<ApiKeys>(), 1);
        var inline = new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);
        var (toServer, toClient) = (new Pipe(inline), new Pipe(inline));
        Task served = connection.RunAsync(new Duplex(toServer.Reader, toClient.Writer));
        await toServer.Writer.WriteAsync(Encoding.ASCII.GetBytes(sent));
        if (sent.EndsWith("PING\r\n", StringComparison.Ordinal))
        {
            toClient.Reader.AdvanceTo((await toClient.Reader.ReadAsync()).Buffer.End);
        }

        // Once a second, as the server's heartbeat does.
        int beats = 0;
        while (beats < 100 && !connection.IsTooSlow())
        {
            beats++;
        }

        if (seconds is null)
        {
            beats.ShouldBe(100, "who is silent between commands may stay");
            await toServer.Writer.CompleteAsync();
            await served;
            return;
        }

        (beats + 1).ShouldBe(seconds.Value);
        toServer.Reader.CancelPendingRead();
        await served;
        Encoding.ASCII.GetString((await toClient.Reader.ReadAsync()).Buffer.ToArray()).ShouldStartWith(words);
    }

    [Fact]
    public async Task E64_a_stranger_who_shows_no_key_is_let_go_by_the_running_server()
    {
        await using RespServer server = await RespServer.StartAsync(RunningServer.Settings with { ApiKeys = [new ApiKeySetting("shop", Roles.Read) { Key = "shop-key-0123456789" }] });
        using var socket = new TcpClient();
        await socket.ConnectAsync(server.Endpoint);
        using var reader = new StreamReader(socket.GetStream());
        (await reader.ReadToEndAsync()).ShouldStartWith("-NOAUTH no key was shown in time");
    }

    [Fact]
    public async Task E64_names_that_are_none_are_refused_by_name()
    {
        await using RespServer server = await RespServer.StartAsync();
        byte[] notUtf8 = [.. "*6\r\n$8\r\nHOLD.TRY\r\n$2\r\n"u8, 0xC3, 0x28, .. "\r\n$1\r\n-\r\n$1\r\n0\r\n$5\r\nsku-1\r\n$1\r\n1\r\n"u8];
        (await server.ExchangeAsync(notUtf8)).ShouldBe("-INVALID the hold's id is not valid UTF-8\r\n");
        byte[] control = [.. "*6\r\n$8\r\nHOLD.TRY\r\n$3\r\nh\r\n\r\n$1\r\n-\r\n$1\r\n0\r\n$5\r\nsku-1\r\n$1\r\n1\r\n"u8];
        (await server.ExchangeAsync(control)).ShouldBe("-INVALID the hold's id contains a control character\r\n");
        (await server.ExchangeAsync($"HOLD.TRY {new string('h', 129)} - 0 sku-1 1")).ShouldBe("-INVALID the hold's id is longer than 128 bytes\r\n");
    }

    [Fact]
    public async Task A_pipeline_cut_at_every_byte_gives_the_same_answers()
    {
        await using RespServer server = await RespServer.StartAsync();
        byte[] whole = RespServer.Encode("HOLD.TRY h1 ann 600 sku-1 1", "HOLD.CONFIRM h1", "PING x", "HOLD.CANCEL h1");
        (await server.ExchangeAsync(whole)).ShouldStartWith("+held\r\n+confirmed\r\n$1\r\nx\r\n-CONFIRMED ");
        string expected = await server.ExchangeAsync(whole);
        expected.ShouldStartWith("-CONFIRMED ");
        (await server.ExchangeAsync(whole, byteByByte: true)).ShouldBe(expected);
    }

    [Fact]
    public async Task Inline_commands_work_as_from_telnet()
    {
        await using RespServer server = await RespServer.StartAsync();
        (await server.ExchangeAsync("PING\r\n\r\nHOLD.TRY h1  -  0 sku-1 1\nHOLD.CONFIRM h1\r\n"u8.ToArray())).ShouldBe("+PONG\r\n+held\r\n+confirmed\r\n");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task E64_random_and_mutated_bytes_leave_the_server_up_and_its_books_right(int seed)
    {
        await using RespServer server = await RespServer.StartAsync();
        var random = new Random(seed);
        byte[] sane = RespServer.Encode("HOLD.TRY h1 ann 600 sku-1 1", "HOLD.CONFIRM h1 KEEP sku-1 1", "HOLD.GET h1", "STOCK.GET sku-1", "SPACE default", "HELLO 3", "CONFIG GET *");
        for (int i = 0; i < 150; i++)
        {
            byte[] bytes = i % 3 == 0 ? new byte[random.Next(1, 400)] : [.. sane];
            if (i % 3 == 0)
            {
                random.NextBytes(bytes);
            }
            else
            {
                for (int m = random.Next(1, 8); m > 0; m--)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }
            }

            await server.ExchangeAsync(bytes);
        }

        (await server.ExchangeAsync("PING")).ShouldBe("+PONG\r\n");
        Kernel.ResourceView stock = await server.StockAsync();
        stock.Supplied.ShouldBe(stock.Available + stock.Held + stock.Consumed);
    }

    [Fact]
    public async Task E63_a_client_gone_before_the_answer_leaves_its_hold()
    {
        await using RespServer server = await RespServer.StartAsync();
        for (int i = 0; i < 20; i++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { LingerState = new LingerOption(true, 0) };
            await socket.ConnectAsync(server.Endpoint);
            await socket.SendAsync(RespServer.Encode($"HOLD.TRY gone-{i} - 600 sku-1 1"));

            // Reset only once the server has read it: a reset throws away what is still in its buffer.
            for (int wait = 0; wait < 500 && (await server.StockAsync()).Held <= i; wait++)
            {
                await Task.Delay(10);
            }
        }

        (await server.StockAsync()).Held.ShouldBe(20);
    }

    [Fact]
    public async Task E64_a_client_that_never_reads_does_not_fill_the_servers_memory()
    {
        await using RespServer server = await RespServer.StartAsync();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server.Endpoint);
        byte[] echo = RespServer.Encode([.. Enumerable.Repeat("ECHO " + new string('x', 4000), 200)]);
        long before = GC.GetTotalMemory(true);
        long sent = 0;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        try
        {
            while (sent < 512L * 1024 * 1024)
            {
                sent += await socket.SendAsync(echo, patience.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stopped reading, as it should.
        }

        sent.ShouldBeLessThan(128L * 1024 * 1024);
        (GC.GetTotalMemory(true) - before).ShouldBeLessThan(64L * 1024 * 1024);
        (await server.ExchangeAsync("PING")).ShouldBe("+PONG\r\n");
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}

using System.Net;
using System.Text;
using Holdfast.Engine;

namespace Holdfast.Server.Tests.Resp;

/// <summary>Every RESP command over a real socket.</summary>
public sealed class RespCommandTests
{
    [Fact]
    public async Task The_life_of_a_hold()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        (await server.ExchangeAsync("HOLD.TRY h1 ann 600 sku-1 2", "hold.try h1 ann 600 sku-1 2", "HOLD.CONFIRM h1", "HOLD.CONFIRM h1", "HOLD.CANCEL h1", "STOCK.GET sku-1"))
            .ShouldBe("+held\r\n+held\r\n+confirmed\r\n+confirmed\r\n-CONFIRMED the hold is confirmed: give units back with a return\r\n"
                + "*10\r\n$2\r\nid\r\n$5\r\nsku-1\r\n$9\r\navailable\r\n:8\r\n$4\r\nheld\r\n:0\r\n$8\r\nconsumed\r\n:2\r\n$7\r\nversion\r\n:4\r\n");
    }

    [Theory]
    [InlineData("HOLD.TRY h2 ann 0 sku-1 99", "-INSUFFICIENT sku-1 asked 99 available 9")]
    [InlineData("HOLD.TRY h2 ann 0 sku-9 1", "-UNKNOWN_RESOURCE sku-9 asked 1 available 0 (no resource sku-9: put it first)")]
    [InlineData("HOLD.TRY h1 ann 0 sku-1 2", "-CONFLICT ")]
    [InlineData("HOLD.TRY h2 ann 0 sku-1 0", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann 0 sku-1 -1", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann 0 sku-1 1.5", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann 0 sku-1 99999999999999999999", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann soon sku-1 1", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann -1 sku-1 1", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann -0.0004 sku-1 1", "-INVALID ")]
    [InlineData("HOLD.TRY h2 ann 0 sku-1", "-INVALID usage: HOLD.TRY")]
    [InlineData("HOLD.TRY h2 ann 0@1000 sku-1 1", "-TOO_OLD ")]
    [InlineData("HOLD.CONFIRM nobody", "-NOT_FOUND ")]
    [InlineData("HOLD.CONFIRM h1 sku-1 5", "-EXCEEDS_HOLD sku-1 asked 5 available 1")]
    [InlineData("HOLD.CONFIRM", "-INVALID usage: HOLD.CONFIRM")]
    [InlineData("HOLD.GET nobody", "-NOT_FOUND ")]
    [InlineData("STOCK.GET sku-9", "-UNKNOWN_RESOURCE ")]
    [InlineData("STOCK.ADJUST sku-1 a1 zero", "-INVALID usage: STOCK.ADJUST")]
    [InlineData("STOCK.ADJUST sku-1 a1 -100", "-INSUFFICIENT sku-1 asked 100 available 9")]
    [InlineData("STOCK.ADJUST sku-1 a1 5 delivery", ":14")]
    [InlineData("HOLD.CANCEL never-made", "+cancelled")]
    [InlineData("HOLD.EXTEND h1 60", "+held")]
    [InlineData("SPACE nowhere", "-NOT_FOUND ")]
    [InlineData("SPACE default", "+OK")]
    [InlineData("NONSENSE 1 2", "-ERR unknown command 'NONSENSE'")]
    [InlineData("PING", "+PONG")]
    [InlineData("PING hello", "$5\r\nhello")]
    [InlineData("ECHO hello", "$5\r\nhello")]
    [InlineData("SELECT 0", "+OK")]
    [InlineData("SELECT 1", "-ERR ")]
    [InlineData("CLIENT SETNAME x", "+OK")]
    [InlineData("CLIENT ID", ":")]
    [InlineData("COMMAND", "*0")]
    [InlineData("CONFIG GET appendfsync", "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways")]
    [InlineData("INFO", "$")]
    [InlineData("HELLO 2", "*10\r\n$6\r\nserver\r\n$8\r\nholdfast")]
    [InlineData("HELLO 3", "%5\r\n$6\r\nserver\r\n$8\r\nholdfast")]
    [InlineData("HELLO 4", "-NOPROTO ")]
    [InlineData("HELLO 3abc", "-NOPROTO ")]
    [InlineData("HELLO 3 BOGUS", "-ERR usage: HELLO")]
    [InlineData("HELLO 3 AUTH ann", "-ERR usage: HELLO")]
    [InlineData("QUIT", "+OK")]
    public async Task Each_command_is_answered_in_its_place(string command, string beginning)
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        string answers = await server.ExchangeAsync("HOLD.TRY h1 ann 600 sku-1 1", command, "PING after");
        answers.ShouldStartWith("+held\r\n" + beginning);
        answers.EndsWith("$5\r\nafter\r\n", StringComparison.Ordinal).ShouldBe(command != "QUIT");
    }

    [Fact]
    public async Task Partial_confirm_keeps_the_remainder_and_a_retry_consumes_nothing()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        (await server.ExchangeAsync("HOLD.TRY h1 - 0 sku-1 5", "HOLD.CONFIRM h1 KEEP sku-1 2", "HOLD.CONFIRM h1 KEEP sku-1 2", "HOLD.CANCEL h1"))
            .ShouldBe("+held\r\n+held\r\n+held\r\n+cancelled\r\n");
        ResourceOf(await server.StockAsync()).ShouldBe((8, 0, 2));
    }

    [Fact]
    public async Task Get_tells_owner_state_deadline_and_lines()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        string answer = await server.ExchangeAsync("HOLD.TRY h1 ann 600 sku-1 2", "HOLD.GET h1");
        answer.ShouldMatch(@"^\+held\r\n\*10\r\n\$2\r\nid\r\n\$2\r\nh1\r\n\$5\r\nowner\r\n\$3\r\nann\r\n\$5\r\nstate\r\n\$4\r\nheld\r\n\$10\r\nexpires-at\r\n\$24\r\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\r\n\$5\r\nlines\r\n\*2\r\n\$5\r\nsku-1\r\n:2\r\n$");
    }

    [Fact]
    public async Task A_space_is_of_its_connection_only()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        await server.Running.Spaces.CreateAsync("shop-7", CancellationToken.None);
        (await server.ExchangeAsync("HOLD.TRY a - 0 sku-1 1", "SPACE shop-7", "HOLD.TRY b - 0 sku-1 1", "SPACE default", "HOLD.TRY c - 0 sku-1 1"))
            .ShouldBe("+held\r\n+OK\r\n-UNKNOWN_RESOURCE sku-1 asked 1 available 0 (no resource sku-1: put it first)\r\n+OK\r\n+held\r\n");
    }

    [Fact]
    public async Task After_a_refused_SPACE_nothing_goes_to_another_space()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        string[] answers = (await server.ExchangeAsync("SPACE shop-7", "HOLD.TRY b - 0 sku-1 1", "INFO", "SPACE default", "HOLD.TRY c - 0 sku-1 1")).Split("\r\n");
        answers[0].ShouldStartWith("-NOT_FOUND there is no space shop-7");
        answers[1].ShouldBe(answers[0]);
        answers[^3].ShouldBe("+OK");
        answers[^2].ShouldBe("+held");
        ResourceOf(await server.StockAsync()).ShouldBe((9, 1, 0));
    }

    [Fact]
    public async Task While_the_journal_is_read_every_command_is_unavailable_and_then_goes_where_it_was_meant()
    {
        var store = new GatedStore();
        store.Opening.Close();
        await using RunningServer running = await RunningServer.StartAsync(RunningServer.Settings with { Resp = new IPEndPoint(IPAddress.Loopback, 0) }, store, ready: false);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, HoldfastServer.RespEndpoint(running.App)!.Port);
        using var reader = new StreamReader(client.GetStream());
        await client.Client.SendAsync(RespServer.Encode("PING", "SPACE default", "HOLD.GET h"));
        (await reader.ReadLineAsync()).ShouldBe("+PONG");
        (await reader.ReadLineAsync())!.ShouldStartWith("-UNAVAILABLE ");
        (await reader.ReadLineAsync())!.ShouldStartWith("-UNAVAILABLE ");

        store.Opening.Open();
        await running.BecomesReadyAsync();
        await client.Client.SendAsync(RespServer.Encode("HOLD.GET h"));
        (await reader.ReadLineAsync())!.ShouldStartWith("-NOT_FOUND ");
    }

    [Fact]
    public async Task A_reply_has_the_form_that_was_spoken_when_its_command_came()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        string answers = await server.ExchangeAsync("STOCK.GET sku-1", "HELLO 3", "STOCK.GET sku-1");
        answers.ShouldStartWith("*10\r\n");
        answers.ShouldEndWith("%5\r\n$2\r\nid\r\n$5\r\nsku-1\r\n$9\r\navailable\r\n:10\r\n$4\r\nheld\r\n:0\r\n$8\r\nconsumed\r\n:0\r\n$7\r\nversion\r\n:2\r\n");
    }

    [Fact]
    public async Task A_time_to_live_means_the_same_over_both_doors()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        (await server.ExchangeAsync("HOLD.TRY h1 - 600.0005 sku-1 1")).ShouldBe("+held\r\n");
        (await server.Running.TryAsync("h1", "sku-1", more: "\"ttlSeconds\":600.0005,")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_pipeline_longer_than_the_queue_is_carried_out_in_parts()
    {
        await using RespServer server = await RespServer.StartAsync(RunningServer.Settings with { QueueCapacity = 4 }, units: 100);
        string[] tries = [.. Enumerable.Range(0, 50).Select(i => $"HOLD.TRY h{i} - 0 sku-1 1")];
        (await server.ExchangeAsync(tries)).ShouldBe(string.Concat(Enumerable.Repeat("+held\r\n", 50)));
    }

    [Fact]
    public async Task Limit_names_the_owners_earlier_hold_E56()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        IHoldfast calls = server.Running.Spaces.Use(server.Running.Spaces.Default);
        await calls.PutResourceAsync("sku-1", new Kernel.ResourcePolicy { LimitPerOwner = 1 });
        (await server.ExchangeAsync("HOLD.TRY h1 ann 0 sku-1 1", "HOLD.TRY h2 ann 0 sku-1 1", "HOLD.TRY h3 - 0 sku-1 1"))
            .ShouldBe("+held\r\n-LIMIT_EXCEEDED sku-1 asked 1 available 0 hold h1\r\n-NOT_OWNER sku-1 asked 1 available 9 (sku-1: the resource is limited by owner and the hold names none)\r\n");
    }

    [Fact]
    public async Task Keys_are_asked_for_and_roles_kept()
    {
        ServerSettings settings = RunningServer.Settings with
        {
            ApiKeys =
            [
                new ApiKeySetting("shop", Roles.Read | Roles.Write) { Key = "shop-key-0123456789" },
                new ApiKeySetting("writer", Roles.Write) { Key = "write-key-0123456789" },
            ],
        };
        RunningServer running = await RunningServer.StartAsync(settings with { Resp = new IPEndPoint(IPAddress.Loopback, 0) });
        await using (running)
        {
            var client = new System.Net.Sockets.TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, HoldfastServer.RespEndpoint(running.App)!.Port);
            await client.Client.SendAsync(RespServer.Encode(
                "HOLD.TRY h1 - 0 sku-1 1", "HELLO 3", "AUTH wrong", "AUTH default shop-key-0123456789", "HOLD.GET h1", "STOCK.ADJUST sku-1 a 1", "AUTH write-key-0123456789", "INFO", "SPACE default", "QUIT"));
            using var reader = new StreamReader(client.GetStream());
            string answers = await reader.ReadToEndAsync();
            string[] lines = answers.Split("\r\n");
            lines[0].ShouldStartWith("-NOAUTH");
            lines[1].ShouldStartWith("-NOAUTH");
            lines[2].ShouldStartWith("-WRONGPASS");
            lines[3].ShouldBe("+OK");
            lines[4].ShouldStartWith("-NOT_FOUND");
            lines[5].ShouldStartWith("-NOPERM");
            lines[6].ShouldBe("+OK");
            lines[7].ShouldStartWith("-NOPERM", customMessage: "INFO tells what /metrics tells");
            lines[8].ShouldBe("+OK", "any key may choose its space");
            answers.ShouldNotContain("shop-key");
            client.Dispose();
        }
    }

    private static (long, long, long) ResourceOf(Kernel.ResourceView view) => (view.Available, view.Held, view.Consumed);
}

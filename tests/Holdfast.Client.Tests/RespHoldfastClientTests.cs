using System.Collections.Concurrent;
using System.Globalization;

namespace Holdfast.Client.Tests;

public class RespHoldfastClientTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Test => TestContext.Current.CancellationToken;

    // Answers with the id in it, so that a shifted answer shows.
    private static string Stock(string id) =>
        $"*10\r\n$2\r\nid\r\n${id.Length}\r\n{id}\r\n$9\r\navailable\r\n:7\r\n$4\r\nheld\r\n:2\r\n$8\r\nconsumed\r\n:1\r\n$7\r\nversion\r\n:3\r\n";

    [Fact]
    public async Task Try_sends_the_command_and_tells_the_hold()
    {
        await using var server = new ScriptedRespServer((_, _) => "+held\r\n");
        await using var client = server.Client();

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 2, owner: "user-9", id: "h-1") with { Ttl = TimeSpan.FromMilliseconds(1500) }, Test);

        result.EnsureSucceeded().State.ShouldBe(HoldState.Held);
        result.Hold!.Lines.ShouldBe([new HoldLine("sku-1", 2)]);
        server.Received.Single().Command.ShouldBe(["HOLD.TRY", "h-1", "user-9", server.Received.Single().Command[3], "sku-1", "2"]);
        server.Received.Single().Command[3].ShouldStartWith("2@");
    }

    [Fact]
    public async Task Id_left_out_becomes_a_UUIDv7_and_is_told()
    {
        await using var server = new ScriptedRespServer((_, _) => "+held\r\n");
        await using var client = server.Client();

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 1), Test);

        Guid.Parse(result.Id).Version.ShouldBe(7);
        server.Received.Single().Command[1].ShouldBe(result.Id);
    }

    [Fact]
    public async Task Refusal_is_a_value_and_throws_only_on_request()
    {
        await using var server = new ScriptedRespServer((_, _) => "-INSUFFICIENT sku-1 asked 2 available 0\r\n");
        await using var client = server.Client();

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 2), Test);

        result.Succeeded.ShouldBeFalse();
        result.Refusal!.Code.ShouldBe(RefusalCode.Insufficient);
        result.Refusal.Available.ShouldBe(0);
        Should.Throw<HoldRefusedException>(() => result.EnsureSucceeded()).Refusal.ShouldBe(result.Refusal);
        server.Received.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Hold_and_stock_are_read_from_answers_cut_at_every_byte()
    {
        await using var server = new ScriptedRespServer((command, _) => command[0] == "STOCK.GET"
            ? Stock(command[1])
            : "*10\r\n$2\r\nid\r\n$3\r\nh-1\r\n$5\r\nowner\r\n$0\r\n\r\n$5\r\nstate\r\n$7\r\nexpired\r\n"
                + "$10\r\nexpires-at\r\n$20\r\n2026-11-23T06:00:00Z\r\n$5\r\nlines\r\n*4\r\n$5\r\nsku-1\r\n:2\r\n$5\r\nsku-2\r\n:1\r\n") { ChunkBytes = 1 };
        await using var client = server.Client();

        var hold = (await client.GetHoldAsync("h-1", Test)).ShouldNotBeNull();
        hold.Owner.ShouldBeNull();
        hold.State.ShouldBe(HoldState.Expired);
        hold.ExpiresAt.ShouldBe(DateTimeOffset.Parse("2026-11-23T06:00:00Z", CultureInfo.InvariantCulture));
        hold.Lines.ShouldBe([new HoldLine("sku-1", 2), new HoldLine("sku-2", 1)]);
        (await client.GetResourceAsync("sku-1", Test)).ShouldBe(new Resource { Id = "sku-1", Available = 7, Held = 2, Consumed = 1, Version = 3 });
    }

    [Fact]
    public async Task Missing_hold_and_resource_are_null()
    {
        await using var server = new ScriptedRespServer((command, _) => command[0] == "STOCK.GET" ? "-UNKNOWN_RESOURCE x\r\n" : "-NOT_FOUND h\r\n");
        await using var client = server.Client();

        (await client.GetHoldAsync("h", Test)).ShouldBeNull();
        (await client.GetResourceAsync("x", Test)).ShouldBeNull();
    }

    [Fact]
    public async Task Many_callers_share_writes_and_each_gets_their_own_answer()
    {
        const int Callers = 64;
        const int Each = 50;
        await using var server = new ScriptedRespServer((command, _) => Stock(command[1]));
        await using var client = server.Client();

        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (var i = 0; i < Each; i++)
            {
                (await client.GetResourceAsync($"r-{caller}-{i}", Test))!.Id.ShouldBe($"r-{caller}-{i}");
            }
        }))).WaitAsync(Patience, Test);

        server.Received.Count.ShouldBe(Callers * Each);
        server.Connections.ShouldBe(1);
        client.Connection!.Writes.ShouldBeLessThan(Callers * Each / 2);
    }

    [Fact]
    public async Task Caller_who_gives_up_does_not_shift_the_answers_of_the_others()
    {
        var gate = new TaskCompletionSource();
        await using var server = new ScriptedRespServer(async (command, _) =>
        {
            await gate.Task;
            return Stock(command[1]);
        });
        await using var client = server.Client();
        using var giveUp = new CancellationTokenSource();
        // The connection first, so that all the others are really in line on it.
        var first = client.GetResourceAsync("first", Test).AsTask();
        await server.ReceivesAsync(1);

        var calls = Enumerable.Range(0, 300).Select(i => (Name: $"r-{i}", GivesUp: i % 3 == 1))
            .Select(c => (c.Name, c.GivesUp, Task: client.GetResourceAsync(c.Name, c.GivesUp ? giveUp.Token : Test).AsTask())).ToList();
        await giveUp.CancelAsync();
        foreach (var call in calls.Where(c => c.GivesUp))
        {
            (await Should.ThrowAsync<OperationCanceledException>(call.Task)).CancellationToken.ShouldBe(giveUp.Token);
        }

        gate.SetResult();
        (await first.WaitAsync(Patience, Test))!.Id.ShouldBe("first");
        foreach (var call in calls.Where(c => !c.GivesUp))
        {
            (await call.Task.WaitAsync(Patience, Test))!.Id.ShouldBe(call.Name);
        }

        (await client.GetResourceAsync("after", Test))!.Id.ShouldBe("after");
        server.Connections.ShouldBe(1);
    }

    [Fact]
    public async Task Cancellations_racing_answers_never_mix_them_up()
    {
        await using var server = new ScriptedRespServer((command, _) => Stock(command[1]));
        await using var client = server.Client();
        var outcomes = new ConcurrentDictionary<bool, int>();

        await Task.WhenAll(Enumerable.Range(0, 32).Select(caller => Task.Run(async () =>
        {
            var random = new Random(caller);
            for (var i = 0; i < 200; i++)
            {
                using var giveUp = new CancellationTokenSource();
                var name = $"r-{caller}-{i}";
                var call = client.GetResourceAsync(name, giveUp.Token).AsTask();
                for (var spins = random.Next(3); spins > 0; spins--)
                {
                    await Task.Yield();
                }

                if (random.Next(2) == 0)
                {
                    await giveUp.CancelAsync();
                }

                try
                {
                    (await call)!.Id.ShouldBe(name);
                    outcomes.AddOrUpdate(true, 1, (_, n) => n + 1);
                }
                catch (OperationCanceledException)
                {
                    outcomes.AddOrUpdate(false, 1, (_, n) => n + 1);
                }
            }
        }))).WaitAsync(Patience, Test);

        outcomes[true].ShouldBeGreaterThan(100);
        outcomes[false].ShouldBeGreaterThan(100);
    }

    [Fact]
    public async Task Err_is_an_exception_and_the_connection_goes_on()
    {
        await using var server = new ScriptedRespServer((command, _) =>
            command[0] == "HOLD.EXTEND" ? "-ERR unknown command 'HOLD.EXTEND'\r\n" : "+confirmed\r\n");
        await using var client = server.Client();

        (await Should.ThrowAsync<HoldfastProtocolException>(client.ExtendAsync("h", TimeSpan.FromSeconds(1), Test).AsTask()))
            .Message.ShouldContain("unknown command");
        (await client.ConfirmAsync("h", cancellationToken: Test)).State.ShouldBe(HoldState.Confirmed);
        server.Connections.ShouldBe(1);
    }

    [Fact]
    public async Task Key_and_space_come_first_on_every_connection()
    {
        await using var server = new ScriptedRespServer((command, connection) =>
            command[0] is "AUTH" or "SPACE" ? "+OK\r\n" : connection == 1 ? ScriptedRespServer.Hangup : "+cancelled\r\n");
        await using var client = server.Client(o => (o.ApiKey, o.Space) = ("secret", "berlin"));

        await client.CancelAsync("h-1", Test);

        server.Received.Select(r => $"{r.Connection} {string.Join(' ', r.Command)}").ShouldBe(
        [
            "1 AUTH secret", "1 SPACE berlin", "1 HOLD.CANCEL h-1",
            "2 AUTH secret", "2 SPACE berlin", "2 HOLD.CANCEL h-1",
        ]);
    }

    [Fact]
    public async Task Key_that_an_open_server_does_not_need_is_no_mistake()
    {
        await using var server = new ScriptedRespServer((command, _) => command[0] == "AUTH"
            ? "-ERR AUTH called without any API key configured for this server. Nothing to do: go on.\r\n"
            : "+cancelled\r\n");
        await using var client = server.Client(o => o.ApiKey = "secret");

        (await client.CancelAsync("h-1", Test)).State.ShouldBe(HoldState.Cancelled);
    }

    [Fact]
    public async Task Space_that_is_not_there_is_not_a_hold_that_is_not_there()
    {
        await using var server = new ScriptedRespServer((_, _) => "-NOT_FOUND there is no space berlin: create it first with PUT /v1/spaces/berlin\r\n");
        await using var inSpace = server.Client(o => o.Space = "berlin");
        await using var inDefault = server.Client();

        (await Should.ThrowAsync<HoldfastProtocolException>(inSpace.GetHoldAsync("h", Test).AsTask())).Message.ShouldContain("no space berlin");
        (await Should.ThrowAsync<HoldfastProtocolException>(inDefault.GetHoldAsync("h", Test).AsTask())).Message.ShouldContain("no space berlin");
        (await Should.ThrowAsync<HoldfastProtocolException>(inDefault.ConfirmAsync("h", cancellationToken: Test).AsTask())).Message.ShouldContain("no space berlin");
    }

    [Fact]
    public async Task Wrong_key_is_denied_without_repeating()
    {
        await using var server = new ScriptedRespServer((_, _) => "-WRONGPASS no such key\r\n");
        await using var client = server.Client(o => o.ApiKey = "secret");

        var thrown = await Should.ThrowAsync<HoldfastDeniedException>(client.CancelAsync("h-1", Test).AsTask());

        thrown.Message.ShouldNotContain("secret");
        server.Received.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Adjustment_tells_what_is_available()
    {
        await using var server = new ScriptedRespServer((_, _) => ":105\r\n");
        await using var client = server.Client();

        var result = await client.AdjustAsync("sku-1", Adjustment.By(5, "delivery", "a-1"), Test);

        result.Available.ShouldBe(105);
        server.Received.Single().Command.ShouldBe(["STOCK.ADJUST", "sku-1", "a-1", "5", "delivery"]);
    }

    [Fact]
    public async Task Calls_without_a_RESP_form_say_what_is_missing()
    {
        await using var server = new ScriptedRespServer((_, _) => "+OK\r\n");
        await using var client = server.Client();

        var thrown = await Should.ThrowAsync<NotSupportedException>(async () => await client.PutResourceAsync("sku-1", new(), Test));
        thrown.Message.ShouldContain("HttpAddress");
        await Should.ThrowAsync<NotSupportedException>(async () => await client.AdjustAsync("sku-1", Adjustment.To(5, 1), Test));
        await Should.ThrowAsync<NotSupportedException>(async () => await client.AdjustAsync("sku-1", Adjustment.By(5) with { Force = true }, Test));
        await Should.ThrowAsync<NotSupportedException>(async () => await client.ReturnAsync("h", new ReturnRequest([new("a", 1)]), Test));
        server.Received.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65)]
    public async Task Lines_out_of_bounds_are_refused_as_the_server_would(int lines)
    {
        await using var server = new ScriptedRespServer((_, _) => "+held\r\n");
        await using var client = server.Client();

        var result = await client.TryHoldAsync(new HoldRequest([.. Enumerable.Repeat(new HoldLine("a", 1), lines)]), Test);

        result.Refusal!.Code.ShouldBe(RefusalCode.Invalid);
        server.Received.ShouldBeEmpty();
    }

    [Fact]
    public async Task Disposing_fails_those_who_wait_and_those_who_come()
    {
        await using var server = new ScriptedRespServer((_, _) => "");
        var client = server.Client();
        var waiting = client.CancelAsync("h-1", Test).AsTask();
        await server.ReceivesAsync(1);

        await client.DisposeAsync();

        await Should.ThrowAsync<ObjectDisposedException>(waiting.WaitAsync(Patience, Test));
        await Should.ThrowAsync<ObjectDisposedException>(client.CancelAsync("h-2", Test).AsTask());
    }
}

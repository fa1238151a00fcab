using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace Holdfast.Client.Tests;

/// <summary>What the RESP client does when the answer does not come.</summary>
public class RespRetryTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Test => TestContext.Current.CancellationToken;

    private static string Stock(string id) =>
        $"*10\r\n$2\r\nid\r\n${id.Length}\r\n{id}\r\n$9\r\navailable\r\n:7\r\n$4\r\nheld\r\n:2\r\n$8\r\nconsumed\r\n:1\r\n$7\r\nversion\r\n:3\r\n";

    [Fact]
    public async Task Lost_connection_repeats_the_try_under_the_same_id_and_issue_time()
    {
        var time = new FakeTimeProvider(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000));
        await using var server = new ScriptedRespServer((_, connection) =>
        {
            // The second attempt must not look younger than the first.
            time.Advance(TimeSpan.FromSeconds(1));
            return connection == 1 ? ScriptedRespServer.Hangup : "+held\r\n";
        });
        await using var client = server.Client(o => (o.TimeProvider, o.Retry.BaseDelay) = (time, TimeSpan.Zero));

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 1), Test).AsTask().WaitAsync(Patience, Test);

        var expected = $"HOLD.TRY {result.Id} - 0@1700000000000 sku-1 1";
        server.Received.Select(r => $"{r.Connection} {string.Join(' ', r.Command)}").ShouldBe([$"1 {expected}", $"2 {expected}"]);
    }

    [Fact]
    public async Task All_commands_in_flight_survive_the_loss_of_the_connection()
    {
        var seen = 0;
        await using var server = new ScriptedRespServer((command, connection) =>
            connection == 1 && Interlocked.Increment(ref seen) > 20 ? ScriptedRespServer.Hangup : Stock(command[1]));
        await using var client = server.Client();

        var calls = Enumerable.Range(0, 200).Select(i => client.GetResourceAsync($"r-{i}", Test).AsTask()).ToArray();
        var resources = await Task.WhenAll(calls).WaitAsync(Patience, Test);

        resources.Select(r => r!.Id).ShouldBe(Enumerable.Range(0, 200).Select(i => $"r-{i}"));
        server.Connections.ShouldBe(2);
    }

    [Fact]
    public async Task Overloaded_and_unavailable_are_repeated_with_the_same_command()
    {
        var answers = new ConcurrentQueue<string>(["-OVERLOADED try later\r\n", "-UNAVAILABLE outcome unknown\r\n", "+held\r\n"]);
        await using var server = new ScriptedRespServer((_, _) => answers.TryDequeue(out var answer) ? answer : "-ERR script over\r\n");
        await using var client = server.Client();

        (await client.TryHoldAsync(HoldRequest.Of("sku-1", 1), Test)).Succeeded.ShouldBeTrue();

        server.Received.Count.ShouldBe(3);
        server.Received.Select(r => string.Join(' ', r.Command)).Distinct().Count().ShouldBe(1);
        server.Connections.ShouldBe(1);
    }

    [Fact]
    public async Task Attempts_used_up_with_unknown_outcome_says_to_repeat_the_same_id()
    {
        await using var server = new ScriptedRespServer((_, _) => "-UNAVAILABLE disk\r\n");
        await using var client = server.Client(o => o.Retry.MaxAttempts = 3);

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(client.ConfirmAsync("h-1", cancellationToken: Test).AsTask());

        thrown.Attempts.ShouldBe(3);
        thrown.OutcomeKnown.ShouldBeFalse();
        thrown.Id.ShouldBe("h-1");
        thrown.Message.ShouldContain("same id 'h-1'");
        server.Received.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Nobody_listening_means_nothing_executed()
    {
        var gone = new ScriptedRespServer((_, _) => "");
        await using var client = gone.Client(o => o.Retry.MaxAttempts = 3);
        await gone.DisposeAsync();

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(client.CancelAsync("h-1", Test).AsTask());

        thrown.OutcomeKnown.ShouldBeTrue();
        thrown.Attempts.ShouldBe(3);
    }

    [Fact]
    public async Task Silent_server_is_left_for_a_new_connection()
    {
        await using var server = new ScriptedRespServer((_, connection) => connection == 1 ? "" : "+cancelled\r\n");
        await using var client = server.Client(o => o.Retry.AttemptTimeout = TimeSpan.FromMilliseconds(200));

        (await client.CancelAsync("h-1", Test).AsTask().WaitAsync(Patience, Test)).State.ShouldBe(HoldState.Cancelled);

        server.Connections.ShouldBe(2);
    }

    [Fact]
    public async Task Overall_timeout_bounds_all_attempts_together()
    {
        await using var server = new ScriptedRespServer((_, _) => "");
        await using var client = server.Client(o =>
        {
            o.Retry.OverallTimeout = TimeSpan.FromMilliseconds(400);
            o.Retry.AttemptTimeout = TimeSpan.FromMilliseconds(150);
            o.Retry.MaxAttempts = 100;
        });

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(client.CancelAsync("h-1", Test).AsTask().WaitAsync(Patience, Test));

        thrown.OutcomeKnown.ShouldBeFalse();
        thrown.Attempts.ShouldBeInRange(2, 20);
    }

    [Fact]
    public async Task Server_that_does_not_speak_RESP_is_not_asked_again()
    {
        await using var server = new ScriptedRespServer((_, _) => "HTTP/1.1 400 Bad Request\r\n");
        await using var client = server.Client();

        (await Should.ThrowAsync<HoldfastProtocolException>(client.CancelAsync("h-1", Test).AsTask())).Message.ShouldContain("RespAddress");

        server.Connections.ShouldBe(1);
    }

    [Fact]
    public async Task Nor_when_it_shows_in_the_introduction()
    {
        await using var server = new ScriptedRespServer((_, _) => "HTTP/1.1 400 Bad Request\r\n");
        await using var client = server.Client(o => o.ApiKey = "secret");

        (await Should.ThrowAsync<HoldfastProtocolException>(client.CancelAsync("h-1", Test).AsTask())).Message.ShouldContain("RespAddress");

        server.Connections.ShouldBe(1);
    }

    [Fact]
    public async Task Connection_after_bytes_that_were_no_RESP_is_a_new_one()
    {
        await using var server = new ScriptedRespServer((_, connection) => connection == 1 ? "?\r\n" : "+cancelled\r\n");
        await using var client = server.Client();

        await Should.ThrowAsync<HoldfastProtocolException>(client.CancelAsync("h-1", Test).AsTask());
        (await client.CancelAsync("h-1", Test)).State.ShouldBe(HoldState.Cancelled);

        server.Connections.ShouldBe(2);
    }

    [Fact]
    public async Task Space_of_a_server_that_starts_is_asked_for_again()
    {
        await using var server = new ScriptedRespServer((command, connection) =>
            connection == 1 ? "-UNAVAILABLE the server is still reading its journal\r\n" : command[0] == "SPACE" ? "+OK\r\n" : "+cancelled\r\n");
        await using var client = server.Client(o => o.Space = "berlin");

        (await client.CancelAsync("h-1", Test)).State.ShouldBe(HoldState.Cancelled);

        server.Connections.ShouldBe(2);
    }

    [Fact]
    public async Task Command_beyond_the_queue_bound_is_not_sent()
    {
        await using var server = new ScriptedRespServer((_, _) => "");
        await using var client = server.Client(o =>
        {
            o.PendingCommandsMax = 2;
            o.Retry.MaxAttempts = 1;
        });
        var waiting1 = client.CancelAsync("h-1", Test).AsTask();
        await server.ReceivesAsync(1);
        var waiting2 = client.CancelAsync("h-2", Test).AsTask();
        await server.ReceivesAsync(2);

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(client.CancelAsync("h-3", Test).AsTask());

        thrown.OutcomeKnown.ShouldBeTrue();
        thrown.Message.ShouldContain("queue is full");
        server.Received.Count.ShouldBe(2);
        waiting1.IsCompleted.ShouldBeFalse();
        waiting2.IsCompleted.ShouldBeFalse();
    }
}

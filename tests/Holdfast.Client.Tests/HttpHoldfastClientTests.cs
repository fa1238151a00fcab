using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Time.Testing;

namespace Holdfast.Client.Tests;

public class HttpHoldfastClientTests
{
    private const string HeldBody =
        """{"id":"h-1","owner":"user-9","state":"held","expiresAt":"2026-11-23T06:00:00Z","lines":[{"resource":"sku-1","quantity":2}],"later":1}""";

    private const string ResourceText =
        """{"id":"sku-1","available":5,"held":2,"consumed":1,"version":9,"limitPerOwner":2,"opensAt":"2026-11-23T06:00:00Z","closesAt":null,"owner":null,"overdraft":3,"holdSeconds":60,"disabled":true,"safetyStock":4}""";

    private static readonly DateTimeOffset Six = DateTimeOffset.Parse("2026-11-23T06:00:00Z", CultureInfo.InvariantCulture);

    private static CancellationToken Test => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Try_is_sent_as_the_contract_says_and_the_hold_is_read()
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(201, HeldBody));
        await using var client = http.Client(o => (o.ApiKey, o.TimeProvider) = ("secret", new FakeTimeProvider(Six)));

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 2, "user-9", "h-1") with { Ttl = TimeSpan.FromSeconds(30) }, Test);

        http.Sent.Single().ShouldBe(new SentRequest(
            "POST",
            "http://shop.test/core/v1/holds",
            "Bearer secret",
            """{"id":"h-1","owner":"user-9","ttlSeconds":30,"issuedAt":"2026-11-23T06:00:00+00:00","lines":[{"resource":"sku-1","quantity":2}]}"""));
        result.Hold!.ExpiresAt.ShouldBe(Six);
        result.Hold.Lines.ShouldBe([new HoldLine("sku-1", 2)]);
        result.Hold.Owner.ShouldBe("user-9");
        result.State.ShouldBe(HoldState.Held);
    }

    [Fact]
    public async Task Ids_are_percent_encoded_and_the_space_is_in_the_path()
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, HeldBody), ScriptedHttp.Json(200, ResourceText));
        await using var client = http.Client(o => o.Space = "berlin/1");

        await client.CancelAsync("a/../b c?d#é%2F", Test);
        await client.GetResourceAsync("sku-1@hz", Test);

        http.Sent.Select(s => s.Address).ShouldBe(
        [
            "http://shop.test/core/v1/spaces/berlin%2F1/holds/a%2F..%2Fb%20c%3Fd%23%C3%A9%252F/cancel",
            "http://shop.test/core/v1/spaces/berlin%2F1/resources/sku-1%40hz",
        ]);
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("")]
    public async Task Id_that_would_vanish_from_the_path_is_not_sent(string id)
    {
        var http = new ScriptedHttp();
        await using var client = http.Client();

        await Should.ThrowAsync<ArgumentException>(async () => await client.GetHoldAsync(id, Test));
        http.Sent.ShouldBeEmpty();
    }

    [Fact]
    public async Task Bodies_of_confirm_extend_return_and_adjust()
    {
        var http = new ScriptedHttp([.. Enumerable.Repeat(ScriptedHttp.Json(200, HeldBody), 4), .. Enumerable.Repeat(ScriptedHttp.Json(200, ResourceText), 3)]);
        await using var client = http.Client();

        await client.ConfirmAsync("h", cancellationToken: Test);
        await client.ConfirmAsync("h", new ConfirmRequest { Lines = [new("a", 1)], KeepRemainder = true }, Test);
        await client.ExtendAsync("h", TimeSpan.FromMilliseconds(1001), Test);
        await client.ReturnAsync("h", new ReturnRequest([new("a", 1)], "broken") { Id = "r-1" }, Test);
        await client.AdjustAsync("a", Adjustment.By(-5, "lost", "a-1") with { Force = true }, Test);
        await client.AdjustAsync("a", Adjustment.To(7, 3, "count", "a-2"), Test);
        await client.PutResourceAsync("a", new ResourcePolicy { LimitPerOwner = 2, OpensAt = Six }, Test);

        http.Sent.Select(s => $"{s.Method} {s.Address["http://shop.test/core/".Length..]} {s.Body}").ShouldBe(
        [
            "POST v1/holds/h/confirm ",
            """POST v1/holds/h/confirm {"lines":[{"resource":"a","quantity":1}],"keepRemainder":true}""",
            """POST v1/holds/h/extend {"ttlSeconds":2}""",
            """POST v1/holds/h/returns {"id":"r-1","lines":[{"resource":"a","quantity":1}],"reason":"broken"}""",
            """POST v1/resources/a/adjustments {"id":"a-1","delta":-5,"reason":"lost","force":true}""",
            """POST v1/resources/a/adjustments {"id":"a-2","set":7,"expectedVersion":3,"reason":"count"}""",
            """PUT v1/resources/a {"limitPerOwner":2,"opensAt":"2026-11-23T06:00:00+00:00","overdraft":0,"disabled":false,"safetyStock":0}""",
        ]);
    }

    [Fact]
    public async Task Resource_is_read_with_its_policy()
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, ResourceText));
        await using var client = http.Client();

        (await client.GetResourceAsync("sku-1", Test)).ShouldBe(new Resource
        {
            Id = "sku-1",
            Available = 5,
            Held = 2,
            Consumed = 1,
            Version = 9,
            Policy = new ResourcePolicy { LimitPerOwner = 2, OpensAt = Six, Overdraft = 3, HoldSeconds = 60, Disabled = true, SafetyStock = 4 },
        });
    }

    [Fact]
    public async Task Problem_details_become_a_refusal()
    {
        var http = new ScriptedHttp(ScriptedHttp.Problem(409,
            """{"type":"about:blank","title":"Conflict","status":409,"detail":"sold out","code":"insufficient","resource":"sku-1","asked":2,"available":0,"hold":"h-0"}"""));
        await using var client = http.Client();

        var result = await client.TryHoldAsync(HoldRequest.Of("sku-1", 2, id: "h-1"), Test);

        result.Id.ShouldBe("h-1");
        result.State.ShouldBeNull();
        result.Refusal.ShouldBe(new Refusal(RefusalCode.Insufficient, "insufficient", "sold out")
        {
            Resource = "sku-1",
            Asked = 2,
            Available = 0,
            BlockingHold = "h-0",
        });
    }

    [Fact]
    public async Task Not_found_is_null_only_when_Holdfast_says_so()
    {
        var http = new ScriptedHttp(
            ScriptedHttp.Problem(404, """{"code":"not_found"}"""),
            ScriptedHttp.Json(404, "<html>nginx</html>", "text/html"),
            ScriptedHttp.Json(404, ""),
            ScriptedHttp.Json(200, "null"));
        await using var client = http.Client();

        (await client.GetHoldAsync("h", Test)).ShouldBeNull();
        for (var i = 0; i < 3; i++)
        {
            await Should.ThrowAsync<HoldfastProtocolException>(client.GetHoldAsync("h", Test).AsTask());
        }
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task Denied_is_not_repeated(int status)
    {
        var http = new ScriptedHttp(ScriptedHttp.Problem(status, "{}"));
        await using var client = http.Client();

        await Should.ThrowAsync<HoldfastDeniedException>(client.CancelAsync("h", Test).AsTask());
        http.Sent.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(408)]
    [InlineData(429)]
    public async Task Passing_failure_is_repeated_with_the_very_same_body(int status)
    {
        var http = new ScriptedHttp(
            ScriptedHttp.Problem(status, """{"code":"unavailable"}"""),
            () => throw new HttpRequestException(HttpRequestError.ResponseEnded, "lost"),
            ScriptedHttp.Json(200, HeldBody));
        await using var client = http.Client();

        (await client.TryHoldAsync(HoldRequest.Of("sku-1", 2), Test)).Succeeded.ShouldBeTrue();

        http.Sent.Count.ShouldBe(3);
        http.Sent.Distinct().Count().ShouldBe(1);
    }

    [Theory]
    [InlineData("7")]
    [InlineData("Mon, 23 Nov 2026 06:00:07 GMT")]
    public async Task Retry_after_is_honoured(string retryAfter)
    {
        var time = new FakeTimeProvider(Six);
        var http = new ScriptedHttp(ScriptedHttp.RetryLater(429, retryAfter), ScriptedHttp.Json(200, HeldBody));
        await using var client = http.Client(o => o.TimeProvider = time);

        var call = client.CancelAsync("h-1", Test).AsTask();
        await Task.Delay(100, Test);
        time.Advance(TimeSpan.FromMilliseconds(6900));
        await Task.Delay(100, Test);
        http.Sent.Count.ShouldBe(1);
        time.Advance(TimeSpan.FromMilliseconds(200));

        (await call.WaitAsync(TimeSpan.FromSeconds(10), Test)).Succeeded.ShouldBeTrue();
    }

    [Fact]
    public async Task Nothing_executed_is_told_apart_from_unknown()
    {
        var never = new ScriptedHttp(ScriptedHttp.RetryLater(429, "0"));
        var perhaps = new ScriptedHttp(ScriptedHttp.Json(503, ""));
        await using var first = never.Client(o => o.Retry.MaxAttempts = 3);
        await using var second = perhaps.Client(o => o.Retry.MaxAttempts = 3);

        (await Should.ThrowAsync<HoldfastUnavailableException>(first.CancelAsync("h-1", Test).AsTask())).OutcomeKnown.ShouldBeTrue();
        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(second.CancelAsync("h-1", Test).AsTask());
        thrown.OutcomeKnown.ShouldBeFalse();
        thrown.Message.ShouldContain("same id 'h-1'");
        perhaps.Sent.Count.ShouldBe(3);
    }

    [Fact]
    public async Task Server_that_never_answers_is_given_up_within_the_overall_timeout()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(new HoldfastClientOptions
        {
            HttpAddress = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"),
            Retry = { OverallTimeout = TimeSpan.FromMilliseconds(500), AttemptTimeout = TimeSpan.FromMilliseconds(150), BaseDelay = TimeSpan.Zero },
        });

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(
            client.CancelAsync("h-1", Test).AsTask().WaitAsync(TimeSpan.FromSeconds(10), Test));

        thrown.OutcomeKnown.ShouldBeFalse();
        thrown.Attempts.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task Caller_who_cancels_gets_their_own_token_back()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(
            new HoldfastClientOptions { HttpAddress = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") });
        using var giveUp = new CancellationTokenSource(100);

        (await Should.ThrowAsync<OperationCanceledException>(client.CancelAsync("h-1", giveUp.Token).AsTask()))
            .CancellationToken.ShouldBe(giveUp.Token);
    }

    [Fact]
    public async Task Path_goes_over_a_real_socket_as_it_was_encoded()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(
            new HoldfastClientOptions { HttpAddress = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/") });

        var call = client.GetHoldAsync("a/..%b", Test).AsTask();
        using var socket = await listener.AcceptSocketAsync(Test);
        var buffer = new byte[4096];
        var received = await socket.ReceiveAsync(buffer, Test);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {HeldBody.Length}\r\n\r\n{HeldBody}"), Test);

        (await call)!.Id.ShouldBe("h-1");
        Encoding.ASCII.GetString(buffer, 0, received).ShouldStartWith("GET /v1/holds/a%2F..%25b HTTP/1.1\r\n");
    }

    [Fact]
    public async Task Resp_client_sends_over_HTTP_what_has_no_RESP_form()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(new HoldfastClientOptions
        {
            RespAddress = "127.0.0.1:1",
            HttpAddress = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/"),
        });

        var call = client.AdjustAsync("sku-1", Adjustment.To(5, 8), Test).AsTask();
        using var socket = await listener.AcceptSocketAsync(Test);
        _ = await socket.ReceiveAsync(new byte[4096], Test);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {ResourceText.Length}\r\n\r\n{ResourceText}"), Test);

        (await call).Available.ShouldBe(5);
    }

    [Fact]
    public async Task Page_as_large_as_its_things_can_be_is_listed()
    {
        string thing = $$"""{"id":"{{new string('t', 128)}}","state":"trying","createdAt":"2026-11-23T06:00:00Z","deadline":"2026-11-23T06:00:00Z","branches":[],"explanation":"{{new string('e', 1_000_000)}}"}""";
        string page = $$"""{"items":[{{string.Join(',', Enumerable.Repeat(thing, 20))}}],"next":null}""";
        var http = new ScriptedHttp(ScriptedHttp.Json(200, page));
        await using var client = http.Client();

        var listed = 0;
        await foreach (var transaction in client.Transactions.ListAsync(cancellationToken: Test))
        {
            transaction.Explanation!.Length.ShouldBe(1_000_000);
            listed++;
        }

        listed.ShouldBe(20);
        http.Sent.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Answer_beyond_the_bound_is_said_plainly_and_not_asked_for_again()
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, new string(' ', 3 * 1024 * 1024) + HeldBody), ScriptedHttp.Json(200, HeldBody));
        await using var client = http.Client();

        (await Should.ThrowAsync<HoldfastProtocolException>(client.GetHoldAsync("h-1", Test).AsTask())).Message.ShouldContain("larger than");
        http.Sent.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(404, "No such space", "not_found", "'berlin'")]
    [InlineData(404, "No such path", "not_found", "http://shop.test/core/v1/spaces/berlin/")]
    [InlineData(405, "The path doesn't take this method", "method_not_allowed", "http://shop.test/core/v1/spaces/berlin/")]
    public async Task Wrong_space_or_address_is_not_a_thing_that_is_not_there(int status, string title, string code, string named)
    {
        var answer = ScriptedHttp.Problem(status, $$"""{"title":"{{title}}","status":{{status}},"detail":"words","code":"{{code}}"}""");
        var http = new ScriptedHttp([.. Enumerable.Repeat(answer, 5)]);
        await using var client = http.Client(o => o.Space = "berlin");

        Task[] calls =
        [
            client.GetHoldAsync("h", Test).AsTask(),
            client.GetResourceAsync("r", Test).AsTask(),
            client.ConfirmAsync("h", cancellationToken: Test).AsTask(),
            client.CancelAsync("h", Test).AsTask(),
            client.Transactions.FindAsync("t", cancellationToken: Test),
        ];
        foreach (var call in calls)
        {
            (await Should.ThrowAsync<HoldfastProtocolException>(call)).Message.ShouldContain(named);
        }

        http.Sent.Count.ShouldBe(5);
    }

    [Fact]
    public async Task Server_that_speaks_something_else_is_not_asked_again()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(
            new HoldfastClientOptions { HttpAddress = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") });

        var call = client.CancelAsync("h-1", Test).AsTask();
        using var socket = await listener.AcceptSocketAsync(Test);
        _ = await socket.ReceiveAsync(new byte[4096], Test);
        await socket.SendAsync("-ERR unknown command 'POST'\r\n"u8.ToArray(), Test);

        (await Should.ThrowAsync<HoldfastProtocolException>(call)).Message.ShouldContain("HttpAddress");
        listener.Pending().ShouldBeFalse();
    }

    [Fact]
    public async Task Server_without_TLS_under_an_https_address_is_not_asked_again()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var client = HoldfastClient.Connect(
            new HoldfastClientOptions { HttpAddress = new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") });

        var call = client.CancelAsync("h-1", Test).AsTask();
        using var socket = await listener.AcceptSocketAsync(Test);
        _ = await socket.ReceiveAsync(new byte[4096], Test);
        await socket.SendAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(), Test);

        (await Should.ThrowAsync<HoldfastProtocolException>(call)).Message.ShouldContain("HttpAddress");
        listener.Pending().ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"id":"h-1","state":"held","lines":[null]}""")]
    [InlineData("""{"id":"h-1","state":"held","lines":[{"quantity":1}]}""")]
    [InlineData("""{"id":"h-1","state":null,"lines":[]}""")]
    public async Task Hold_with_holes_is_not_of_this_protocol(string body)
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, body));
        await using var client = http.Client();

        await Should.ThrowAsync<HoldfastProtocolException>(client.GetHoldAsync("h-1", Test).AsTask());
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"items":null,"next":null}""")]
    [InlineData("""{"items":[null],"next":null}""")]
    [InlineData("""{"items":[{"id":"t","state":"trying","createdAt":"2026-11-23T06:00:00Z","deadline":"2026-11-23T06:00:00Z","branches":[null]}],"next":null}""")]
    public async Task Page_with_holes_is_not_of_this_protocol(string body)
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, body));
        await using var client = http.Client();

        await Should.ThrowAsync<HoldfastProtocolException>(async () =>
        {
            await foreach (var _ in client.Transactions.ListAsync(cancellationToken: Test))
            {
            }
        });
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    public async Task New_id_that_later_calls_could_not_name_is_not_sent(string id)
    {
        var http = new ScriptedHttp();
        await using var client = http.Client();

        await Should.ThrowAsync<ArgumentException>(async () => await client.TryHoldAsync(HoldRequest.Of("sku-1", 1, id: id), Test));
        await Should.ThrowAsync<ArgumentException>(async () => await client.Transactions.SubmitAsync(TransactionPlan.Tcc(id), cancellationToken: Test));
        await Should.ThrowAsync<ArgumentException>(async () => await client.Transactions.BeginAsync(id, cancellationToken: Test));
        await Should.ThrowAsync<ArgumentException>(
            async () => await client.Checkouts.BeginAsync(new CheckoutRequest(id, "ann", "stripe", new Money(1, "EUR"), new HoldLine("sku-1", 1)), Test));
        http.Sent.ShouldBeEmpty();
    }

    [Fact]
    public async Task Fraction_of_a_second_in_a_policy_is_rounded_up()
    {
        var http = new ScriptedHttp(ScriptedHttp.Json(200, ResourceText.Replace("\"holdSeconds\":60", "\"holdSeconds\":1.5", StringComparison.Ordinal)));
        await using var client = http.Client();

        (await client.GetResourceAsync("sku-1", Test))!.Policy!.HoldSeconds.ShouldBe(2);
    }
}

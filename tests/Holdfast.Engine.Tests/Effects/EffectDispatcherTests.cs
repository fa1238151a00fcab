using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Engine.Effects;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Effects;

public sealed class EffectDispatcherTests
{
    [Fact]
    public async Task Backoff_doubles_has_full_jitter_and_a_cap()
    {
        foreach ((int failures, long most) in new[] { (0, 200L), (1, 400L), (5, 6_400L), (40, 60_000L) })
        {
            foreach ((ulong bits, long expected) in new[] { (0UL, 10L), (ulong.MaxValue, most), (1UL << 63, most / 2) })
            {
                await using var dispatcher = new EffectDispatcher(new EffectOptions(), TimeProvider.System, () => bits, new Answering(_ => HttpStatusCode.InternalServerError));
                CallResult result = await SendAsync(dispatcher, Call("http://a/", failures: failures));
                result.Outcome.ShouldBe(CallOutcome.Unknown);
                result.RetryMs.ShouldBeInRange(expected - 1, expected, $"{failures} failures, {bits:x}");
            }
        }
    }

    [Fact]
    public async Task A_try_past_its_deadline_is_not_sent()
    {
        var handler = new Answering(_ => HttpStatusCode.OK);
        await using var dispatcher = new EffectDispatcher(new EffectOptions(), TimeProvider.System, () => 1, handler);
        CallResult result = await SendAsync(dispatcher, Call("http://a/") with { DeadlineMs = 1 });
        (result.Outcome, result.Text).ShouldBe((CallOutcome.Unknown, "not sent: the deadline passed"));
        handler.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task E69_A_host_that_gives_no_answer_is_left_alone_and_then_probed_and_no_call_is_lost()
    {
        bool down = true;
        var handler = new Answering(_ => down ? throw new HttpRequestException(HttpRequestError.ConnectionError) : HttpStatusCode.OK);
        await using var dispatcher = new EffectDispatcher(
            new EffectOptions { BreakFor = TimeSpan.FromMilliseconds(500) }, TimeProvider.System, () => 1, handler);
        CallResult[] failed = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => SendAsync(dispatcher, Call("http://down/"))));
        failed.ShouldAllBe(r => r.Outcome == CallOutcome.Unknown && r.Text == "no connection");
        await UntilAsync(() => dispatcher.BrokenHosts.Count == 1);
        dispatcher.BrokenHosts.ShouldBe(["http://down"]);

        int before = handler.Asked.Count;
        Task<CallResult>[] waiting = [.. Enumerable.Range(0, 20).Select(_ => SendAsync(dispatcher, Call("http://down/")))];
        (await SendAsync(dispatcher, Call("http://up/"), TimeSpan.FromSeconds(5))).Text.ShouldBe("no connection", "another host is asked at once, though it is down too");
        (handler.Asked.Count(a => a.Host == "down") - before).ShouldBeLessThan(20, "while the circuit is open its calls wait");
        down = false;
        CallResult[] healed = await Task.WhenAll(waiting);
        healed.Count(r => r.Outcome == CallOutcome.Done).ShouldBeGreaterThan(15);
        await UntilAsync(() => dispatcher.BrokenHosts.Count == 0);
    }

    [Fact]
    public async Task E78_Places_are_given_in_turn_so_a_slow_host_with_many_calls_starves_nobody()
    {
        int slow = 0, most = 0;
        var release = new TaskCompletionSource();
        var handler = new Answering(
            _ => HttpStatusCode.OK,
            async host =>
            {
                if (host == "slow")
                {
                    most = Math.Max(most, Interlocked.Increment(ref slow));
                    await release.Task;
                    Interlocked.Decrement(ref slow);
                }
            });
        await using var dispatcher = new EffectDispatcher(new EffectOptions { MaxCalls = 8, MaxCallsPerHost = 4 }, TimeProvider.System, () => 1, handler);
        Task<CallResult>[] stuck = [.. Enumerable.Range(0, 100).Select(_ => SendAsync(dispatcher, Call("http://slow/")))];
        CallResult[] others = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => SendAsync(dispatcher, Call($"http://fast{i % 5}/"), TimeSpan.FromSeconds(10))));
        others.ShouldAllBe(r => r.Outcome == CallOutcome.Done);
        await UntilAsync(() => Volatile.Read(ref most) == 4); // they run when the pool gets to them
        dispatcher.Waiting.ShouldBe(96);
        release.SetResult();
        (await Task.WhenAll(stuck)).ShouldAllBe(r => r.Outcome == CallOutcome.Done);
        most.ShouldBe(4);
        (dispatcher.Active, dispatcher.Waiting).ShouldBe((0, 0));
    }

    [Fact]
    public async Task No_answer_in_time_is_unknown()
    {
        var handler = new Answering(_ => HttpStatusCode.OK, static _ => Task.Delay(Timeout.Infinite));
        await using var dispatcher = new EffectDispatcher(new EffectOptions(), TimeProvider.System, () => 1, handler);
        CallResult result = await SendAsync(dispatcher, Call("http://a/", timeoutMs: 60));
        (result.Outcome, result.Text).ShouldBe((CallOutcome.Unknown, "timeout after 0.06 s"));
    }

    [Theory]
    [InlineData("409 Conflict", "no points", false, CallOutcome.Refused, "409 no points")]
    [InlineData("409 Conflict", "", true, CallOutcome.Refused, "409")]
    [InlineData("425 Too Early", "wait", true, CallOutcome.Later, "425 wait")]
    [InlineData("500 Internal Server Error", "oh", true, CallOutcome.Unknown, "500 oh")]
    public async Task E77_A_status_decides_though_its_body_stalls_or_breaks_off(string status, string body, bool breaksOff, CallOutcome outcome, string text)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var told = new TaskCompletionSource();
        Task serving = Task.Run(async () =>
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            _ = await client.GetStream().ReadAsync(new byte[4096]);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 1000\r\n\r\n{body}"));
            if (!breaksOff)
            {
                await told.Task;
            }
        });
        await using var dispatcher = new EffectDispatcher(new EffectOptions(), TimeProvider.System, () => 1);
        CallResult result = await SendAsync(dispatcher, Call($"http://{listener.LocalEndpoint}/", timeoutMs: 8_000));
        (result.Outcome, result.Text).ShouldBe((outcome, text));
        told.SetResult();
        await serving;
    }

    [Fact]
    public async Task E69_A_call_that_began_before_the_break_does_not_stand_in_for_the_probe()
    {
        bool down = true;
        var hangs = new TaskCompletionSource();
        var handler = new Answering(
            uri => down && uri.AbsolutePath != "/slow" ? throw new HttpRequestException(HttpRequestError.ConnectionError) : HttpStatusCode.OK,
            path: uri => uri.AbsolutePath == "/slow" ? hangs.Task : Task.CompletedTask);
        await using var dispatcher = new EffectDispatcher(
            new EffectOptions { BreakFor = TimeSpan.FromMilliseconds(500) }, TimeProvider.System, () => 1, handler);
        Task<CallResult> slow = SendAsync(dispatcher, Call("http://a/slow", timeoutMs: 300_000), TimeSpan.FromMinutes(2));
        await UntilAsync(() => handler.Asked.Count == 1);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => SendAsync(dispatcher, Call("http://a/"))));
        await UntilAsync(() => dispatcher.BrokenHosts.Count == 1);
        dispatcher.BrokenHosts.ShouldBe(["http://a"]);

        down = false;
        CallResult[] healed = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => SendAsync(dispatcher, Call("http://a/"))));
        healed.ShouldAllBe(r => r.Outcome == CallOutcome.Done);
        slow.IsCompleted.ShouldBeFalse();
        hangs.SetResult();
        (await slow).Outcome.ShouldBe(CallOutcome.Done);
    }

    [Fact]
    public async Task E69_A_host_that_takes_no_connection_is_left_alone_too()
    {
        // A listener whose queue is full: the system leaves whoever else knocks without any answer.
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        deaf.Listen(0);
        var queued = new List<Socket>();
        try
        {
            for (bool answered = true; answered;)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                queued.Add(socket);
                using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(500));
                try
                {
                    await socket.ConnectAsync(deaf.LocalEndPoint!, patience.Token);
                }
                catch (OperationCanceledException)
                {
                    answered = false;
                }
            }

            await using var dispatcher = new EffectDispatcher(new EffectOptions(), TimeProvider.System, () => 1);
            CallResult[] failed = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => SendAsync(dispatcher, Call($"http://{deaf.LocalEndPoint}/"))));
            failed.ShouldAllBe(r => r.Outcome == CallOutcome.Unknown && r.Text == "no connection");
            await UntilAsync(() => dispatcher.BrokenHosts.Count == 1);
            dispatcher.BrokenHosts.ShouldBe([$"http://{deaf.LocalEndPoint}"]);
        }
        finally
        {
            queued.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task A_call_that_waits_while_its_transaction_is_decided_is_never_sent()
    {
        var release = new TaskCompletionSource();
        var handler = new Answering(_ => HttpStatusCode.OK, path: uri => uri.AbsolutePath == "/slow" ? release.Task : Task.CompletedTask);
        await using var dispatcher = new EffectDispatcher(new EffectOptions { MaxCallsPerHost = 1 }, TimeProvider.System, () => 1, handler);
        Task<CallResult> slow = SendAsync(dispatcher, Call("http://a/slow"));
        await UntilAsync(() => handler.Asked.Count == 1);

        using DecidingMachine machine = new();
        machine.Decide(new BeginTransaction(DecidingMachine.Hasher, "t", [new BranchSpec("b") { Try = new CallSpec("http://a/try"), Cancel = new CallSpec("http://a/cancel") }]));
        dispatcher.Send("default", machine.TakeDue(), static _ => throw new InvalidOperationException("nobody waits for it"));
        machine.Decide(new DecideTransaction(DecidingMachine.Hasher, "t", commit: false));
        Task<CallResult> cancel = SendAsync(dispatcher, machine.TakeDue());
        machine.Decide(new BeginTransaction(DecidingMachine.Hasher, "u", [new BranchSpec("b") { Confirm = new CallSpec("http://a/confirm") }]));
        dispatcher.Send("default", machine.TakeDue(), static _ => throw new InvalidOperationException("nobody waits for it"));
        machine.Decide(new ForceTransaction(DecidingMachine.Hasher, "u", "by hand", "b", commit: null, dryRun: false));
        release.SetResult();

        (await slow).Outcome.ShouldBe(CallOutcome.Done);
        (await cancel).Outcome.ShouldBe(CallOutcome.Done);
        (await SendAsync(dispatcher, Call("http://a/last"))).Outcome.ShouldBe(CallOutcome.Done);
        handler.Asked.Select(a => a.AbsolutePath).ShouldBe(["/slow", "/cancel", "/last"]);
        (dispatcher.Active, dispatcher.Waiting).ShouldBe((0, 0));
    }

    [Fact]
    public async Task A_call_that_is_no_longer_asked_for_takes_no_probe()
    {
        bool down = true;
        using DecidingMachine machine = new();
        machine.Decide(new BeginTransaction(DecidingMachine.Hasher, "t", [new BranchSpec("b") { Try = new CallSpec("http://a/try") }]));
        DueCall call = machine.TakeDue();
        var handler = new Answering(_ => down ? throw new HttpRequestException(HttpRequestError.ConnectionError) : HttpStatusCode.OK);
        await using var dispatcher = new EffectDispatcher(new EffectOptions { BreakFor = TimeSpan.FromSeconds(3) }, TimeProvider.System, () => 1, handler);
        await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => SendAsync(dispatcher, Call("http://a/"))));
        await UntilAsync(() => dispatcher.BrokenHosts.Count == 1);
        dispatcher.Send("default", call, static _ => throw new InvalidOperationException("nobody waits for it"));
        machine.Decide(new DecideTransaction(DecidingMachine.Hasher, "t", commit: false));

        down = false;
        (await SendAsync(dispatcher, Call("http://a/next"))).Outcome.ShouldBe(CallOutcome.Done);
        handler.Asked.ShouldNotContain(a => a.AbsolutePath == "/try");
    }

    [Fact]
    public void Options_and_keys_that_mean_nothing_are_refused()
    {
        foreach (EffectOptions options in new[]
        {
            new EffectOptions { MaxCalls = 0 }, new EffectOptions { MaxCallsPerHost = 0 }, new EffectOptions { Timeout = TimeSpan.Zero },
            new EffectOptions { BackoffMax = TimeSpan.FromMilliseconds(1) }, new EffectOptions { BreakAtFailureRatio = 0 }, new EffectOptions { BreakFor = TimeSpan.Zero },
        })
        {
            Should.Throw<HoldfastException>(() => new EffectDispatcher(options, TimeProvider.System, () => 1));
        }

        foreach (string wrong in new[] { "", "whsec_", "whsec_c2hvcnQ=", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" })
        {
            ArgumentException e = Should.Throw<ArgumentException>(() => SigningKey.Parse(wrong));
            (wrong.Length > 8 && e.Message.Contains(wrong, StringComparison.Ordinal)).ShouldBeFalse("a secret is not repeated");
        }

        SigningKey.Parse("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").ToString().ShouldBe("whsec_...");
    }

    private static DueCall Call(string url, int failures = 0, int timeoutMs = 0) =>
        new("t", 1, 0, "b", CallOp.Try, failures + 1, failures, new CallSpec(url, default, [], timeoutMs), 1, 1, 0, null);

    private static async Task<CallResult> SendAsync(EffectDispatcher dispatcher, DueCall call, TimeSpan? atMost = null)
    {
        var result = new TaskCompletionSource<CallResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        dispatcher.Send("default", call, result.SetResult);
        return await result.Task.WaitAsync(atMost ?? TimeSpan.FromSeconds(30));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (int i = 0; i < 500 && !condition(); i++)
        {
            await Task.Delay(20);
        }
    }

    /// <summary>A space's machine without its loop and journal: what it decides counts at once.</summary>
    private sealed class DecidingMachine : IDisposable
    {
        private readonly SpaceMachine _machine = new(new HoldOptions(), Hasher);
        private readonly EventBuffer _events = new(0, 1024);
        private readonly long _now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();

        public static NameHasher Hasher { get; } = new(1, 2);

        public void Decide(Command command) => _machine.Decide(command, _now, _events).Code.ShouldBe(Code.Ok);

        public DueCall TakeDue() => _machine.TakeDueCall(_now).ShouldNotBeNull();

        public void Dispose() => _machine.Dispose();
    }

    private sealed class Answering(Func<Uri, HttpStatusCode> status, Func<string, Task>? meanwhile = null, Func<Uri, Task>? path = null) : HttpMessageHandler
    {
        public ConcurrentQueue<Uri> Asked { get; } = new();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked.Enqueue(request.RequestUri!);
            if (meanwhile is not null)
            {
                await meanwhile(request.RequestUri!.Host).WaitAsync(cancellationToken);
            }

            if (path is not null)
            {
                await path(request.RequestUri!).WaitAsync(cancellationToken);
            }

            return new HttpResponseMessage(status(request.RequestUri!)) { Content = new StringContent("") };
        }
    }
}

using System.Collections.Concurrent;
using System.Net;
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

    private sealed class Answering(Func<Uri, HttpStatusCode> status, Func<string, Task>? meanwhile = null) : HttpMessageHandler
    {
        public ConcurrentQueue<Uri> Asked { get; } = new();

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked.Enqueue(request.RequestUri!);
            if (meanwhile is not null)
            {
                await meanwhile(request.RequestUri!.Host).WaitAsync(cancellationToken);
            }

            return new HttpResponseMessage(status(request.RequestUri!)) { Content = new StringContent("") };
        }
    }
}

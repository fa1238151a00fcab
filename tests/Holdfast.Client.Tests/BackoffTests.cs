using Holdfast.Client.Retries;
using Microsoft.Extensions.Time.Testing;

namespace Holdfast.Client.Tests;

public class BackoffTests
{
    private sealed class FixedRandom(double value) : Random
    {
        public override double NextDouble() => value;
    }

    [Theory]
    [InlineData(1, 100)]
    [InlineData(2, 200)]
    [InlineData(4, 800)]
    [InlineData(5, 1000)]
    [InlineData(64, 1000)]
    [InlineData(1000, 1000)]
    public void Bound_doubles_up_to_the_cap(int failures, double boundMs)
    {
        var options = new RetryOptions { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(1) };

        new Backoff(options, new FixedRandom(0.5)).Next(failures).TotalMilliseconds.ShouldBe(boundMs / 2, 0.001);
        new Backoff(options, new FixedRandom(0)).Next(failures).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public async Task Pauses_until_the_clock_says_so_and_gives_up_past_the_last_attempt()
    {
        var time = new FakeTimeProvider();
        var options = new HoldfastClientOptions
        {
            TimeProvider = time,
            Retry = { MaxAttempts = 2, BaseDelay = TimeSpan.FromMilliseconds(100) },
        };
        var session = new RetrySession(options, new Backoff(options.Retry, new FixedRandom(1)), time.GetTimestamp(), "h-1");

        var pause = session.PauseAsync(new AttemptFailure(MayHaveExecuted: true, "lost"), default).AsTask();
        time.Advance(TimeSpan.FromMilliseconds(99));
        pause.IsCompleted.ShouldBeFalse();
        time.Advance(TimeSpan.FromMilliseconds(1));
        await pause.WaitAsync(TimeSpan.FromSeconds(10));

        // The second failure is a certain one, but the first was not: the whole is unknown.
        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(
            session.PauseAsync(new AttemptFailure(MayHaveExecuted: false, "busy"), default).AsTask());
        thrown.OutcomeKnown.ShouldBeFalse();
        thrown.Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task Server_that_asks_to_come_back_past_the_overall_timeout_is_not_waited_for()
    {
        var time = new FakeTimeProvider();
        var options = new HoldfastClientOptions { TimeProvider = time };
        var session = new RetrySession(options, new Backoff(options.Retry, new FixedRandom(0)), time.GetTimestamp(), "h-1");

        var thrown = await Should.ThrowAsync<HoldfastUnavailableException>(
            session.PauseAsync(new AttemptFailure(MayHaveExecuted: false, "busy", TimeSpan.FromMinutes(5)), default).AsTask());

        thrown.RetryAfter.ShouldBe(TimeSpan.FromMinutes(5));
        thrown.OutcomeKnown.ShouldBeTrue();
    }

    public static TheoryData<string, Action<HoldfastClientOptions>> BadOptions => new()
    {
        { "Space", o => o.Space = "" },
        { "HttpAddress", o => o.HttpAddress = new Uri("/relative", UriKind.Relative) },
        { "PendingCommandsMax", o => o.PendingCommandsMax = 0 },
        { "ConnectTimeout", o => o.ConnectTimeout = TimeSpan.Zero },
        { "RespAddress", o => o.RespAddress = "localhost" },
        { "RespAddress", o => o.RespAddress = "localhost:70000" },
        { "RespAddress", o => o.RespAddress = "localhost:+6380" },
        { "RespAddress", o => o.RespAddress = "::1:6380" },
        { "RespAddress", o => o.RespAddress = "[localhost]:6380" },
        { "RespAddress", o => o.RespAddress = " localhost:6380" },
        { "RespAddress", o => o.RespAddress = "redis://localhost:6380" },
        { "ApiKey", o => o.ApiKey = "" },
        { "ApiKey", o => o.ApiKey = "secret\n" },
        { "ApiKey", o => o.ApiKey = " secret" },
        { "ApiKey", o => o.ApiKey = "secret\t" },
        { "ApiKey", o => o.ApiKey = "sécret" },
        { "MaxAttempts", o => o.Retry.MaxAttempts = 0 },
        { "OverallTimeout", o => o.Retry.OverallTimeout = Timeout.InfiniteTimeSpan },
        { "MaxDelay", o => o.Retry.MaxDelay = TimeSpan.Zero },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void Unusable_option_is_named(string name, Action<HoldfastClientOptions> spoil)
    {
        var options = new HoldfastClientOptions { RespAddress = "localhost:6380" };
        spoil(options);

        Should.Throw<ArgumentException>(() => HoldfastClient.Connect(options)).Message.ShouldContain(name);
    }

    [Theory]
    [InlineData("127.0.0.1:6380")]
    [InlineData("[::1]:6380")]
    [InlineData("redis_1:6380")]
    [InlineData("shop.example.org:6380")]
    public void Host_and_port_in_any_form_are_taken(string address) =>
        Should.NotThrow(() => HoldfastClient.Connect(new HoldfastClientOptions { RespAddress = address, ApiKey = "two words" }));
}

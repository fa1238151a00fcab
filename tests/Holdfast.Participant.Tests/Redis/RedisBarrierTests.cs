using Holdfast.Cli.Demo;
using Holdfast.Client;

namespace Holdfast.Participant.Tests;

public sealed class RedisBarrierTests(RedisServer redis) : IClassFixture<RedisServer>, IDisposable
{
    private readonly RedisBarrier _barrier = new(redis.Address);
    private readonly string _key = "points:{user-" + Guid.NewGuid().ToString("N") + "}";

    public void Dispose() => _barrier.Dispose();

    [Fact]
    public async Task Each_operation_repeated_is_carried_out_once()
    {
        await OpenAsync(100);
        (await RunAsync(BranchOp.Try)).ShouldBe(BranchResult.Done);
        (await RunAsync(BranchOp.Try)).ShouldBe(BranchResult.Done with { Skipped = true });
        (await BalanceAsync()).ShouldBe((90, 10, 0));
        (await RunAsync(BranchOp.Confirm)).ShouldBe(BranchResult.Done);
        (await RunAsync(BranchOp.Confirm)).Skipped.ShouldBeTrue();
        (await RunAsync(BranchOp.Cancel)).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
        await RunAsync(BranchOp.Try, "u");
        (await RunAsync(BranchOp.Cancel, "u")).ShouldBe(BranchResult.Done);
        (await RunAsync(BranchOp.Cancel, "u")).Skipped.ShouldBeTrue();
        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task E65_TryAfterCancel_IsRefused_AndTheBalanceUnchanged()
    {
        await OpenAsync(100);
        (await RunAsync(BranchOp.Cancel)).ShouldBe(BranchResult.Done with { Skipped = true });
        (await RunAsync(BranchOp.Try)).Outcome.ShouldBe(BranchOutcome.Refused);
        (await RunAsync(BranchOp.Confirm)).Outcome.ShouldBe(BranchOutcome.Refused);
        (await BalanceAsync()).ShouldBe((100, 0, 0));
    }

    [Fact]
    public async Task E67_TryRepeatedAfterTheStockFell_StillSucceeds()
    {
        await OpenAsync(15);
        await RunAsync(BranchOp.Try);
        BranchResult refused = await RunAsync(BranchOp.Try, "other");
        (refused.Outcome, refused.Reason).ShouldBe((BranchOutcome.Refused, "asked 10, available 5"));
        (await RunAsync(BranchOp.Try)).Outcome.ShouldBe(BranchOutcome.Done);
    }

    [Fact]
    public async Task E79_ManyRetriesOfOneCallAtOnce_OneRuns()
    {
        await OpenAsync(1_000);
        BranchResult[] results = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => RunAsync(BranchOp.Try, "t" + (i % 4))));
        results.Count(r => !r.Skipped).ShouldBe(4);
        (await BalanceAsync()).ShouldBe((960, 40, 0));
    }

    [Fact]
    public async Task Markers_share_the_slot_of_the_key_and_go_after_their_time()
    {
        await OpenAsync(100);
        await RunAsync(BranchOp.Try);
        string marker = RedisBarrier.MarkerKey(Call(BranchOp.Try, "t"), _key);
        (await redis.CliAsync("EXISTS", marker)).Trim().ShouldBe("1");
        long.Parse(await redis.CliAsync("TTL", marker), null).ShouldBeInRange(7 * 86_400, 8 * 86_400);
        (await redis.CliAsync("CLUSTER", "KEYSLOT", marker)).ShouldBe(await redis.CliAsync("CLUSTER", "KEYSLOT", _key));
        (await redis.CliAsync("CLUSTER", "KEYSLOT", RedisBarrier.MarkerKey(Call(BranchOp.Try, "a}{b"), "plain"))).ShouldBe(await redis.CliAsync("CLUSTER", "KEYSLOT", "plain"));
        Should.Throw<ArgumentException>(() => RedisBarrier.MarkerKey(Call(BranchOp.Try, "t"), "odd}key"));
    }

    [Fact]
    public async Task A_business_of_ones_own_refuses_without_a_marker()
    {
        var coupon = new RedisBusiness("""
            if op == 'try' and redis.call('GET', key) ~= 'free' then return 'the coupon is ' .. (redis.call('GET', key) or 'unknown') end
            redis.call('SET', key, ({ try = 'reserved', confirm = 'used', cancel = 'free' })[op])
            """);
        string key = "coupon:" + Guid.NewGuid().ToString("N");
        (await _barrier.RunAsync(Call(BranchOp.Try, "t"), key, coupon, [])).Reason.ShouldBe("the coupon is unknown");
        await redis.CliAsync("SET", key, "free");
        (await _barrier.RunAsync(Call(BranchOp.Try, "t"), key, coupon, [])).ShouldBe(BranchResult.Done);
        (await _barrier.RunAsync(Call(BranchOp.Confirm, "t"), key, coupon, [])).ShouldBe(BranchResult.Done);
        (await redis.CliAsync("GET", key)).Trim().ShouldBe("used");
    }

    [Fact]
    public async Task A_second_key_of_one_branch_is_an_error_not_a_success()
    {
        await OpenAsync(100);
        string coupons = "coupons:" + _key["points:".Length..];
        await redis.CliAsync("HSET", coupons, "available", "100", "frozen", "0", "spent", "0");
        await RunAsync(BranchOp.Try);
        foreach (BranchOp op in new[] { BranchOp.Try, BranchOp.Confirm, BranchOp.Cancel })
        {
            (await Should.ThrowAsync<InvalidOperationException>(() => _barrier.RunAsync(Call(op, "t"), coupons, 10))).Message.ShouldContain(_key);
        }

        (await RunAsync(BranchOp.Confirm)).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task Markers_of_before_that_do_not_name_their_key_count()
    {
        await OpenAsync(90);
        await redis.CliAsync("HSET", RedisBarrier.MarkerKey(Call(BranchOp.Try, "t"), _key), "try", "try");
        await redis.CliAsync("HSET", _key, "frozen", "10");
        (await RunAsync(BranchOp.Try)).Skipped.ShouldBeTrue();
        (await RunAsync(BranchOp.Confirm)).ShouldBe(BranchResult.Done);
        (await BalanceAsync()).ShouldBe((90, 0, 10));
    }

    [Fact]
    public async Task Without_Redis_the_outcome_is_unavailable()
    {
        using var none = new RedisBarrier("127.0.0.1:" + FreePort.Next().ToString(System.Globalization.CultureInfo.InvariantCulture));
        (await Should.ThrowAsync<HoldfastUnavailableException>(() => none.RunAsync(Call(BranchOp.Try, "t"), _key, 10))).OutcomeKnown.ShouldBeTrue();
    }

    private static BranchCall Call(BranchOp op, string transaction) => new(transaction, "points", op) { ExpectsTry = true };

    private Task<BranchResult> RunAsync(BranchOp op, string transaction = "t") => _barrier.RunAsync(Call(op, transaction), _key, 10);

    private Task OpenAsync(long available) => redis.CliAsync("HSET", _key, "available", available.ToString(System.Globalization.CultureInfo.InvariantCulture), "frozen", "0", "spent", "0");

    private async Task<(long, long, long)> BalanceAsync()
    {
        long[] values = [.. (await redis.CliAsync("HMGET", _key, "available", "frozen", "spent")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(v => long.Parse(v.Trim('"', ' '), null))];
        return (values[0], values[1], values[2]);
    }
}

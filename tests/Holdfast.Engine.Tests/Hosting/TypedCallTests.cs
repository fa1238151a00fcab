using Holdfast.Engine.Tests.Spaces;
using Holdfast.Journal.Memory;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Hosting;

/// <summary>What <see cref="IHoldfast"/> refuses is what HTTP refuses: a slip that would cost stock is <c>invalid</c>, in words.</summary>
public sealed class TypedCallTests : IAsyncLifetime
{
    private const string LoneSurrogate = "a\ud800b";
    private static readonly HoldLine Line = new("sku-1", 1);

    private RunningSpace _space = null!;

    private IHoldfast Calls => _space.Calls;

    public async ValueTask InitializeAsync()
    {
        _space = await RunningSpace.StartAsync(new MemoryJournalStore().Get("default"));
        await _space.StockAsync("sku-1", 100);
    }

    public ValueTask DisposeAsync() => _space.DisposeAsync();

    [Fact]
    public async Task Confirming_no_lines_is_not_confirming_everything()
    {
        await _space.TryAsync("h", quantity: 2);

        (await RefusedAsync(Calls.ConfirmAsync("h", []))).ShouldBe("lines is empty: leave it out to confirm everything");
        (await Calls.GetHoldAsync("h")).Value!.State.ShouldBe(HoldState.Held);

        (await Calls.ConfirmAsync("h")).Value!.Lines.Single().Consumed.ShouldBe(2);
    }

    [Fact]
    public async Task An_adjustment_is_one_thing_and_says_why()
    {
        long version = (await _space.ReadAsync()).Version;

        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why") { Delta = 1, ExpectedVersion = version })))
            .ShouldBe("expectedVersion goes with set, not with delta");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why") { Set = 1, ExpectedVersion = version, Force = true })))
            .ShouldBe("force goes with delta, not with set");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why") { Set = 1 }))).ShouldStartWith("expectedVersion is missing");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why") { Set = 1, Delta = 1 }))).ShouldStartWith("an adjustment has either delta");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why")))).ShouldStartWith("an adjustment has either delta");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "") { Delta = 1 }))).ShouldStartWith("reason is missing");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", null!) { Delta = 1 }))).ShouldStartWith("reason is missing");
        (await _space.ReadAsync()).ShouldSatisfyAllConditions(r => r.Available.ShouldBe(100), r => r.Version.ShouldBe(version));

        (await Calls.AdjustAsync("sku-1", new SupplyAdjustment("a", "why") { Set = 7, ExpectedVersion = version })).Value!.Available.ShouldBe(7);
        (await Calls.AdjustAsync("sku-1", new SupplyAdjustment("b", "why") { Delta = -8, Force = true })).Value!.Available.ShouldBe(-1);
    }

    [Fact]
    public async Task A_return_says_why()
    {
        await _space.TryAsync("h");
        await Calls.ConfirmAsync("h");

        (await RefusedAsync(Calls.ReturnAsync("h", "r", [Line], ""))).ShouldStartWith("reason is missing");
        (await Calls.ReturnAsync("h", "r", [Line], "too small")).IsOk.ShouldBeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(-62_135_596_800_000)]
    public async Task An_instant_before_the_epoch_is_an_instant(long unixMs)
    {
        var request = new HoldRequest("h", Line) { IssuedAt = DateTimeOffset.FromUnixTimeMilliseconds(unixMs) };
        (await Calls.TryHoldAsync(request)).Code.ShouldBe(Code.TooOld);
    }

    [Fact]
    public async Task A_time_to_live_is_null_or_above_zero_and_counts_up_to_the_next_millisecond()
    {
        foreach (TimeSpan none in new[] { TimeSpan.Zero, TimeSpan.FromTicks(-1), TimeSpan.FromSeconds(-1), TimeSpan.MinValue, Timeout.InfiniteTimeSpan })
        {
            (await RefusedAsync(Calls.TryHoldAsync(new HoldRequest("h", Line) { Ttl = none }))).ShouldStartWith("ttl must be above zero", customMessage: none.ToString());
        }

        (await RefusedAsync(Calls.TryHoldAsync(new HoldRequest("h", Line) { Ttl = TimeSpan.MaxValue }))).ShouldContain("at most ten years");
        await LivesAsync("tick", TimeSpan.FromTicks(1), 1);
        await LivesAsync("almost", TimeSpan.FromMicroseconds(1_500), 2);
        await LivesAsync("second", TimeSpan.FromSeconds(1), 1_000);
        await LivesAsync("default", null, new HoldOptions().DefaultTtlMs);

        (await RefusedAsync(Calls.ExtendAsync("default", TimeSpan.Zero))).ShouldContain("above 0");
        (await RefusedAsync(Calls.ExtendAsync("default", TimeSpan.FromSeconds(-1)))).ShouldContain("above 0");
        (await Calls.ExtendAsync("default", TimeSpan.FromTicks(1))).IsOk.ShouldBeTrue();

        async Task LivesAsync(string id, TimeSpan? ttl, long milliseconds)
        {
            HoldView hold = (await Calls.TryHoldAsync(new HoldRequest(id, Line) { Ttl = ttl })).Value!;
            (hold.ExpiresAtMs - hold.CreatedAtMs).ShouldBe(milliseconds);
        }
    }

    [Fact]
    public async Task Text_that_is_not_Unicode_is_no_id()
    {
        await _space.TryAsync("h");
        await _space.TryAsync("c");
        await Calls.ConfirmAsync("c");

        (await RefusedAsync(Calls.TryHoldAsync(new HoldRequest(LoneSurrogate, Line)))).ShouldContain("the hold's id is not valid");
        (await RefusedAsync(Calls.TryHoldAsync(new HoldRequest("x", Line) { Owner = LoneSurrogate }))).ShouldContain("the owner is not valid");
        (await RefusedAsync(Calls.TryHoldAsync(new HoldRequest("x", new HoldLine(LoneSurrogate, 1))))).ShouldContain("resource is not valid");
        (await RefusedAsync(Calls.ConfirmAsync(LoneSurrogate))).ShouldContain("the hold's id is not valid");
        (await RefusedAsync(Calls.CancelAsync(LoneSurrogate))).ShouldContain("the hold's id is not valid");
        (await RefusedAsync(Calls.ExtendAsync(LoneSurrogate, TimeSpan.FromSeconds(1)))).ShouldContain("the hold's id is not valid");
        (await RefusedAsync(Calls.GetHoldAsync(LoneSurrogate))).ShouldContain("the hold's id is not valid");
        (await RefusedAsync(Calls.ReturnAsync("c", LoneSurrogate, [Line], "why"))).ShouldContain("the return's id is not valid");
        (await RefusedAsync(Calls.ReturnAsync("c", "r", [Line], LoneSurrogate))).ShouldContain("the reason is not valid");
        (await RefusedAsync(Calls.PutResourceAsync(LoneSurrogate, ResourcePolicy.Default))).ShouldContain("the resource's id is not valid");
        (await RefusedAsync(Calls.PutResourceAsync("x", new ResourcePolicy { Owner = LoneSurrogate }))).ShouldContain("owner is not valid");
        (await RefusedAsync(Calls.AdjustAsync("sku-1", new SupplyAdjustment(LoneSurrogate, "why") { Delta = 1 }))).ShouldContain("the adjustment's id is not valid");
        (await RefusedAsync(Calls.GetResourceAsync(LoneSurrogate))).ShouldContain("the resource's id is not valid");

        (await _space.TryAsync("\ud83d\ude00")).IsOk.ShouldBeTrue();
    }

    /// <summary>Taken for "nobody", it would count against no limit.</summary>
    [Fact]
    public async Task An_empty_owner_is_no_owner_left_out() =>
        (await RefusedAsync(_space.TryAsync("h", owner: ""))).ShouldContain("the owner is empty");

    private static async Task<string> RefusedAsync<T>(ValueTask<Outcome<T>> call)
        where T : class
    {
        Outcome<T> outcome = await call;
        outcome.Code.ShouldBe(Code.Invalid);
        return outcome.Refusal!.Message;
    }
}

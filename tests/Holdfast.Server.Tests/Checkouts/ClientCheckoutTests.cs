using Holdfast.Client;
using Holdfast.Kernel;
using Checkout = Holdfast.Client.Checkout;
using CheckoutState = Holdfast.Client.CheckoutState;

namespace Holdfast.Server.Tests.Checkouts;

/// <summary>The typed client's calls on checkouts, against a server with the simulated provider inside.</summary>
public sealed class ClientCheckoutTests : IAsyncLifetime
{
    private static readonly Money Price = new(CheckoutServer.Price, "EUR");

    private CheckoutServer _shop = null!;
    private HttpHoldfastClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _shop = await CheckoutServer.StartAsync(rules: new CheckoutOptions { PollFirstMs = 200, LaterMs = 100 });
        _client = new HttpHoldfastClient(new HoldfastClientOptions { HttpAddress = _shop.Server.Http.BaseAddress });
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _shop.DisposeAsync();
    }

    [Fact]
    public async Task A_checkout_is_begun_paid_and_refunded()
    {
        Checkout begun = (await _client.Checkouts.BeginAsync(Request("c"))).EnsureSucceeded();
        (begun.State, begun.Amount, begun.Channel).ShouldBe((CheckoutState.Pending, Price, "simulator"));
        begun.PayUrl.ShouldNotBeNull();
        begun.ExpiresAt.ShouldBeGreaterThan(begun.CreatedAt);
        (await _client.Checkouts.BeginAsync(Request("c"))).EnsureSucceeded().Id.ShouldBe("c", "a repeat");

        await _shop.PayAsync("c");
        Checkout paid = (await _client.Checkouts.FindAsync("c", TimeSpan.FromSeconds(20)))!;
        (paid.State, paid.Paid).ShouldBe((CheckoutState.Paid, Price));
        paid.Payments.ShouldHaveSingleItem().Use.ShouldBe("order");

        (await _client.Checkouts.RefundAsync("c", "r1", "came back", new Money(1_000, "EUR"))).EnsureSucceeded();
        (await _client.Checkouts.RefundAsync("c", "r1", "came back", new Money(1_000, "EUR"))).EnsureSucceeded().Refunds.Count.ShouldBe(1);
        CheckoutResult tooMuch = await _client.Checkouts.RefundAsync("c", "r2", "all of it twice", Price);
        tooMuch.Refusal!.Code.ShouldBe(RefusalCode.ExceedsPaid);
        (await _client.Checkouts.RefundAsync("c", "r3", "the rest")).EnsureSucceeded().Refunds[1].Amount.Value.ShouldBe(CheckoutServer.Price - 1_000);
    }

    [Fact]
    public async Task Refusals_are_values_and_what_is_not_there_is_null()
    {
        (await _client.Checkouts.FindAsync("nobody")).ShouldBeNull();
        CheckoutResult sold = await _client.Checkouts.BeginAsync(Request("c", quantity: 3));
        sold.Refusal!.Code.ShouldBe(RefusalCode.Insufficient);
        CheckoutResult wrong = await _client.Checkouts.BeginAsync(Request("c") with { Channel = "nowhere" });
        wrong.Refusal!.Code.ShouldBe(RefusalCode.Invalid);
        wrong.Refusal.Message.ShouldContain("configured: psp, simulator");
    }

    [Fact]
    public async Task One_that_is_cancelled_ends_and_lists_tell_states_apart()
    {
        await _client.Checkouts.BeginAsync(Request("a"));
        await _client.Checkouts.BeginAsync(Request("b"));
        CheckoutResult cancelled = await _client.Checkouts.CancelAsync("a", "changed my mind", TimeSpan.FromSeconds(20));
        cancelled.EnsureSucceeded().State.ShouldBe(CheckoutState.Cancelled);

        (await IdsAsync(null)).ShouldBe(["a", "b"]);
        (await IdsAsync(CheckoutState.Pending)).ShouldBe(["b"]);
        (await IdsAsync(CheckoutState.Cancelled)).ShouldBe(["a"]);
    }

    [Fact]
    public async Task Another_amount_waits_for_a_decision()
    {
        await _client.Checkouts.BeginAsync(Request("c") with { Channel = "psp" });
        await _shop.TellAsync("payment.succeeded", "c", amount: CheckoutServer.Price - 1);
        Checkout conflicted = (await _client.Checkouts.FindAsync("c"))!;
        (conflicted.State, conflicted.Stuck).ShouldBe((CheckoutState.Conflicted, true));
        conflicted.Explanation!.ShouldContain("resolve");

        (await _client.Checkouts.ResolveAsync("c", accept: true, "close enough")).EnsureSucceeded().State.ShouldBe(CheckoutState.Paid);
    }

    [Fact]
    public async Task Checkouts_of_most_lines_with_longest_ids_are_listed()
    {
        Holdfast.Client.HoldLine[] lines = [.. Enumerable.Range(0, 64).Select(l => new Holdfast.Client.HoldLine($"{l:00}{new string('r', 126)}", 1))];
        foreach (Holdfast.Client.HoldLine line in lines)
        {
            await _shop.Server.StockAsync(line.Resource, 1_000);
        }

        const int Count = 130;
        for (int i = 0; i < Count; i++)
        {
            (await _client.Checkouts.BeginAsync(new CheckoutRequest($"{i:000}", "ann", "psp", Price, lines))).EnsureSucceeded();
        }

        (await IdsAsync(null)).ShouldBe(Enumerable.Range(0, Count).Select(i => $"{i:000}"));
    }

    private static CheckoutRequest Request(string id, long quantity = 1) =>
        new(id, "ann", "simulator", Price, new Holdfast.Client.HoldLine("sku", quantity)) { Ttl = TimeSpan.FromMinutes(10) };

    private async Task<List<string>> IdsAsync(CheckoutState? state)
    {
        var ids = new List<string>();
        await foreach (Checkout checkout in _client.Checkouts.ListAsync(state))
        {
            ids.Add(checkout.Id);
        }

        return ids;
    }
}

namespace Holdfast.Kernel.Tests.Checkouts;

public class CheckoutTests : CheckoutScenario
{
    public CheckoutTests() => Space.Stock("sku", 2);

    [Fact]
    public void Paid_and_consumed_are_events_of_one_command()
    {
        Begin("c").Code.ShouldBe(Code.Ok);
        Space.Buckets("sku").ShouldBe((1, 1, 0));
        Open("c");
        View("c").PayUrl.ShouldBe("http://pay/c");
        View("c").ProviderOrder.ShouldBe("o-c");

        Tell(NoticeKind.Paid, "c").ShouldBe("paid");

        Space.Buckets("sku").ShouldBe((1, 0, 1));
        View("c").State.ShouldBe(CheckoutState.Paid);
        View("c").EndedAtMs.ShouldBe(Space.Now);
        View("c").Paid.ShouldBe(Price);
    }

    [Fact]
    public void The_same_body_again_is_a_repeat_and_another_one_a_conflict()
    {
        Begin("c");
        Begin("c").Repeat.ShouldBeTrue();
        Begin("c", calls: false).Repeat.ShouldBeTrue("how the channel is configured is not the caller's");
        Begin("c", quantity: 2).Code.ShouldBe(Code.Conflict);
        Begin("c", amount: Price + 1).Code.ShouldBe(Code.Conflict);
        Space.Buckets("sku").ShouldBe((1, 1, 0));
    }

    [Fact]
    public void What_cannot_be_held_is_refused_as_a_hold_is()
    {
        Answer answer = Begin("c", quantity: 3);
        (answer.Code, answer.Asked, answer.Available).ShouldBe((Code.Insufficient, 3, 2));
        Space.LastEvents.ShouldBeEmpty();
        Space.Decide(new GetCheckout(Space.Hasher, "c")).Code.ShouldBe(Code.NotFound);
    }

    [Theory]
    [InlineData(0, "EUR", 1)]
    [InlineData(-1, "EUR", 1)]
    [InlineData(1, "eur", 1)]
    [InlineData(1, "EURO", 1)]
    [InlineData(1, "EUR", 0)]
    public void Bad_input_is_invalid(long amount, string currency, long quantity) => Space.Decide(
        new BeginCheckout(Space.Hasher, "c", null, [new("sku", quantity)], amount, currency, "psp", true)).Code.ShouldBe(Code.Invalid);

    [Fact]
    public void It_is_asked_about_tightly_first_and_then_widely()
    {
        Begin("c", ttlMs: 3_600_000);
        Open("c");
        var asked = new List<long>();
        for (long second = 1; second < 1_500; second++)
        {
            Space.Now += 1_000;
            foreach (PaymentCall call in Due())
            {
                asked.Add(second);
                Say(call, PaymentOutcome.Pending);
            }
        }

        asked.ShouldBe([5, 15, 35, 75, 155, 315, 615, 915, 1_215]);
    }

    [Fact]
    public void A_refused_order_ends_the_checkout_and_releases_its_units()
    {
        Begin("c");
        Say(One(PaymentOp.Create), PaymentOutcome.Refused);
        View("c").State.ShouldBe(CheckoutState.Cancelled);
        View("c").ReasonCode.ShouldBe("provider_refused");
        Space.Buckets("sku").ShouldBe((2, 0, 0));
    }

    [Fact]
    public void A_cancel_of_a_paid_one_is_refused_and_of_an_open_one_closes_the_order_first()
    {
        Begin("a");
        Open("a");
        Cancel("a");
        Space.Buckets("sku").ShouldBe((1, 1, 0));
        Say(One(PaymentOp.Close), PaymentOutcome.Closed);
        View("a").State.ShouldBe(CheckoutState.Cancelled);
        Space.Buckets("sku").ShouldBe((2, 0, 0));

        Begin("b");
        Tell(NoticeKind.Paid, "b");
        Cancel("b").Code.ShouldBe(Code.Confirmed);
    }

    [Fact]
    public void A_refund_that_is_underway_is_asked_about_and_not_sent_again()
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c");
        Refund("c", "r");
        Say(Due().Single(d => d.Op == PaymentOp.Refund), PaymentOutcome.Pending);
        Space.Now += 3_000;
        PaymentCall query = One(PaymentOp.QueryRefund);
        Say(query, PaymentOutcome.NotFound);
        Space.Now += 3_000;
        Say(One(PaymentOp.Refund), PaymentOutcome.Refunded);
        Money("c").ShouldBe("Paid: p1=Order | r=Succeeded:5000");
    }

    [Fact]
    public void What_must_go_back_and_was_refused_waits_for_an_operator_who_asks_anew()
    {
        Begin("c");
        Tell(NoticeKind.Paid, "c");
        Tell(NoticeKind.Paid, "c", "p2");
        Say(Due().Single(d => d.Op == PaymentOp.Refund), PaymentOutcome.Refused);
        View("c").IsStuck.ShouldBeTrue();
        Space.Machine.StuckCheckouts.ShouldBe(1);
        Alerts.ShouldContain(a => a.Contains("refused", StringComparison.Ordinal));

        Space.Decide(new RetryCheckout(Space.Hasher, "c"));
        PaymentCall again = One(PaymentOp.Refund);
        again.Refund!.ProviderKey.ShouldNotBe(RefundIds.Of("c", "auto-1"), "the provider has said no to that one");
        Say(again, PaymentOutcome.Refunded);
        Money("c").ShouldBe("Paid: p1=Order p2=GoesBack | auto-1=Failed:5000 auto-2=Succeeded:5000");
        Space.Machine.StuckCheckouts.ShouldBe(0);
    }

    [Fact]
    public void A_channel_that_makes_no_calls_is_refunded_by_hand()
    {
        Begin("c", calls: false);
        Tell(NoticeKind.Paid, "c");
        Refund("c", "r", 1_000);
        View("c").IsStuck.ShouldBeTrue();
        Due().ShouldBeEmpty();

        Tell(NoticeKind.Refunded, "c", amount: 1_000, refund: "at-the-provider").ShouldBe("refunded");
        Refund("c", "s", 500);
        Space.Decide(new SettleRefund(Space.Hasher, "c", "s", succeeded: true, "seen on the bill")).Code.ShouldBe(Code.Ok);

        Money("c").ShouldBe("Paid: p1=Order | r=Succeeded:1000 s=Succeeded:500");
        View("c").IsStuck.ShouldBeFalse();
    }

    [Fact]
    public void After_too_many_attempts_an_operator_is_asked()
    {
        Begin("c");
        Open("c");
        Space.Pass(60_000);
        for (int i = 0; i < 200; i++)
        {
            Say(One(PaymentOp.Close), PaymentOutcome.Unknown, retryMs: 10);
            Space.Pass(10);
        }

        Due().ShouldBeEmpty();
        View("c").IsStuck.ShouldBeTrue();
        Space.Decide(new RetryCheckout(Space.Hasher, "c"));
        Say(One(PaymentOp.Close), PaymentOutcome.Closed);
        View("c").State.ShouldBe(CheckoutState.Expired);
    }

    [Fact]
    public void A_finished_one_is_forgotten_and_what_is_owed_is_not()
    {
        Begin("a");
        Tell(NoticeKind.Paid, "a");
        Begin("b");
        Tell(NoticeKind.Paid, "b", "p2");
        Refund("b", "r");
        Space.Pass((7 * 24 * 3_600_000L) + 1_000);

        Space.Decide(new GetCheckout(Space.Hasher, "a")).Code.ShouldBe(Code.NotFound);
        View("b").State.ShouldBe(CheckoutState.Paid);
        Space.Decide(new BeginCheckout(Space.Hasher, "a", "ann", [new("sku", 1)], Price, "EUR", "psp", true, 0, Space.Start)).Code.ShouldBe(Code.TooOld);
        Tell(NoticeKind.Paid, "a").ShouldBe("suspense", "money that comes so late is not lost either");
    }

    [Fact]
    public void A_call_is_handed_out_once_and_again_after_a_restart()
    {
        Begin("c");
        Due().Count.ShouldBe(1);
        Due().ShouldBeEmpty();

        SpaceMachine restarted = Ending.Replay(Space.Batches, Options);
        restarted.TakeDuePaymentCall(Space.Now)!.Op.ShouldBe(PaymentOp.Create);
    }

    [Fact]
    public void Lists_have_pages()
    {
        Space.Adjust("sku", "more", 100);
        for (int i = 0; i < 25; i++)
        {
            Begin($"c{i:00}");
        }

        var seen = new List<string>();
        string? after = null;
        do
        {
            var page = Space.Decide(new ListCheckouts(Space.Hasher, CheckoutState.Pending, false, after, 10)).Detail.ShouldBeOfType<CheckoutPage>();
            seen.AddRange(page.Checkouts.Select(c => c.Id));
            after = page.Next;
        }
        while (after is not null);

        seen.ShouldBe(Enumerable.Range(0, 25).Select(i => $"c{i:00}"));
    }
}

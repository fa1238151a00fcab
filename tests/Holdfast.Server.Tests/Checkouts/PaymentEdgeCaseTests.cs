using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Kernel;

namespace Holdfast.Server.Tests.Checkouts;

/// <summary>E25 to E40 over the sockets: the shop's calls, the provider's callbacks, and the simulated provider.</summary>
public sealed class PaymentEdgeCaseTests : IAsyncLifetime
{
    private CheckoutServer _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await CheckoutServer.StartAsync(rules: new CheckoutOptions { PollFirstMs = 200, LaterMs = 100 });

    public ValueTask DisposeAsync() => _shop.DisposeAsync();

    [Fact]
    public async Task E25_PaidAfterTheHoldExpired_StockStillThere()
    {
        await _shop.BeginAsync("c", ttlSeconds: "0.2");
        await UntilAsync("c", "expired");

        (await _shop.TellAsync("payment.succeeded", "c")).ShouldBe(204);

        (await _shop.MoneyAsync("c")).ShouldBe("paid: p1=order | ");
        ((bool)(await _shop.CheckoutAsync("c"))["rescued"]!).ShouldBeTrue();
        (await _shop.BucketsAsync()).ShouldBe((1, 0, 1));
    }

    [Fact]
    public async Task E26_PaidAfterTheHoldExpired_StockGone_RefundedOnce()
    {
        await _shop.BeginAsync("c", "simulator", quantity: 2, ttlSeconds: "0.5");
        await UntilAsync("c", "expired");
        await _shop.Server.TryAsync("other", "sku");
        Simulator.SimulatedProvider provider = _shop.Server.App.Services.GetService(typeof(ChannelSetup)).ShouldBeOfType<ChannelSetup>().Provider!;
        provider.PayLate("default", "c");
        await UntilRefundAsync("c", "succeeded");

        JsonObject view = await _shop.CheckoutAsync("c");
        ((string)view["state"]!).ShouldBe("expired");
        ((string)view["reason"]!["code"]!).ShouldBe("late");
        view["refunds"]!.AsArray().Count.ShouldBe(1);
        provider.Books.Refunded.ShouldBe(CheckoutServer.Price);
    }

    [Fact]
    public async Task E27_PaidAfterCancel_RefundedNeverRevived()
    {
        await _shop.BeginAsync("c");
        (await _shop.SendAsync("/v1/checkouts/c/cancel", "")).State.ShouldBe("cancelled");
        (await _shop.TellAsync("payment.succeeded", "c")).ShouldBe(204);

        (await _shop.MoneyAsync("c")).ShouldBe("cancelled: p1=goes_back | auto-1=pending:5000");
        (await _shop.BucketsAsync()).ShouldBe((2, 0, 0));
        ((bool)(await _shop.CheckoutAsync("c"))["stuck"]!).ShouldBeTrue("this channel makes no calls: somebody refunds by hand");
        (await _shop.SendAsync("/v1/checkouts/c/refunds/auto-1/settle", """{"state":"succeeded","reason":"done at the counter"}""")).Status.ShouldBe(200);
        ((bool)(await _shop.CheckoutAsync("c"))["stuck"]!).ShouldBeFalse();
    }

    [Fact]
    public async Task E28_TwoPaymentsForOneCheckout()
    {
        await _shop.BeginAsync("c");
        int[] statuses = await Task.WhenAll(_shop.TellAsync("payment.succeeded", "c", "p1"), _shop.TellAsync("payment.succeeded", "c", "p2"));

        statuses.ShouldBe([204, 204]);
        JsonObject view = await _shop.CheckoutAsync("c");
        view["payments"]!.AsArray().Select(p => (string)p!["use"]!).ShouldBe(["order", "goes_back"]);
        view["refunds"]!.AsArray().Count.ShouldBe(1);
        (await _shop.BucketsAsync()).ShouldBe((1, 0, 1));
    }

    [Fact]
    public async Task E29_ProviderDoesNotAnswer_UnknownAndAskedAgain()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync(new JsonObject
        {
            ["dead"] = new JsonObject { ["type"] = "simulator", ["address"] = "http://127.0.0.1:9/", ["secrets"] = new JsonArray(CheckoutServer.Secret) },
        });
        Reply begun = await shop.BeginAsync("c", "dead");
        begun.Status.ShouldBe(201);
        begun.State.ShouldBe("pending", "unknown is not failed");
        for (int i = 0; i < 100 && (int)(await shop.CheckoutAsync("c"))["calls"]![0]!["attempts"]! < 2; i++)
        {
            await Task.Delay(50);
        }

        JsonNode call = (await shop.CheckoutAsync("c"))["calls"]![0]!;
        ((int)call["attempts"]!).ShouldBeGreaterThanOrEqualTo(2);
        ((string)call["lastAnswer"]!).ShouldContain("no connection");
        (await shop.BucketsAsync()).ShouldBe((1, 1, 0));
    }

    [Fact]
    public async Task E30_CallbackAndPollBringTheSamePayment()
    {
        for (int i = 0; i < 2; i++)
        {
            await _shop.BeginAsync("c" + i, "simulator");
            await Task.Delay(i * 190); // the second meets the first question
            await _shop.PayAsync("c" + i);
            JsonObject view = await _shop.CheckoutAsync("c" + i, "wait=10");
            ((string)view["state"]!).ShouldBe("paid");
        }

        await Task.Delay(300);
        (await _shop.CheckoutAsync("c0"))["payments"]!.AsArray().Count.ShouldBe(1);
        (await _shop.CheckoutAsync("c1"))["payments"]!.AsArray().Count.ShouldBe(1);
        (await _shop.BucketsAsync()).ShouldBe((0, 0, 2));
    }

    [Fact]
    public async Task NoCallbackAtAll_PollingFindsThePayment()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync(rules: new CheckoutOptions { PollFirstMs = 100 }, faults: "drop=1");
        await shop.BeginAsync("c", "simulator");
        await shop.PayAsync("c");

        (await shop.CheckoutAsync("c", "wait=20"))["state"]!.ToString().ShouldBe("paid");
        (await shop.MetricAsync("holdfast_callbacks_total")).ShouldBe("0");
    }

    [Fact]
    public async Task E31_FailedAfterSucceeded_IgnoredAndAlerted()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        (await _shop.TellAsync("payment.failed", "c")).ShouldBe(204);

        (await _shop.MoneyAsync("c")).ShouldBe("paid: p1=order | ");
        (await _shop.MetricAsync("holdfast_payment_alerts_total")).ShouldBe("1");
    }

    [Theory]
    [InlineData(4_999, "EUR")]
    [InlineData(5_000, "USD")]
    public async Task E32_AmountOrCurrencyDiffers(long amount, string currency)
    {
        await _shop.BeginAsync("c");
        (await _shop.TellAsync("payment.succeeded", "c", amount: amount, currency: currency)).ShouldBe(204);

        JsonObject view = await _shop.CheckoutAsync("c");
        ((string)view["state"]!).ShouldBe("conflicted");
        ((string)view["explanation"]!).ShouldContain("resolve");
        (await _shop.BucketsAsync()).ShouldBe((1, 1, 0));
        (await _shop.SendAsync("/v1/checkouts?state=stuck", null)).Json["items"]!.AsArray().Count.ShouldBe(1);

        (await _shop.SendAsync("/v1/checkouts/c/resolve", """{"decision":"accept","reason":"close enough"}""")).State.ShouldBe("paid");
        (await _shop.BucketsAsync()).ShouldBe((1, 0, 1));
    }

    [Fact]
    public async Task E33_CallbackForAnUnknownCheckout()
    {
        (await _shop.TellAsync("payment.succeeded", "nobody", "p/9")).ShouldBe(204);
        (await _shop.TellAsync("payment.succeeded", "nobody", "p/9")).ShouldBe(204);

        JsonNode kept = (await _shop.SendAsync("/v1/suspense", null)).Json["items"]!.AsArray().ShouldHaveSingleItem()!;
        ((string)kept["id"]!).ShouldBe("psp/p/9");
        ((string)kept["providerOrder"]!).ShouldBe("nobody");
        (await _shop.SendAsync("/v1/suspense/psp/p%2F9/refund", """{"reason":"nobody knows it"}""")).Status.ShouldBe(200);
        (await _shop.SendAsync("/v1/suspense/psp/unknown/refund", """{"reason":"x"}""")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task E34_ForgedReplayedOrReencodedCallback_401_NoState()
    {
        await _shop.BeginAsync("c");
        string before = (await _shop.Server.GetAsync("/metrics")).Text.Split('\n').First(l => l.StartsWith("holdfast_events_total", StringComparison.Ordinal));
        byte[] body = Encoding.UTF8.GetBytes("""{"type":"payment.succeeded","data":{"checkout":"c","transaction":"p","amount":{"value":5000,"currency":"EUR"}}}""");

        (await _shop.TellAsync("payment.succeeded", "c", ageSeconds: 301)).ShouldBe(401, "replayed");
        (await _shop.PostAsync("/v1/callbacks/psp", body, ("webhook-id", "x"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA"))).ShouldBe(401, "forged");
        (await _shop.PostAsync("/v1/callbacks/psp", body)).ShouldBe(401, "unsigned");
        (await _shop.PostAsync("/v1/callbacks/nobody", body)).ShouldBe(404);

        ((string)(await _shop.CheckoutAsync("c"))["state"]!).ShouldBe("pending");
        (await _shop.Server.GetAsync("/metrics")).Text.ShouldContain(before);
        (await _shop.MetricAsync("holdfast_callbacks_total{channel=\"psp\",outcome=\"refused\"}")).ShouldBe("3");
    }

    [Fact]
    public async Task E34_UnverifiedSendersAreRateLimited_AndAGenuineOneIsNot()
    {
        int limited = 0;
        for (int i = 0; i < 200; i++)
        {
            limited += await _shop.PostAsync("/v1/callbacks/psp", [1]) == 429 ? 1 : 0;
        }

        limited.ShouldBeInRange(50, 150);
        await using CheckoutServer other = await CheckoutServer.StartAsync();
        (await other.TellAsync("payment.pending", "c")).ShouldBe(204);
        for (int i = 0; i < 200; i++)
        {
            (await other.PostAsync("/v1/callbacks/psp", [1])).ShouldBe(401);
        }

        (await other.TellAsync("payment.pending", "d")).ShouldBe(204);
    }

    [Fact]
    public async Task E35_TheProvidersOwnWronglySignedProbe_RefusedWithoutAlarm()
    {
        JsonObject vector = JsonNode.Parse(await File.ReadAllTextAsync(Path.Join(AppContext.BaseDirectory, "Vectors", "wechatpay-callback.json")))!.AsObject();
        await using CheckoutServer shop = await CheckoutServer.StartAsync(new JsonObject
        {
            ["wechatpay"] = new JsonObject
            {
                ["apiV3Key"] = (string)vector["apiv3_key_utf8"]!,
                ["platformKeys"] = new JsonObject { [(string)vector["certificate_serial"]!] = (string)vector["certificate_pem"]! },
            },
        });
        Reply reply = await shop.PostForReplyAsync(
            "/v1/callbacks/wechatpay",
            Convert.FromBase64String((string)vector["body_base64"]!),
            ("Wechatpay-Nonce", "n"), ("Wechatpay-Timestamp", "1624523846"), ("Wechatpay-Serial", (string)vector["certificate_serial"]!), ("Wechatpay-Signature", "WECHATPAY/SIGNTEST/abc"));

        reply.Status.ShouldBe(401);
        reply.Code.ShouldBe("FAIL");
        (await shop.MetricAsync("holdfast_callbacks_total{channel=\"wechatpay\",outcome=\"probe\"}")).ShouldBe("1");
        (await shop.MetricAsync("holdfast_callbacks_total{channel=\"wechatpay\",outcome=\"refused\"}")).ShouldBe("0");
        (await shop.MetricAsync("holdfast_payment_alerts_total")).ShouldBe("0");
    }

    [Fact]
    public async Task E36_TwoRefundsRacing_SumNeverAbovePaid()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        Reply[] replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            _shop.SendAsync("/v1/checkouts/c/refunds", $$"""{"id":"r{{i}}","amount":{"value":2000,"currency":"EUR"},"reason":"race"}""")));

        replies.Count(r => r.Status == 200).ShouldBe(2);
        replies.Where(r => r.Status != 200).ShouldAllBe(r => r.Status == 409 && r.Code == "exceeds_paid");
        (await _shop.SendAsync("/v1/checkouts/c/refunds", null)).Json["refunds"]!.AsArray().Sum(r => (long)r!["amount"]!["value"]!).ShouldBe(4_000);
        (await _shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"too-much","amount":{"value":1001,"currency":"EUR"}}""")).Code.ShouldBe("exceeds_paid");
    }

    [Fact]
    public async Task E37_RefundCallbackBeforeTheRefundCallReturned_OneRefund()
    {
        // The simulated provider calls back while its answer is still on its way; with timeout=1 the answer never comes.
        await using CheckoutServer shop = await CheckoutServer.StartAsync(faults: "timeout=1");
        await shop.BeginAsync("c", "simulator");
        await shop.PayAsync("c");
        ((string)(await shop.CheckoutAsync("c", "wait=10"))["state"]!).ShouldBe("paid");
        await shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"r"}""");
        for (int i = 0; i < 100 && (await shop.MoneyAsync("c")) != "paid: sim-1=order | r=succeeded:5000"; i++)
        {
            await Task.Delay(50);
        }

        (await shop.MoneyAsync("c")).ShouldBe("paid: sim-1=order | r=succeeded:5000");
        shop.Server.App.Services.GetService(typeof(ChannelSetup)).ShouldBeOfType<ChannelSetup>().Provider!.Books.Refunds.ShouldBe(1);
    }

    [Fact]
    public async Task E37_TheSameRefundCallbackAgain_AndReadAgain_CountsOnce()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        await _shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"r1","amount":{"value":300,"currency":"EUR"}}""");
        await _shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"r2","amount":{"value":300,"currency":"EUR"}}""");
        for (int i = 0; i < 2; i++)
        {
            (await _shop.TellAsync("refund.succeeded", "c", amount: 300, refund: "re_77")).ShouldBe(204);
        }

        await _shop.SendAsync("/v1/callbacks/psp/replay", "{}");

        (await _shop.MoneyAsync("c")).ShouldBe("paid: p1=order | r1=succeeded:300 r2=pending:300");
        ((long)(await _shop.CheckoutAsync("c"))["refunded"]!["value"]!).ShouldBe(300);
    }

    [Fact]
    public async Task AnAmountThatIsNone_IsAcknowledgedAndTheSpaceServesOn()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        await _shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"r1","amount":{"value":300,"currency":"EUR"}}""");
        (await _shop.TellAsync("refund.succeeded", "c", amount: long.MaxValue, refund: "re_1")).ShouldBe(204);
        (await _shop.TellAsync("refund.succeeded", "c", amount: long.MaxValue, refund: "re_2")).ShouldBe(204);

        (await _shop.MoneyAsync("c")).ShouldBe("paid: p1=order | r1=pending:300");
    }

    [Fact]
    public async Task WhatIsToComeAgain_IsAnsweredUnavailable()
    {
        byte[] body = Encoding.UTF8.GetBytes("""{"type":"refund.succeeded","data":{"transaction":"p9","amount":{"value":300,"currency":"EUR"},"refund":"re_9"}}""");
        (string, string)[] headers = CheckoutServer.Signed("e", body);

        Reply early = await _shop.PostForReplyAsync("/v1/callbacks/psp", body, headers);
        early.ShouldBeProblem(503, "unavailable");
        (await _shop.PostAsync("/v1/callbacks/psp", body, headers)).ShouldBe(204, "it belongs to nobody: asking once more is enough");
        (await _shop.PostForReplyAsync("/v1/spaces/nowhere/callbacks/psp", body, headers)).ShouldBeProblem(503, "unavailable");
    }

    [Fact]
    public async Task E38_DeadlineReachedWhileTheShopperIsPaying_ClosedAtTheProviderFirst()
    {
        await _shop.BeginAsync("unpaid", "simulator", ttlSeconds: "0.5");
        await UntilAsync("unpaid", "expired");
        (await _shop.PayAsync("unpaid")).Status.ShouldBe(409, "nobody can pay what was closed");

        await using CheckoutServer shop = await CheckoutServer.StartAsync(rules: new CheckoutOptions { PollFirstMs = 60_000 }, faults: "drop=1");
        await shop.BeginAsync("paid", "simulator", ttlSeconds: "0.5");
        await shop.PayAsync("paid"); // and nobody is told
        JsonObject view = await shop.CheckoutAsync("paid", "wait=10");
        ((string)view["state"]!).ShouldBe("paid", "the close's own answer tells of it");
        (await shop.BucketsAsync()).ShouldBe((1, 0, 1));
    }

    [Fact]
    public async Task E39_Chargeback_NoAutomaticRestock()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        (await _shop.TellAsync("payment.disputed", "c")).ShouldBe(204);

        ((bool)(await _shop.CheckoutAsync("c"))["payments"]![0]!["disputed"]!).ShouldBeTrue();
        (await _shop.BucketsAsync()).ShouldBe((1, 0, 1));
    }

    [Fact]
    public async Task E40_TheSamePaidCallbackFromManyConnections_TakesStockOnce()
    {
        await _shop.BeginAsync("c");
        int[] statuses = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => _shop.TellAsync("payment.succeeded", "c", eventId: "e" + (i % 4))));

        statuses.ShouldAllBe(s => s == 204);
        (await _shop.BucketsAsync()).ShouldBe((1, 0, 1));
        (await _shop.CheckoutAsync("c"))["payments"]!.AsArray().Count.ShouldBe(1);
        (await _shop.MetricAsync("holdfast_callbacks_total{channel=\"psp\",outcome=\"duplicate\"}")).ShouldBe("39");
    }

    private async Task UntilAsync(string id, string state)
    {
        for (int i = 0; i < 200 && (string)(await _shop.CheckoutAsync(id))["state"]! != state; i++)
        {
            await Task.Delay(25);
        }

        ((string)(await _shop.CheckoutAsync(id))["state"]!).ShouldBe(state);
    }

    private async Task UntilRefundAsync(string id, string state)
    {
        for (int i = 0; i < 200 && (string?)(await _shop.CheckoutAsync(id))["refunds"]!.AsArray().FirstOrDefault()?["state"] != state; i++)
        {
            await Task.Delay(25);
        }
    }
}

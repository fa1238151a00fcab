using System.Text;
using System.Text.Json.Nodes;

namespace Holdfast.Server.Tests.Checkouts;

public sealed class CheckoutCallTests : IAsyncLifetime
{
    private CheckoutServer _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await CheckoutServer.StartAsync();

    public ValueTask DisposeAsync() => _shop.DisposeAsync();

    [Fact]
    public async Task A_checkout_says_where_to_pay_and_waits_for_its_outcome()
    {
        Reply begun = await _shop.BeginAsync("c", "simulator");
        begun.Status.ShouldBe(201);
        begun.Location.ShouldBe("/v1/checkouts/c");
        string payUrl = (string)begun.Json["payUrl"]!;
        Task<JsonObject> outcome = _shop.CheckoutAsync("c", "wait=20");
        (await _shop.Server.Http.GetStringAsync(payUrl)).ShouldContain("50.00 EUR");
        (await _shop.Server.Http.PostAsync(payUrl, null)).EnsureSuccessStatusCode();

        JsonObject view = await outcome;

        ((string)view["state"]!).ShouldBe("paid");
        ((long)view["paid"]!["value"]!).ShouldBe(CheckoutServer.Price);
        (await _shop.Server.GetAsync("/v1/holds/c:hold")).State.ShouldBe("confirmed");
        (await _shop.BeginAsync("c", "simulator")).Status.ShouldBe(200);
        (await _shop.BeginAsync("c", "simulator", quantity: 2)).Code.ShouldBe("conflict");
    }

    [Fact]
    public async Task The_provider_inside_calls_nobody_else_for_strangers()
    {
        foreach ((string url, int status) in new[] { ("http://127.0.0.1:1/admin", 400), ("nonsense", 400), (new Uri(_shop.Server.Http.BaseAddress!, "/v1/callbacks/simulator").ToString(), 200) })
        {
            string body = $$"""{"space":"default","order":"evil{{status}}","amount":5,"currency":"EUR","notifyUrl":"{{url}}"}""";
            using var content = new StringContent(body, Encoding.UTF8, "application/json");
            ((int)(await _shop.Server.Http.PostAsync("/simulator/orders", content)).StatusCode).ShouldBe(status, url);
        }
    }

    [Fact]
    public async Task Respond_async_answers_at_once_and_says_where_to_look()
    {
        Reply begun = await _shop.BeginAsync("c", "simulator", prefer: "respond-async");
        begun.Status.ShouldBe(202);
        begun.Location.ShouldBe("/v1/checkouts/c");
    }

    [Theory]
    [InlineData("""{"owner":"ann"}""", "id is missing")]
    [InlineData("""{"id":"c","channel":"paypal"}""", "there is no channel 'paypal'; configured: psp, simulator")]
    [InlineData("""{"id":"c","channel":"psp"}""", "amount is missing")]
    [InlineData("""{"id":"c","channel":"psp","amount":{"value":1.5,"currency":"EUR"}}""", "whole number")]
    [InlineData("""{"id":"c","channel":"psp","amount":{"value":100,"currency":"euro"}}""", "ISO 4217")]
    [InlineData("""{"id":"c","channel":"psp","amount":{"value":100,"currency":"EUR"}}""", "1 to 64 lines")]
    [InlineData("""{"id":"c","channel":"psp","amount":{"value":100,"currency":"EUR"},"lines":[{"resource":"sku","quantity":0}]}""", "quantity")]
    [InlineData("""{"id":"c","colour":"red"}""", "colour")]
    public async Task Bad_input_is_named(string body, string words)
    {
        Reply reply = await _shop.SendAsync("/v1/checkouts", body);
        (reply.Status, reply.Code).ShouldBe((400, "invalid"));
        ((string)reply.Json["detail"]!).ShouldContain(words);
        (await _shop.BucketsAsync()).ShouldBe((2, 0, 0));
    }

    [Fact]
    public async Task What_is_not_there_is_not_found_and_what_cannot_be_had_is_refused()
    {
        (await _shop.SendAsync("/v1/checkouts/none", null)).Code.ShouldBe("not_found");
        (await _shop.SendAsync("/v1/checkouts/none/cancel", "")).Code.ShouldBe("not_found");
        Reply many = await _shop.BeginAsync("c", quantity: 3);
        (many.Status, many.Code).ShouldBe((409, "insufficient"));
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("a%2Fb")]
    [InlineData("50%25 off")]
    [InlineData("100% back")]
    public async Task Refunds_and_payments_are_named_by_any_id(string id)
    {
        string encoded = Uri.EscapeDataString(id);
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c");
        (await _shop.SendAsync("/v1/checkouts/c/refunds", $$"""{"id":"{{id}}"}""")).Status.ShouldBe(200);

        foreach (string root in (string[])["/v1", "/v1/spaces/default"])
        {
            (await _shop.SendAsync($"{root}/checkouts/c/refunds/{encoded}/settle", """{"state":"succeeded","reason":"by hand"}""")).Status.ShouldBe(200);
        }

        (await _shop.MoneyAsync("c")).ShouldBe($"paid: p1=order | {id}=succeeded:5000");
        await _shop.TellAsync("payment.succeeded", "nobody", id);
        (await _shop.SendAsync($"/v1/suspense/psp/{encoded}/refund", """{"reason":"nobody's"}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task What_was_paid_and_went_back_is_told_in_the_payments_currency()
    {
        await _shop.BeginAsync("c");
        await _shop.TellAsync("payment.succeeded", "c", currency: "USD");
        await _shop.SendAsync("/v1/checkouts/c/resolve", """{"decision":"accept","reason":"close enough"}""");
        await _shop.SendAsync("/v1/checkouts/c/refunds", """{"id":"r","amount":{"value":100,"currency":"USD"}}""");
        await _shop.TellAsync("refund.succeeded", "c", amount: 100, currency: "USD", refund: "r");

        JsonObject view = await _shop.CheckoutAsync("c");

        view["paid"]!.ToJsonString().ShouldBe("""{"value":5000,"currency":"USD"}""");
        view["refunded"]!.ToJsonString().ShouldBe("""{"value":100,"currency":"USD"}""");
        view["amount"]!.ToJsonString().ShouldBe("""{"value":5000,"currency":"EUR"}""");
    }

    [Fact]
    public async Task Its_hold_is_not_consumed_or_released_by_the_holds_own_calls()
    {
        await _shop.BeginAsync("c", quantity: 2);
        foreach ((string call, string body) in ((string, string)[])[("confirm", ""), ("confirm", """{"lines":[{"resource":"sku","quantity":1}]}"""), ("cancel", ""), ("extend", """{"ttlSeconds":1}""")])
        {
            (await _shop.SendAsync("/v1/holds/c:hold/" + call, body)).ShouldBeProblem(409, "conflict");
        }

        Reply batch = await _shop.Server.PostAsync("/v1/batch", """{"op":"cancel","id":"c:hold"}""", type: "application/x-ndjson");
        batch.Text.ShouldContain("conflict");
        await _shop.TellAsync("payment.succeeded", "c");
        (await _shop.BucketsAsync()).ShouldBe((0, 0, 2));
    }

    [Fact]
    public async Task Its_events_are_streamed_until_it_is_final()
    {
        await _shop.BeginAsync("c");
        using HttpResponseMessage response = await _shop.Server.Http.GetAsync("/v1/checkouts/c/events", HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var states = new List<string>();
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                states.Add((string)JsonNode.Parse(line[6..])!["state"]!);
                if (states.Count == 1)
                {
                    await _shop.TellAsync("payment.succeeded", "c");
                }
            }
        }

        states.ShouldBe(["pending", "paid"]);
    }

    [Fact]
    public async Task Each_channel_is_answered_in_its_own_words()
    {
        JsonObject alipay = JsonNode.Parse(await File.ReadAllTextAsync(Path.Join(AppContext.BaseDirectory, "Vectors", "alipay-notify.json")))!.AsObject();
        await using CheckoutServer shop = await CheckoutServer.StartAsync(new JsonObject
        {
            ["alipay"] = new JsonObject { ["publicKey"] = (string)alipay["public_key_pem"]! },
            ["stripe"] = new JsonObject { ["secrets"] = new JsonArray("whsec_x") },
        });
        byte[] notify = Encoding.ASCII.GetBytes((string)alipay["vectors"]![0]!["body"]!);
        Reply reply = await shop.PostForReplyAsync("/v1/callbacks/alipay", notify);
        (reply.Status, reply.Text).ShouldBe((200, "success"));
        (await shop.PostForReplyAsync("/v1/callbacks/alipay", notify[1..])).Text.ShouldBe("fail");
        (await shop.SendAsync("/v1/suspense", null)).Json["items"]!.AsArray().ShouldHaveSingleItem()!["amount"]!["value"]!.GetValue<long>().ShouldBe(8_880);
        (await shop.PostAsync("/v1/callbacks/stripe", notify)).ShouldBe(401);
    }

    [Fact]
    public async Task A_second_space_has_its_own_checkouts_and_callbacks()
    {
        await _shop.Server.PutAsync("/v1/spaces/other");
        await _shop.Server.StockAsync("sku", 5, root: "/v1/spaces/other");
        Reply begun = await _shop.SendAsync("/v1/spaces/other/checkouts", """{"id":"c","lines":[{"resource":"sku","quantity":1}],"amount":{"value":100,"currency":"EUR"},"channel":"simulator"}""");
        begun.Status.ShouldBe(201);
        (await _shop.Server.Http.PostAsync((string)begun.Json["payUrl"]!, null)).EnsureSuccessStatusCode();

        ((string)(await _shop.SendAsync("/v1/spaces/other/checkouts/c", null, "wait=20")).Json["state"]!).ShouldBe("paid");
        (await _shop.SendAsync("/v1/checkouts/c", null)).Status.ShouldBe(404);
    }

    [Fact]
    public async Task A_Stripe_event_of_another_space_is_kept_and_does_nothing_here()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync(new JsonObject { ["stripe"] = new JsonObject { ["secrets"] = new JsonArray("whsec_x") } });
        await shop.Server.PutAsync("/v1/spaces/b");
        await shop.Server.StockAsync("sku", 5, root: "/v1/spaces/b");
        foreach (string root in new[] { "/v1", "/v1/spaces/b" })
        {
            (await shop.SendAsync(root + "/checkouts", """{"id":"same","lines":[{"resource":"sku","quantity":1}],"amount":{"value":100,"currency":"EUR"},"channel":"stripe"}""")).Status.ShouldBe(201);
        }

        (await TellAsync("/v1", "payment_intent.succeeded", "b")).ShouldBe(200, "Stripe sends an account's events to each of its endpoints");
        (await TellAsync("/v1", "payment_intent.canceled", "b")).ShouldBe(200);
        (await TellAsync("/v1", "payment_intent.succeeded", "b", checkout: "unknown")).ShouldBe(200);
        await shop.SendAsync("/v1/callbacks/stripe/replay", "{}");

        (await shop.MoneyAsync("same")).ShouldBe("pending:  | ");
        (await shop.SendAsync("/v1/callbacks?channel=stripe", null)).Json["items"]!.AsArray().Select(i => (string)i!["understoodAs"]!).ShouldBe(["other", "other", "other"]);
        (await shop.SendAsync("/v1/suspense", null)).Json["items"]!.AsArray().ShouldBeEmpty();

        (await TellAsync("/v1/spaces/b", "payment_intent.succeeded", "b")).ShouldBe(200);
        (await shop.SendAsync("/v1/spaces/b/checkouts/same", null)).State.ShouldBe("paid");
        (await shop.CheckoutAsync("same"))["state"]!.ToString().ShouldBe("pending");
        (await TellAsync("/v1", "payment_intent.succeeded", null)).ShouldBe(200);
        (await shop.CheckoutAsync("same"))["state"]!.ToString().ShouldBe("paid", "an intent that the shop made itself names no space");

        Task<int> TellAsync(string root, string type, string? space, string checkout = "same")
        {
            byte[] body = Encoding.UTF8.GetBytes(new JsonObject
            {
                ["id"] = $"evt_{type}_{space}_{checkout}",
                ["type"] = type,
                ["data"] = new JsonObject
                {
                    ["object"] = new JsonObject
                    {
                        ["id"] = "pi_" + space,
                        ["amount_received"] = 100,
                        ["currency"] = "eur",
                        ["metadata"] = new JsonObject { ["checkout"] = checkout, ["space"] = space },
                    },
                },
            }.ToJsonString());
            return shop.PostAsync(root + "/callbacks/stripe", body, ("Stripe-Signature", Engine.Payments.Stripe.StripeSignature.Sign("whsec_x", DateTimeOffset.UtcNow.ToUnixTimeSeconds(), body)));
        }
    }

    [Theory]
    [InlineData("50%25")]
    [InlineData("a/b")]
    [InlineData("a%2Fb")]
    [InlineData("100 % 茶")]
    public async Task What_its_own_pay_page_is_opened_for_is_paid_there(string id)
    {
        await _shop.Server.StockAsync("pages", 5);
        Reply begun = await _shop.SendAsync("/v1/checkouts", new JsonObject
        {
            ["id"] = id,
            ["lines"] = new JsonArray(new JsonObject { ["resource"] = "pages", ["quantity"] = 1 }),
            ["amount"] = new JsonObject { ["value"] = 100, ["currency"] = "EUR" },
            ["channel"] = "simulator",
        }.ToJsonString());
        string page = (string)begun.Json["payUrl"]!;

        (await _shop.Server.Http.GetAsync(page)).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        (await _shop.Server.Http.PostAsync(page, null)).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);

        (await _shop.CheckoutAsync(Uri.EscapeDataString(id), "wait=20"))["state"]!.ToString().ShouldBe("paid");
    }

    [Fact]
    public async Task Keys_are_rotated_without_a_restart_and_a_broken_file_changes_nothing()
    {
        using var folder = new TestKit.TempFolder();
        string file = Path.Join(folder.Path, ServerSettings.FileName);
        await File.WriteAllTextAsync(file, Config("whsec_old"));
        ServerSettings settings = ServerSettings.Load([new("http", "127.0.0.1:0"), new("resp", "off"), new("journal", "memory")], folder.Path);
        await using RunningServer server = await RunningServer.StartAsync(settings);

        (await StatusAsync(server, "whsec_old")).ShouldBe(200);
        (await StatusAsync(server, "whsec_new")).ShouldBe(401);
        await File.WriteAllTextAsync(file, Config("whsec_old", "whsec_new"));
        await BecomesAsync(server, "whsec_new", 200);
        (await StatusAsync(server, "whsec_old")).ShouldBe(200);
        await File.WriteAllTextAsync(file, "{\"channels\":");
        await Task.Delay(2_500);
        (await StatusAsync(server, "whsec_new")).ShouldBe(200);
        await File.WriteAllTextAsync(file, Config("whsec_new"));
        await BecomesAsync(server, "whsec_old", 401);

        static string Config(params string[] secrets) => new JsonObject
        {
            ["channels"] = new JsonObject { ["stripe"] = new JsonObject { ["secrets"] = new JsonArray([.. secrets.Select(s => (JsonNode)s)]) } },
        }.ToJsonString();

        static async Task BecomesAsync(RunningServer server, string secret, int status)
        {
            for (int i = 0; i < 100 && await StatusAsync(server, secret) != status; i++)
            {
                await Task.Delay(100);
            }

            (await StatusAsync(server, secret)).ShouldBe(status);
        }

        static async Task<int> StatusAsync(RunningServer server, string secret)
        {
            byte[] body = "{\"id\":\"e\",\"type\":\"x\"}"u8.ToArray();
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/callbacks/stripe") { Content = new ByteArrayContent(body) };
            request.Headers.TryAddWithoutValidation("Stripe-Signature", Engine.Payments.Stripe.StripeSignature.Sign(secret, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), body));
            return (int)(await server.Http.SendAsync(request)).StatusCode;
        }
    }

    [Fact]
    public async Task Secrets_are_neither_logged_nor_told()
    {
        Should.Throw<SettingsException>(() => new ServerSettings
        {
            Channels = new JsonObject { ["stripe"] = new JsonObject { ["secrets"] = new JsonArray("whsec_hush"), ["secret"] = "whsec_hush" } },
        }.Check()).Message.ShouldNotContain("hush");
        (await _shop.Server.GetAsync("/metrics")).Text.ShouldNotContain(CheckoutServer.Secret);
    }

    [Fact]
    public async Task A_checkout_survives_a_restart_and_its_calls_are_made_again()
    {
        using var folder = new TestKit.TempFolder();
        ServerSettings settings = RunningServer.Settings with { Journal = JournalKind.Sqlite, Data = folder.Path };
        await using (CheckoutServer first = await CheckoutServer.StartAsync(settings: settings))
        {
            await first.BeginAsync("a", "psp");
            await first.TellAsync("payment.succeeded", "a");
            await first.BeginAsync("b", "simulator");
        }

        await using CheckoutServer second = await CheckoutServer.StartAsync(settings: settings);
        (await second.MoneyAsync("a")).ShouldBe("paid: p1=order | ");
        (await second.TellAsync("payment.succeeded", "a", eventId: "another")).ShouldBe(204);
        (await second.MoneyAsync("a")).ShouldBe("paid: p1=order | ");
        (await second.PayAsync("b")).Status.ShouldBe(200, "the provider inside remembers its orders too");
        ((string)(await second.CheckoutAsync("b", "wait=20"))["state"]!).ShouldBe("paid");
    }
}

using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Holdfast.Server.Outlets;
using Holdfast.Server.Tests.Checkouts;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Holdfast.Server.Tests.Outlets;

public sealed class OutletTests
{
    [Fact]
    public async Task The_shops_service_hears_of_a_checkout_signed_and_in_the_order_it_happened()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        await using CheckoutServer shop = await StartAsync(receiver);
        await shop.BeginAsync("c");
        await receiver.UntilAsync(() => receiver.Taken.Count == 1);
        await shop.TellAsync("payment.succeeded", "c");
        await receiver.UntilAsync(() => receiver.Taken.Count == 2);
        await shop.TellAsync("payment.succeeded", "c", "p2");
        await receiver.UntilAsync(() => receiver.Taken.Count == 4);

        receiver.Types.ShouldStartWith("checkout.begun checkout.paid ");
        receiver.Taken.Select(t => t.Type).Skip(2).ShouldBe(["payment.goes_back", "refund.begun"], ignoreOrder: true);
        (string id, _, JsonObject body) = receiver.Taken.ElementAt(1);
        id.ShouldMatch(@"^default/\d+/\d+$");
        ((string)body["data"]!["checkout"]!).ShouldBe("c");
        ((long)body["data"]!["amount"]!["value"]!).ShouldBe(CheckoutServer.Price);
    }

    [Fact]
    public async Task Only_the_types_that_are_wanted_are_sent()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        await using CheckoutServer shop = await StartAsync(receiver, events: "checkout.paid");
        await shop.BeginAsync("c");
        await shop.TellAsync("payment.succeeded", "c");
        await receiver.UntilAsync(() => receiver.Taken.Count == 1);
        await Task.Delay(300);
        receiver.Types.ShouldBe("checkout.paid");
    }

    [Fact]
    public async Task A_failed_delivery_is_made_again_on_its_schedule_and_given_up_at_its_end()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        receiver.Answer = call => call <= 2 ? 500 : 204;
        await using CheckoutServer shop = await StartAsync(receiver, events: "checkout.begun", schedule: ["0", "0.1", "0.1"]);
        await shop.BeginAsync("a");
        await receiver.UntilAsync(() => receiver.Taken.Count == 1);
        receiver.Calls.ShouldBe(3);

        receiver.Answer = _ => 302; // a redirect is a failure
        await shop.BeginAsync("b");
        await receiver.UntilAsync(() => receiver.Calls >= 6);
        JsonNode status = await StatusAsync(shop, s => (long)s["givenUp"]! == 1);
        ((long)status["waiting"]!).ShouldBe(0);
        ((string)status["lastFailure"]!).ShouldBe("302");

        receiver.Answer = _ => 204;
        (await shop.SendAsync("/v1/outlets/shop/replay", """{"after":0}""")).Status.ShouldBe(202);
        await receiver.UntilAsync(() => receiver.Taken.Count == 3);
        receiver.Taken.Select(t => t.Id).Distinct().Count().ShouldBe(2, "the same ids again");
        ((long)(await StatusAsync(shop, s => (long)s["givenUp"]! == 0))["waiting"]!).ShouldBe(0);
    }

    [Fact]
    public async Task An_endpoint_that_is_gone_is_disabled_until_replay()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        receiver.Answer = _ => 410;
        await using CheckoutServer shop = await StartAsync(receiver, events: "checkout.begun");
        await shop.BeginAsync("a");
        JsonNode status = await StatusAsync(shop, s => (string)s["state"]! == "disabled");
        ((string)status["reason"]!).ShouldContain("410");
        int calls = receiver.Calls;
        await shop.BeginAsync("b");
        await Task.Delay(1_200);
        receiver.Calls.ShouldBe(calls);

        receiver.Answer = _ => 204;
        await shop.SendAsync("/v1/outlets/shop/replay", """{"after":0}""");
        await receiver.UntilAsync(() => receiver.Taken.Select(t => t.Id).Distinct().Count() == 2);
        (await shop.SendAsync("/v1/outlets/none/replay", "{}")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task What_was_not_delivered_before_a_restart_is_delivered_after_it()
    {
        using var folder = new TestKit.TempFolder();
        ServerSettings settings = RunningServer.Settings with { Journal = JournalKind.Sqlite, Data = folder.Path };
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        receiver.Answer = _ => 503;
        await using (CheckoutServer first = await StartAsync(receiver, settings: settings, schedule: ["0", "0.2", "0.2", "0.2", "0.2", "1", "1", "1", "1", "1", "1", "1"]))
        {
            await first.BeginAsync("a");
            await first.TellAsync("payment.succeeded", "a");
            await receiver.UntilAsync(() => receiver.Calls > 1);
        }

        receiver.Answer = _ => 204;
        await using CheckoutServer second = await StartAsync(receiver, settings: settings, schedule: ["0", "0.2", "0.2", "0.2", "0.2", "1", "1", "1", "1", "1", "1", "1"]);
        await receiver.UntilAsync(() => receiver.Taken.Count >= 2);
        receiver.Taken.Select(t => t.Type).Distinct().ShouldBe(["checkout.begun", "checkout.paid"], ignoreOrder: true);
    }

    [Fact]
    public async Task After_an_older_journal_was_put_back_what_is_new_is_told()
    {
        using var folder = new TestKit.TempFolder();
        ServerSettings settings = RunningServer.Settings with { Journal = JournalKind.Sqlite, Data = folder.Path };
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        await using (CheckoutServer first = await StartAsync(receiver, settings: settings))
        {
            await first.BeginAsync("lost1");
            await first.BeginAsync("lost2");
            await receiver.UntilAsync(() => receiver.Taken.Count == 2);
        }

        foreach (string file in Directory.GetFiles(folder.Path, "holdfast*"))
        {
            File.Delete(file); // the oldest backup there is: none
        }

        await using CheckoutServer second = await StartAsync(receiver, settings: settings);
        await second.BeginAsync("new");
        await receiver.UntilAsync(() => receiver.Taken.Count == 3);
        ((string)receiver.Taken.Last().Body["data"]!["checkout"]!).ShouldBe("new");
    }

    [Fact]
    public async Task A_new_outlet_tells_nothing_from_before_this_start()
    {
        using var folder = new TestKit.TempFolder();
        ServerSettings settings = RunningServer.Settings with { Journal = JournalKind.Sqlite, Data = folder.Path };
        await using (CheckoutServer first = await CheckoutServer.StartAsync(settings: settings))
        {
            await first.BeginAsync("a");
        }

        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        await using CheckoutServer second = await StartAsync(receiver, settings: settings);
        await second.BeginAsync("b");
        await receiver.UntilAsync(() => receiver.Taken.Count == 1);
        ((string)receiver.Taken.Single().Body["data"]!["checkout"]!).ShouldBe("b");
    }

    [Fact]
    public async Task A_store_that_cannot_be_opened_is_told_in_one_line_and_used_when_it_can_be()
    {
        using var folder = new TestKit.TempFolder();
        Directory.CreateDirectory(folder.File("outlets.db")); // refused as on a disk that is full
        var log = new OutletLog();
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        ServerSettings settings = RunningServer.Settings with
        {
            Journal = JournalKind.Sqlite,
            Data = folder.Path,
            Channels = new JsonObject { ["simulator"] = new JsonObject() },
            Outlets = new JsonObject { ["shop"] = new JsonObject { ["url"] = receiver.Url, ["secrets"] = new JsonArray(WebhookReceiver.Secret) } },
        };
        await using RunningServer server = await RunningServer.StartAsync(settings, change: builder => builder.Logging.AddProvider(log));
        await log.Told.WaitAsync(TimeSpan.FromSeconds(30));
        await server.StockAsync("sku", 1);
        (await server.PostAsync("/v1/checkouts", """{"id":"c","owner":"ann","lines":[{"resource":"sku","quantity":1}],"amount":{"value":5000,"currency":"EUR"},"channel":"simulator"}"""))
            .Status.ShouldBeOneOf(201, 202);

        Directory.Delete(folder.File("outlets.db"));

        await receiver.UntilAsync(() => receiver.Types.StartsWith("checkout.begun", StringComparison.Ordinal));
        log.Entries.ShouldAllBe(e => e.Exception == null, "a line says it");
    }

    [Theory]
    [InlineData("""{"shop":{}}""", "either url")]
    [InlineData("""{"shop":{"url":"ftp://x"}}""", "url must be")]
    [InlineData("""{"shop":{"url":"http://x","colour":"red"}}""", "colour")]
    [InlineData("""{"shop":{"url":"http://x","secrets":["hush"]}}""", "whsec_")]
    public void A_wrong_setting_is_named(string outlets, string words)
    {
        string message = Should.Throw<SettingsException>(() => (RunningServer.Settings with { Outlets = JsonNode.Parse(outlets)!.AsObject() }).Check()).Message;
        message.ShouldContain(words);
        message.ShouldNotContain("hush");
    }

    internal static async Task<JsonNode> StatusAsync(CheckoutServer shop, Func<JsonNode, bool> until)
    {
        JsonNode status = null!;
        for (int i = 0; i < 300; i++)
        {
            status = (await shop.SendAsync("/v1/outlets", null)).Json["items"]![0]!;
            if (until(status))
            {
                return status;
            }

            await Task.Delay(25);
        }

        until(status).ShouldBeTrue(status.ToJsonString());
        return status;
    }

    private static Task<CheckoutServer> StartAsync(WebhookReceiver receiver, ServerSettings? settings = null, string? events = null, string[]? schedule = null)
    {
        var outlet = new JsonObject { ["url"] = receiver.Url, ["secrets"] = new JsonArray(WebhookReceiver.Secret) };
        if (events is not null)
        {
            outlet["events"] = new JsonArray(events);
        }

        if (schedule is not null)
        {
            outlet["scheduleSeconds"] = new JsonArray([.. schedule.Select(s => (JsonNode)s)]);
        }

        return CheckoutServer.StartAsync(settings: (settings ?? RunningServer.Settings) with { Outlets = new JsonObject { ["shop"] = outlet } });
    }

    /// <summary>What outlets complain of.</summary>
    private sealed class OutletLog : ILoggerProvider, ILogger
    {
        private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ConcurrentQueue<(string Text, Exception? Exception)> Entries { get; } = new();

        public Task Told => _told.Task;

        public ILogger CreateLogger(string categoryName) => categoryName == typeof(OutletHost).FullName ? this : NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Entries.Enqueue((formatter(state, exception), exception));
            _told.TrySetResult();
        }

        public void Dispose()
        {
        }
    }
}

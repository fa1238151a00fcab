using Holdfast.Server.Tests.Checkouts;
using Microsoft.Playwright;

namespace Holdfast.Server.Tests.Pages;

/// <summary>The pages that people open, in a real browser.</summary>
public sealed class PageTests : IAsyncLifetime
{
    private const string Chromium = "/usr/bin/chromium";

    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private IPage _page = null!;
    private readonly List<string> _errors = [];

    public async ValueTask InitializeAsync()
    {
        File.Exists(Chromium).ShouldBeTrue("these tests need Debian's chromium: ./test installs it");
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Chromium,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        });
        _page = await _browser.NewPageAsync(); // an empty profile of its own
        _page.Console += (_, message) =>
        {
            if (message.Type == "error")
            {
                _errors.Add(message.Text);
            }
        };
        _page.PageError += (_, error) => _errors.Add(error);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    [Fact]
    public async Task A_shopper_opens_the_pay_page_pays_and_the_checkout_is_paid()
    {
        await using CheckoutServer shop = await CheckoutServer.StartAsync();
        Reply begun = await shop.BeginAsync("order-1", "simulator", amount: 4_999);
        string url = (string)begun.Json["payUrl"]!;

        await _page.GotoAsync(url);
        (await _page.Locator("h1").InnerTextAsync()).ShouldBe("49.99 EUR");
        (await _page.Locator("body").InnerTextAsync()).ShouldContain("order-1");
        await _page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Pay" }).ClickAsync();
        (await _page.Locator("#state").InnerTextAsync()).ShouldStartWith("Thank you");

        ((string)(await shop.CheckoutAsync("order-1", "wait=10"))["state"]!).ShouldBe("paid");
        await _page.GotoAsync(url);
        (await _page.Locator("#state").InnerTextAsync()).ShouldBe("This order is paid.");
        (await _page.GetByRole(AriaRole.Button).CountAsync()).ShouldBe(0, "nobody pays twice");
        _errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_browsable_description_shows_every_call_and_tries_one()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await _page.GotoAsync(new Uri(server.Http.BaseAddress!, "/docs").ToString());

        await _page.Locator("#operations-Holds-getHold, [id$=getHold]").First.WaitForAsync();
        int operations = await _page.Locator(".opblock").CountAsync();
        operations.ShouldBeGreaterThan(35);

        ILocator live = _page.Locator(".opblock", new PageLocatorOptions { HasText = "/health/live" }).First;
        await live.ClickAsync();
        await live.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Try it out" }).ClickAsync();
        await live.GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Execute", Exact = true }).ClickAsync();
        await live.Locator(".live-responses-table .response-col_status", new LocatorLocatorOptions { HasText = "200" }).First.WaitForAsync();
        _errors.ShouldBeEmpty();
    }
}

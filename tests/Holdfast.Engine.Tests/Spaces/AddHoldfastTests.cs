using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Holdfast.Engine.Tests.Spaces;

/// <summary>Holdfast inside any .NET host.</summary>
public sealed class AddHoldfastTests
{
    [Fact]
    public async Task InjectedInterface_HoldsAndKeeps_AcrossHosts()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "holdfast.db");
        await using (ServiceProvider services = Build(path))
        {
            await StartAsync(services);
            IHoldfast holdfast = services.GetRequiredService<IHoldfast>();
            (await holdfast.PutResourceAsync("sku-1", ResourcePolicy.Default)).IsOk.ShouldBeTrue();
            (await holdfast.AdjustAsync("sku-1", new SupplyAdjustment("a1", "delivery") { Delta = 5 })).Value!.Available.ShouldBe(5);
            (await holdfast.TryHoldAsync(new HoldRequest("h1", new HoldLine("sku-1", 2)) { Owner = "ann" })).Value!.State.ShouldBe(HoldState.Held);
        }

        await using ServiceProvider again = Build(path);
        await StartAsync(again);
        Outcome<HoldView> hold = await again.GetRequiredService<IHoldfast>().ConfirmAsync("h1");
        hold.Value!.State.ShouldBe(HoldState.Confirmed);
        hold.Value.Owner.ShouldBe("ann");
    }

    [Fact]
    public async Task Spaces_AreIndependent_AndFoundAgain()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "holdfast.db");
        await using (ServiceProvider services = Build(path))
        {
            await StartAsync(services);
            SpaceHost host = services.GetRequiredService<SpaceHost>();
            (await host.CreateAsync("shop-7", CancellationToken.None)).Created.ShouldBeTrue();
            (await host.CreateAsync("shop-7", CancellationToken.None)).Created.ShouldBeFalse();
            IHoldfast shop = services.GetRequiredService<IHoldfast>().In("shop-7");
            (await shop.PutResourceAsync("sku-1", ResourcePolicy.Default)).IsOk.ShouldBeTrue();
            (await services.GetRequiredService<IHoldfast>().GetResourceAsync("sku-1")).Code.ShouldBe(Code.UnknownResource);
        }

        await using ServiceProvider again = Build(path);
        await StartAsync(again);
        again.GetRequiredService<SpaceHost>().Spaces.Select(s => s.Name).ShouldBe(["default", "shop-7"]);
        (await again.GetRequiredService<IHoldfast>().In("shop-7").GetResourceAsync("sku-1")).IsOk.ShouldBeTrue();
        Should.Throw<HoldfastException>(() => again.GetRequiredService<IHoldfast>().In("nobody")).Message.ShouldContain("Create it first");
    }

    private static ServiceProvider Build(string path) =>
        new ServiceCollection().AddHoldfast(o => o.UseSqlite(path)).BuildServiceProvider();

    private static async Task StartAsync(ServiceProvider services)
    {
        foreach (IHostedService service in services.GetServices<IHostedService>())
        {
            await service.StartAsync(CancellationToken.None);
        }
    }
}

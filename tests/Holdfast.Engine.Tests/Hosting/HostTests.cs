using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Holdfast.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Holdfast.Engine.Tests.Hosting;

/// <summary>Holdfast in the generic host and in a web application, as users put it there.</summary>
public sealed class HostTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The host makes all hosted services before it starts any of them.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_hosted_service_may_have_it_injected_and_use_it_while_it_starts(bool registeredFirst)
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder();
        Register(builder.Services, builder.Logging, registeredFirst);
        using IHost host = builder.Build();
        await host.StartAsync(Token);

        (await host.Services.GetRequiredService<IHoldfast>().GetResourceAsync("opened", Token)).IsOk.ShouldBeTrue();
        await host.StopAsync(Token);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task So_may_one_of_a_web_application(bool registeredFirst)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        Register(builder.Services, builder.Logging, registeredFirst);
        await using WebApplication app = builder.Build();
        app.MapGet("/", async (IHoldfast holdfast) => (await holdfast.GetResourceAsync("opened")).Code.ToString());
        await app.StartAsync(Token);

        using var http = new HttpClient();
        (await http.GetStringAsync(new Uri(app.Urls.Single()), Token)).ShouldBe(nameof(Code.Ok));
        await app.StopAsync(Token);
    }

    [Fact]
    public async Task Before_the_start_calls_say_so_and_after_it_the_same_object_serves()
    {
        await using ServiceProvider services = Build(o => o.UseMemory());
        IHoldfast holdfast = services.GetRequiredService<IHoldfast>();
        holdfast.SpaceName.ShouldBe(SpaceHost.DefaultName);
        (await Should.ThrowAsync<HoldfastException>(async () => await holdfast.GetResourceAsync("sku"))).Message.ShouldContain("not started");
        Should.Throw<HoldfastException>(() => holdfast.In("shop-7")).Message.ShouldContain("not started");

        await StartAsync(services);

        (await holdfast.PutResourceAsync("sku", ResourcePolicy.Default, Token)).IsOk.ShouldBeTrue();
        (await holdfast.GetResourceAsync("sku", Token)).IsOk.ShouldBeTrue();
        Should.Throw<HoldfastException>(() => holdfast.In("shop-7")).Message.ShouldContain("Create it first");
    }

    /// <summary>Plain <c>Dispose</c>, as <c>using var services</c> calls it, and for those that were asked for by themselves too.</summary>
    [Fact]
    public async Task A_container_that_is_disposed_synchronously_closes_everything()
    {
        using var folder = new TempFolder();
        string path = Path.Combine(folder.Path, "holdfast.db");
        ServiceProvider services = Build(o => o.UseSqlite(path));
        await StartAsync(services);
        services.GetRequiredService<ViewHost>().ShouldNotBeNull();
        services.GetRequiredService<SnapshotHost>().ShouldNotBeNull();
        services.GetRequiredService<PaymentHost>().ShouldNotBeNull();
        Space space = services.GetRequiredService<SpaceHost>().Default;

#pragma warning disable CA1849 // what is tested
        services.Dispose();
#pragma warning restore CA1849

        space.Status.ShouldBe(SpaceStatus.Stopped);
        await using ServiceProvider again = Build(o => o.UseSqlite(path));
        await StartAsync(again);
        again.GetRequiredService<SpaceHost>().IsReady.ShouldBeTrue();
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/nothing-there/")]
    public async Task A_path_that_is_no_files_fails_the_start_in_words(string end)
    {
        using var folder = new TempFolder();
        await using ServiceProvider services = Build(o => o.UseSqlite(folder.Path + end));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5)); // tried again every second otherwise

        (await Should.ThrowAsync<HoldfastException>(() => StartAsync(services, patience.Token))).Message.ShouldContain("UseSqlite takes the path of a file");
    }

    [Theory]
    [InlineData(":memory:")]
    [InlineData("file:/srv/holdfast.db")]
    [InlineData("FILE:holdfast.db?mode=memory")]
    [InlineData("")]
    [InlineData(" ")]
    public void What_SQLite_would_take_for_something_else_than_a_file_is_refused(string path) =>
        Should.Throw<ArgumentException>(() => new HoldfastOptions().UseSqlite(path)).ParamName.ShouldBe("path");

    public static TheoryData<Action<HoldfastOptions>, string> Missing => new()
    {
        { o => o.Space = null!, nameof(HoldfastOptions.Space) },
        { o => o.Effects = null!, nameof(HoldfastOptions.Effects) },
        { o => o.Payments = null!, nameof(HoldfastOptions.Payments) },
        { o => o.JournalStore = null!, nameof(HoldfastOptions.JournalStore) },
    };

    [Theory]
    [MemberData(nameof(Missing))]
    public void Options_that_are_missing_are_refused_by_name(Action<HoldfastOptions> configure, string named) =>
        Should.Throw<ArgumentNullException>(() => configure(new HoldfastOptions())).Message.ShouldContain(named);

    private static void Register(IServiceCollection services, ILoggingBuilder logging, bool registeredFirst)
    {
        logging.ClearProviders();
        if (registeredFirst)
        {
            services.AddHostedService<Opening>();
        }

        services.AddHoldfast(o => o.UseMemory());
        if (!registeredFirst)
        {
            services.AddHostedService<Opening>();
        }
    }

    private static ServiceProvider Build(Action<HoldfastOptions> configure) => new ServiceCollection().AddHoldfast(configure).BuildServiceProvider();

    private static async Task StartAsync(ServiceProvider services, CancellationToken cancellationToken = default)
    {
        foreach (IHostedService service in services.GetServices<IHostedService>())
        {
            await service.StartAsync(cancellationToken);
        }
    }

    private sealed class Opening(IHoldfast holdfast) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken) =>
            (await holdfast.PutResourceAsync("opened", ResourcePolicy.Default, cancellationToken)).IsOk.ShouldBeTrue();

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

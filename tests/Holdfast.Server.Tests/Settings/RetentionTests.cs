using Holdfast.Engine;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests;

public class RetentionTests
{
    [Fact]
    public async Task What_the_settings_say_is_how_long_a_space_remembers()
    {
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Settings with { RetentionHours = 1, CheckoutRetentionHours = 2 });

        SpaceOptions rules = server.App.Services.GetRequiredService<SpaceHost>().Find("default")!.Options;

        (rules.Holds.RetentionMs, rules.Transactions.RetentionMs, rules.Checkouts.RetentionMs).ShouldBe((3_600_000, 3_600_000, 7_200_000));
        string issued = DateTimeOffset.UtcNow.AddMinutes(-61).ToString("O");
        (await server.PostAsync("/v1/holds", $$"""{"id":"h","issuedAt":"{{issued}}","lines":[{"resource":"sku","quantity":1}]}""")).ShouldBeProblem(410, "too_old");
    }
}

namespace Holdfast.Server.Tests.Resp;

/// <summary>The tools that others wrote: redis-cli and redis-benchmark against the RESP port.</summary>
public sealed class RedisToolTests
{
    [Fact]
    public async Task Redis_cli_holds_confirms_and_reads()
    {
        await using RespServer server = await RespServer.StartAsync(units: 10);
        (await server.RunAsync("redis-cli", "HOLD.TRY", "h1", "ann", "600", "sku-1", "2")).Output.Trim().ShouldBe("held");
        (await server.RunAsync("redis-cli", "HOLD.TRY", "h2", "ann", "600", "sku-1", "99")).Output.Trim().ShouldBe("INSUFFICIENT sku-1 asked 99 available 8");
        (await server.RunAsync("redis-cli", "HOLD.CONFIRM", "h1")).Output.Trim().ShouldBe("confirmed");
        (await server.RunAsync("redis-cli", "-3", "STOCK.GET", "sku-1")).Output.ShouldContain("available");
        (await server.RunAsync("redis-cli", "--no-auth-warning", "-a", "anything", "PING")).Output.ShouldContain("PONG");
    }

    [Theory]
    [InlineData("1", 2_000)]
    [InlineData("32", 64_000)]
    public async Task Redis_benchmark_runs_and_every_hold_it_made_is_there(string pipeline, int count)
    {
        await using RespServer server = await RespServer.StartAsync();
        string n = count.ToString(System.Globalization.CultureInfo.InvariantCulture);
        (int exit, string output) = await server.RunAsync(
            "redis-benchmark", "-c", "64", "-P", pipeline, "-n", n, "-r", "2000000000", "--csv",
            "HOLD.TRY", "h-__rand_int____rand_int__", "o-__rand_int__", "600", "sku-1", "1");
        exit.ShouldBe(0, output);
        output.ShouldContain("HOLD.TRY");

        // It sends whole pipelines, so a little more than asked; each was answered, so each is held.
        (await server.StockAsync()).Held.ShouldBeInRange(count, count + (64 * 32));
    }
}

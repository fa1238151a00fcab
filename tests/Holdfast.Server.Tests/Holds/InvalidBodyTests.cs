namespace Holdfast.Server.Tests;

/// <summary>What is wrong with a body is refused before anything is looked at, and named.</summary>
public sealed class InvalidBodyTests(InvalidBodyTests.Server fixture) : IClassFixture<InvalidBodyTests.Server>
{
    [Theory]
    [InlineData("{\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "id")]
    [InlineData("{\"id\":5,\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "id must be a string")]
    [InlineData("{\"id\":\"\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "id is empty")]
    [InlineData("{\"id\":\"h\"}", "at least one line")]
    [InlineData("{\"id\":\"h\",\"lines\":[]}", "at least one line")]
    [InlineData("{\"id\":\"h\",\"lines\":{}}", "lines must be a list")]
    [InlineData("{\"id\":\"h\",\"lines\":[7]}", "lines[0]")]
    [InlineData("{\"id\":\"h\",\"lines\":[{\"quantity\":1}]}", "lines[0].resource is missing")]
    [InlineData("{\"id\":\"h\",\"lines\":[{\"resource\":\"sku\"}]}", "lines[0].quantity is missing")]
    [InlineData("{\"id\":\"h\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1,\"quantity\":2}]}", "lines[0].quantity is given twice")]
    [InlineData("{\"id\":\"h\",\"id\":\"h\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "id is given twice")]
    [InlineData("{\"id\":\"h\",\"i\\u0064\":\"g\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "id is given twice")]
    [InlineData("{\"id\":\"h\",\"ttlSeconds\":\"5\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "ttlSeconds")]
    [InlineData("{\"id\":\"h\",\"ttlSeconds\":-1,\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "ttlSeconds")]
    [InlineData("{\"id\":\"h\",\"ttlSeconds\":1e300,\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "ttlSeconds")]
    [InlineData("{\"id\":\"h\",\"issuedAt\":\"yesterday\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "issuedAt")]
    [InlineData("{\"id\":\"h\",\"issuedAt\":\"2026-01-02T03:04:05\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "issuedAt")]
    [InlineData("{\"id\":\"h\",\"owner\":\"\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "owner is empty")]
    [InlineData("{\"id\":\"h\\u0000\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "control character")]
    [InlineData("{\"id\":\"h\\ud800\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "Unicode")]
    [InlineData("[]", "JSON object")]
    [InlineData("", "empty")]
    [InlineData("   ", "JSON")]
    [InlineData("{\"id\":\"h\"} x", "JSON")]
    [InlineData("{\"id\":\"h\"}{}", "JSON")]
    [InlineData("{\"id\":\"h\",}", "JSON")]
    [InlineData("{'id':'h'}", "JSON")]
    [InlineData("nope", "JSON")]
    public async Task E64_a_wrong_try_is_400_and_says_what_is_wrong(string body, string says)
    {
        Reply reply = await fixture.Running.PostAsync("/v1/holds", body);
        reply.ShouldBeProblem(400, "invalid").Json["detail"]!.GetValue<string>().ShouldContain(says);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1.0")]
    [InlineData("1e3")]
    [InlineData("\"1\"")]
    [InlineData("9223372036854775808")]
    [InlineData("9223372036854775807")]
    [InlineData("true")]
    [InlineData("null")]
    public async Task E48_a_wrong_quantity_is_400_and_named(string quantity)
    {
        Reply reply = await fixture.Running.PostAsync("/v1/holds", $$"""{"id":"h","lines":[{"resource":"sku","quantity":{{quantity}}}]}""");
        reply.ShouldBeProblem(400, "invalid").Json["detail"]!.GetValue<string>().ShouldContain("lines[0].quantity");
        (await fixture.Running.GetAsync("/v1/holds/h")).Status.ShouldBe(404);
    }

    [Fact]
    public async Task E48_sums_that_overflow_and_more_than_64_lines_are_400()
    {
        string max = (long.MaxValue / 4).ToString(System.Globalization.CultureInfo.InvariantCulture);
        string line = $$"""{"resource":"sku","quantity":{{max}}}""";
        (await fixture.Running.PostAsync("/v1/holds", $$"""{"id":"h","lines":[{{line}},{{line}}]}""")).ShouldBeProblem(400, "invalid");
        string lines = string.Join(',', Enumerable.Range(0, 65).Select(i => $$"""{"resource":"r{{i}}","quantity":1}"""));
        (await fixture.Running.PostAsync("/v1/holds", $$"""{"id":"h","lines":[{{lines}}]}""")).ShouldBeProblem(400, "invalid").Text.ShouldContain("64 lines");
    }

    [Fact]
    public async Task Ids_up_to_128_bytes_are_taken_however_they_are_escaped_and_longer_ones_are_not()
    {
        string longest = new('x', 128);
        (await fixture.Running.TryAsync(longest, "sku")).Status.ShouldBe(201);
        (await fixture.Running.TryAsync(string.Concat(Enumerable.Repeat("\\u0078", 128)), "sku")).Status.ShouldBe(200);
        (await fixture.Running.TryAsync(longest + "x", "sku")).ShouldBeProblem(400, "invalid").Text.ShouldContain("128");
        (await fixture.Running.TryAsync(new string('x', 5000), "sku")).ShouldBeProblem(400, "invalid").Text.ShouldContain("128");
        (await fixture.Running.GetAsync("/v1/holds/" + longest + "x")).ShouldBeProblem(400, "invalid");
    }

    [Fact]
    public async Task Unknown_fields_are_passed_over_and_null_counts_as_left_out()
    {
        Reply reply = await fixture.Running.PostAsync(
            "/v1/holds",
            """{"note":{"a":[1,{"id":"x"}]},"id":"tolerant","owner":null,"ttlSeconds":null,"lines":[{"resource":"sku","sku":"y","quantity":1}],"note":1}""");
        reply.Status.ShouldBe(201, reply.Text);
    }

    [Theory]
    [InlineData("{\"lines\":[]}", "lines is empty")]
    [InlineData("{\"keepRemainder\":\"yes\"}", "keepRemainder")]
    [InlineData("{\"lines\":[{\"resource\":\"sku\",\"quantity\":-1}]}", "lines[0].quantity")]
    public async Task A_wrong_confirm_is_400(string body, string says) =>
        (await fixture.Running.PostAsync("/v1/holds/any/confirm", body)).ShouldBeProblem(400, "invalid").Text.ShouldContain(says);

    [Theory]
    [InlineData("{\"id\":\"r\",\"lines\":[{\"resource\":\"sku\",\"quantity\":1}]}", "reason is missing")]
    [InlineData("{\"lines\":[{\"resource\":\"sku\",\"quantity\":1}],\"reason\":\"r\"}", "id")]
    public async Task A_wrong_return_is_400(string body, string says) =>
        (await fixture.Running.PostAsync("/v1/holds/any/returns", body)).ShouldBeProblem(400, "invalid").Text.ShouldContain(says);

    [Fact]
    public async Task Bodies_that_are_not_JSON_by_their_type_are_415()
    {
        const string Body = """{"id":"typed","lines":[{"resource":"sku","quantity":1}]}""";
        (await fixture.Running.PostAsync("/v1/holds", Body, type: "text/plain")).ShouldBeProblem(415, "unsupported_media_type");
        (await fixture.Running.PostAsync("/v1/holds", Body, type: "application/json; charset=utf-8")).Status.ShouldBe(201);
    }

    public sealed class Server : IAsyncLifetime
    {
        public RunningServer Running { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Running = await RunningServer.StartAsync();
            await Running.StockAsync("sku", 1_000_000);
        }

        public ValueTask DisposeAsync() => Running.DisposeAsync();
    }
}

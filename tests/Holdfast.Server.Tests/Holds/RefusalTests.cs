using Holdfast.Kernel;

namespace Holdfast.Server.Tests;

/// <summary>Every refusal's status and code (DESIGN section 10) on the wire.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData(Code.Invalid, 400, "invalid")]
    [InlineData(Code.NotFound, 404, "not_found")]
    [InlineData(Code.UnknownResource, 404, "unknown_resource")]
    [InlineData(Code.Conflict, 409, "conflict")]
    [InlineData(Code.Insufficient, 409, "insufficient")]
    [InlineData(Code.LimitExceeded, 409, "limit_exceeded")]
    [InlineData(Code.NotOpen, 409, "not_open")]
    [InlineData(Code.NotOwner, 409, "not_owner")]
    [InlineData(Code.Disabled, 409, "disabled")]
    [InlineData(Code.Cancelled, 409, "cancelled")]
    [InlineData(Code.Expired, 409, "expired")]
    [InlineData(Code.Confirmed, 409, "confirmed")]
    [InlineData(Code.ExceedsHold, 409, "exceeds_hold")]
    [InlineData(Code.VersionMismatch, 409, "version_mismatch")]
    [InlineData(Code.TooOld, 410, "too_old")]
    [InlineData(Code.Overloaded, 429, "overloaded")]
    [InlineData(Code.Unavailable, 503, "unavailable")]
    public void Every_code_has_its_status(Code code, int status, string text)
    {
        Problem.Of(code).Status.ShouldBe(status);
        Problem.Of(code).Code.ShouldBe(text);
        code.Text().ShouldBe(text);
    }

    [Fact]
    public async Task A_refused_try_says_which_line_what_was_asked_and_what_there_is()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 3);
        Reply reply = (await server.TryAsync("h", "sku", 5)).ShouldBeProblem(409, "insufficient");
        reply.Json["resource"]!.GetValue<string>().ShouldBe("sku");
        reply.Number("asked").ShouldBe(5);
        reply.Number("available").ShouldBe(3);
        (await server.GetAsync("/v1/holds/h")).ShouldBeProblem(404, "not_found");
        (await server.TryAsync("h", "no-such")).ShouldBeProblem(404, "unknown_resource").Json["resource"]!.GetValue<string>().ShouldBe("no-such");
        (await server.GetAsync("/v1/resources/no-such")).ShouldBeProblem(404, "unknown_resource");
        (await server.PostAsync("/v1/resources/no-such/adjustments", """{"id":"a","delta":1,"reason":"r"}""")).ShouldBeProblem(404, "unknown_resource");
    }

    [Fact]
    public async Task E04_another_body_under_a_known_id_is_a_conflict()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 9);
        await server.TryAsync("h", "sku", 1);
        (await server.TryAsync("h", "sku", 2)).ShouldBeProblem(409, "conflict");
        (await server.GetAsync("/v1/resources/sku")).Number("available").ShouldBe(8);
    }

    [Fact]
    public async Task E11_confirm_and_return_without_a_try_are_not_found()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        (await server.PostAsync("/v1/holds/h/confirm")).ShouldBeProblem(404, "not_found");
        (await server.PostAsync("/v1/holds/h/returns", """{"id":"r","lines":[{"resource":"s","quantity":1}],"reason":"r"}""")).ShouldBeProblem(404, "not_found");
    }

    [Fact]
    public async Task A_confirmed_hold_refuses_cancel_extend_and_another_try()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 9);
        await server.TryAsync("h", "sku");
        await server.PostAsync("/v1/holds/h/confirm");
        (await server.PostAsync("/v1/holds/h/cancel")).ShouldBeProblem(409, "confirmed");
        (await server.PostAsync("/v1/holds/h/extend", """{"ttlSeconds":5}""")).ShouldBeProblem(409, "confirmed");
        (await server.TryAsync("h", "sku")).ShouldBeProblem(409, "confirmed");
        (await server.PostAsync("/v1/holds/h/confirm", """{"lines":[{"resource":"other","quantity":1}]}""")).Status.ShouldBe(409);
    }

    [Fact]
    public async Task E17_a_try_issued_before_the_retention_is_410_whatever_its_year()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("sku", 9);
        (await server.TryAsync("h", "sku", 1, "\"issuedAt\":\"2020-01-02T03:04:05.678Z\",")).ShouldBeProblem(410, "too_old");
        (await server.TryAsync("h", "sku", 1, "\"issuedAt\":\"1960-01-02T03:04:05+02:00\",")).ShouldBeProblem(410, "too_old");
    }

    [Fact]
    public async Task Policies_refuse_with_their_own_codes()
    {
        await using RunningServer server = await RunningServer.StartAsync();
        await server.StockAsync("off", 9, """{"disabled":true}""");
        await server.StockAsync("early", 9, """{"opensAt":"2999-01-01T00:00:00Z"}""");
        await server.StockAsync("late", 9, """{"closesAt":"2001-01-01T00:00:00Z"}""");
        await server.StockAsync("coupon", 1, """{"owner":"ann"}""");
        await server.StockAsync("few", 9, """{"limitPerOwner":2}""");
        (await server.TryAsync("h", "off")).ShouldBeProblem(409, "disabled");
        (await server.TryAsync("h", "early")).ShouldBeProblem(409, "not_open");
        (await server.TryAsync("h", "late")).ShouldBeProblem(409, "not_open");
        (await server.TryAsync("h", "coupon", 1, "\"owner\":\"bob\",")).ShouldBeProblem(409, "not_owner");
        (await server.TryAsync("h", "coupon", 1, "\"owner\":\"ann\",")).Status.ShouldBe(201);
        (await server.TryAsync("first", "few", 2, "\"owner\":\"bob\",")).Status.ShouldBe(201);
        Reply limit = (await server.TryAsync("second", "few", 1, "\"owner\":\"bob\",")).ShouldBeProblem(409, "limit_exceeded");
        limit.Json["hold"]!.GetValue<string>().ShouldBe("first");
    }
}

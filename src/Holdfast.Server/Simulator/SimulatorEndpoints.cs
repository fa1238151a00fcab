using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server.Simulator;

/// <summary>The simulated provider over HTTP: what its channel calls, the page where a shopper pays, bills, and its books.</summary>
public static class SimulatorEndpoints
{
    /// <summary>Maps them under a path; empty: at the root.</summary>
    public static void Map(IEndpointRouteBuilder routes, string under, Func<SimulatedProvider?> provider)
    {
        RouteGroupBuilder group = routes.MapGroup(under);
        group.MapPost("orders", context => WithBodyAsync(context, provider, (p, body) =>
        {
            string? notifyUrl = (string?)body["notifyUrl"];
            if (!p.MayCall(notifyUrl))
            {
                throw new BadHttpRequestException("notifyUrl must be of this server");
            }

            SimulatedOrder order = p.Open(Text(body, "space"), Text(body, "order"), Whole(body, "amount"), Text(body, "currency"), notifyUrl);
            return Order(context, under, order);
        })).Needs(Roles.None);
        group.MapGet("orders/{space}/{order}", context => WithAsync(context, provider, p => Order(context, under, p.Find(Route(context, "space"), Route(context, "order"))))).Needs(Roles.None);
        group.MapPost("orders/{space}/{order}/close", context => WithAsync(context, provider, p => Order(context, under, p.Close(Route(context, "space"), Route(context, "order"))))).Needs(Roles.None);
        group.MapPost("refunds", context => WithBodyAsync(context, provider, (p, body) =>
            Refund(context, p.Refund(Text(body, "refund"), Text(body, "transaction"), Whole(body, "amount")), StatusCodes.Status409Conflict))).Needs(Roles.None);
        group.MapGet("refunds/{refund}", context => WithAsync(context, provider, p => Refund(context, p.FindRefund(Route(context, "refund")), StatusCodes.Status404NotFound))).Needs(Roles.None);
        group.MapGet("pay/{space}/{order}", context => PageAsync(context, provider)).Needs(Roles.None);
        group.MapPost("pay/{space}/{order}", context => PayAsync(context, provider)).Needs(Roles.None);
        group.MapGet("bills/{day}", context => BillAsync(context, provider)).Needs(Roles.None);
        group.MapGet("books", context => BooksAsync(context, provider)).Needs(Roles.None);
    }

    private static JsonObject Order(HttpContext context, string under, SimulatedOrder? order)
    {
        if (order is null)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return new JsonObject { ["state"] = "unknown" };
        }

        string path = $"{under}/pay/{Uri.EscapeDataString(order.Space)}/{Uri.EscapeDataString(order.Order)}";
        return new JsonObject
        {
            ["order"] = order.Order,
            ["state"] = order.State,
            ["currency"] = order.Currency,
            ["payUrl"] = $"{context.Request.Scheme}://{context.Request.Host}{path}",
            ["transaction"] = order.Payment?.Transaction,
            ["paid"] = order.Payment?.Amount ?? 0,
        };
    }

    private static JsonObject Refund(HttpContext context, SimulatedRefund? refund, int otherwise)
    {
        context.Response.StatusCode = refund is null ? otherwise : StatusCodes.Status200OK;
        return new JsonObject { ["id"] = refund?.Id, ["state"] = refund is null ? "refused" : "refunded" };
    }

    private static Task WithAsync(HttpContext context, Func<SimulatedProvider?> provider, Func<SimulatedProvider, JsonObject> answer) =>
        AnswerAsync(context, provider, simulated => ValueTask.FromResult(answer(simulated)));

    private static Task WithBodyAsync(HttpContext context, Func<SimulatedProvider?> provider, Func<SimulatedProvider, JsonObject, JsonObject> answer) =>
        AnswerAsync(context, provider, async simulated => answer(simulated, await BodyAsync(context)));

    private static async Task AnswerAsync(HttpContext context, Func<SimulatedProvider?> provider, Func<SimulatedProvider, ValueTask<JsonObject>> answer)
    {
        if (provider() is not { } simulated)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        JsonObject said;
        try
        {
            said = await answer(simulated);
        }
        catch (BadHttpRequestException e)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            await context.Response.WriteAsync(e.Message, context.RequestAborted);
            return;
        }

        if (simulated.LosesAnswer())
        {
            context.Abort(); // carried out, and nobody hears of it
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(said.ToJsonString(), context.RequestAborted);
    }

    private static async Task PageAsync(HttpContext context, Func<SimulatedProvider?> provider)
    {
        if (provider()?.Find(Route(context, "space"), Route(context, "order")) is not { } order)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        string amount = (order.Amount / 100m).ToString("0.00", CultureInfo.InvariantCulture);
        string action = order.State == "open" && !order.IsSettling
            ? "<form method=\"post\"><button autofocus>Pay</button></form>"
            : $"<p id=\"state\">This order is {(order.State == "open" ? "being paid" : order.State)}.</p>";
        context.Response.ContentType = "text/html; charset=utf-8";
        await context.Response.WriteAsync(
            $$"""
            <!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <link rel="icon" href="data:,"><title>Pay</title><style>body{font:1.1rem system-ui;max-width:24rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.6rem 2rem}</style>
            <h1>{{amount}} {{WebUtility.HtmlEncode(order.Currency)}}</h1><p>Order {{WebUtility.HtmlEncode(order.Order)}}</p>{{action}}
            <p><small>Play money: this is Holdfast's simulated provider.</small></p></html>
            """,
            context.RequestAborted);
    }

    private static async Task PayAsync(HttpContext context, Func<SimulatedProvider?> provider)
    {
        long? amount = long.TryParse(context.Request.Query["amount"], NumberStyles.None, CultureInfo.InvariantCulture, out long given) ? given : null;
        if (provider() is not { } simulated)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        bool paid = simulated.Pay(Route(context, "space"), Route(context, "order"), amount) is not null;
        context.Response.StatusCode = paid ? StatusCodes.Status200OK : StatusCodes.Status409Conflict;
        context.Response.ContentType = "text/html; charset=utf-8";
        await context.Response.WriteAsync(
            paid ? "<!doctype html><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\"><title>Paid</title><p id=\"state\">Thank you. You may close this page.</p>" : "<!doctype html><link rel=\"icon\" href=\"data:,\"><title>Not paid</title><p id=\"state\">This order can't be paid any more.</p>",
            context.RequestAborted);
    }

    private static async Task BillAsync(HttpContext context, Func<SimulatedProvider?> provider)
    {
        if (provider() is not { } simulated || !DateOnly.TryParseExact(Route(context, "day"), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentType = "text/csv; charset=utf-8";
        await context.Response.WriteAsync(simulated.Bill(day), context.RequestAborted);
    }

    private static async Task BooksAsync(HttpContext context, Func<SimulatedProvider?> provider)
    {
        if (provider() is not { } simulated)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        SimulatorBooks books = simulated.Books;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(
            new JsonObject
            {
                ["orders"] = books.Orders,
                ["payments"] = books.Payments,
                ["paid"] = books.Paid,
                ["refunds"] = books.Refunds,
                ["refunded"] = books.Refunded,
                ["callbacksSent"] = books.CallbacksSent,
                ["callbacksForged"] = books.CallbacksForged,
                ["forgedRefused"] = books.ForgedRefused,
                ["duplicatesTaken"] = books.DuplicatesTaken,
            }.ToJsonString(),
            context.RequestAborted);
    }

    private static string Route(HttpContext context, string name)
    {
        string value = (string)context.GetRouteValue(name)!;
        return value.Contains('%', StringComparison.Ordinal)
            ? PathId.At(context, Array.LastIndexOf((context.Request.Path.Value ?? "").Split('/'), value))
            : value;
    }

    private static async Task<JsonObject> BodyAsync(HttpContext context)
    {
        try
        {
            return await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted) as JsonObject ?? throw new BadHttpRequestException("send a JSON object");
        }
        catch (System.Text.Json.JsonException e)
        {
            throw new BadHttpRequestException("not JSON", e);
        }
    }

    private static string Text(JsonObject body, string name) =>
        body[name] is JsonValue value && value.TryGetValue(out string? text) ? text : throw new BadHttpRequestException(name + " must be a text");

    private static long Whole(JsonObject body, string name) =>
        body[name] is JsonValue value && value.TryGetValue(out long whole) && whole > 0 ? whole : throw new BadHttpRequestException(name + " must be a whole number above 0");
}

using System.Globalization;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Server;

/// <summary>
/// Lists over the views: <c>{items, next, sequence}</c>, where <c>next</c> is the <c>after</c> of the following page and
/// <c>sequence</c> the journal's up to which the list tells. A list waits a moment until the views show what was answered
/// before it was asked for; if they are too far behind (a sale), it tells what they have.
/// </summary>
internal sealed class ListCalls(SpaceOf spaces, ViewHost views, CallPool calls)
{
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(1);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("holds", HoldsAsync).Needs(Roles.Read);
        routes.MapGet("resources", ResourcesAsync).Needs(Roles.Read);
        routes.MapGet("resources/{id}/movements", MovementsAsync).Needs(Roles.Read);
    }

    private Task HoldsAsync(HttpContext context) => ListAsync(
        context,
        static (views, context) => views.ListHoldsAsync(
            new HoldQuery
            {
                Owner = Query(context, "owner"),
                Resource = Query(context, "resource"),
                State = State(Query(context, "state")),
                After = Query(context, "after"),
                Limit = Limit(context),
                NewestFirst = Query(context, "order") switch
                {
                    null or "oldest" => false,
                    "newest" => true,
                    _ => throw new ViewQueryException("order must be oldest or newest"),
                },
            },
            context.RequestAborted),
        static (output, item) => output.ListedHold(item));

    private Task ResourcesAsync(HttpContext context) => ListAsync(
        context,
        static (views, context) => views.ListResourcesAsync(Query(context, "prefix"), Query(context, "after"), Limit(context), context.RequestAborted),
        static (output, item) => output.Resource(item));

    private Task MovementsAsync(HttpContext context) => ListAsync(
        context,
        static (views, context) => views.ListMovementsAsync(
            System.Text.Encoding.UTF8.GetString(PathId.Of(context)), Query(context, "after"), Limit(context), context.RequestAborted),
        static (output, item) => output.Movement(item));

    private async Task ListAsync<T>(HttpContext context, Func<SpaceViews, HttpContext, Task<ViewPage<T>>> read, Action<AnswerWriter, T> write)
    {
        await Call.LeaveSharedThread(); // queries may wait for a disk
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            if (views.For(space) is not { } of)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Unavailable), "this server keeps no views, so it has no lists");
                return;
            }

            try
            {
                await of.CatchUpAsync(CatchUpMax, context.RequestAborted);
                long sequence = of.Progress.Position;
                Write(call.Out, await read(of, context), sequence, write);
            }
            catch (ViewQueryException e)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Invalid), e.Message);
                return;
            }
            catch (ViewsUnavailableException e)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Unavailable), e.Message);
                return;
            }

            await call.SendAsync(context, StatusCodes.Status200OK);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static void Write<T>(AnswerWriter output, ViewPage<T> page, long sequence, Action<AnswerWriter, T> write)
    {
        output.Begin();
        output.Json.WriteStartObject();
        output.Json.WriteStartArray("items"u8);
        foreach (T item in page.Items)
        {
            write(output, item);
        }

        output.Json.WriteEndArray();
        output.Json.WriteString("next"u8, page.Next);
        output.Json.WriteNumber("sequence"u8, sequence);
        output.Json.WriteEndObject();
    }

    private static string? Query(HttpContext context, string name)
    {
        StringValues values = context.Request.Query[name];
        return values.Count switch
        {
            0 => null,
            1 => values[0] is { Length: > 0 } value ? value : null,
            _ => throw new ViewQueryException(name + " is given twice"),
        };
    }

    private static int? Limit(HttpContext context) => Query(context, "limit") switch
    {
        null => null,
        { } text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) => limit,
        _ => throw new ViewQueryException($"limit must be from 1 to {SpaceViews.MaxLimit}"),
    };

    private static HoldState? State(string? text) => text switch
    {
        null => null,
        "held" => HoldState.Held,
        "confirmed" => HoldState.Confirmed,
        "cancelled" => HoldState.Cancelled,
        "expired" => HoldState.Expired,
        _ => throw new ViewQueryException("state must be held, confirmed, cancelled or expired"),
    };
}

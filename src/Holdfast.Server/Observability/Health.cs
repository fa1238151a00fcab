using Holdfast.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>Whether the process lives, and whether it can serve.</summary>
internal sealed class Health(SpaceHost host, SpaceStarter starter, CallPool calls)
{
    private static readonly byte[] Live = "{\"status\":\"live\"}"u8.ToArray();

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", static (HttpContext context) =>
        {
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = Live.Length;
            return context.Response.Body.WriteAsync(Live, 0, Live.Length);
        }).ShortCircuit();
        routes.MapGet("/health/ready", ReadyAsync).Needs(Roles.None);
    }

    /// <summary>A space's status as it is told.</summary>
    public static string Text(SpaceStatus status) => status switch
    {
        SpaceStatus.Starting => "starting",
        SpaceStatus.Running => "running",
        SpaceStatus.ReadOnly => "read_only",
        SpaceStatus.Recovering => "recovering",
        _ => "stopped",
    };

    private async Task ReadyAsync(HttpContext context)
    {
        Call call = calls.Rent();
        try
        {
            bool ready = starter.Started && host.IsReady;
            call.Out.Begin();
            call.Out.Json.WriteStartObject();
            call.Out.Json.WriteString("status"u8, ready ? "ready" : "not_ready");
            if (starter.Trouble is { } trouble)
            {
                call.Out.Json.WriteString("reason"u8, trouble);
            }

            call.Out.Json.WriteStartArray("spaces"u8);
            foreach (Space space in host.Spaces)
            {
                call.Out.Json.WriteStartObject();
                call.Out.Json.WriteString("name"u8, space.Name);
                call.Out.Json.WriteString("status"u8, Text(space.Status));
                if (space.Trouble is { } why)
                {
                    call.Out.Json.WriteString("reason"u8, why);
                }

                call.Out.Json.WriteEndObject();
            }

            call.Out.Json.WriteEndArray();
            call.Out.Json.WriteEndObject();
            if (!ready)
            {
                context.Response.Headers.RetryAfter = Problem.RetryAfterSeconds;
            }

            await call.SendAsync(context, ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
        }
        finally
        {
            calls.Return(call);
        }
    }
}

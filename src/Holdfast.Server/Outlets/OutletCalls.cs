using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server.Outlets;

/// <summary>The calls on outlets: how they stand, and replay.</summary>
internal sealed class OutletCalls(OutletHost outlets, SpaceCall frame)
{
    private const int BodyBytesMax = 4096;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("outlets", ListAsync).Needs(Roles.Read);
        routes.MapPost("outlets/{outlet}/replay", ReplayAsync).Needs(Roles.Operate);
    }

    private Task ListAsync(HttpContext context) => frame.RunAsync(context, async (call, _) =>
    {
        call.Out.Begin();
        Utf8JsonWriter json = call.Out.Json;
        json.WriteStartObject();
        json.WriteStartArray("items"u8);
        foreach (OutletStatus status in outlets.Status)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, status.Name);
            json.WriteString("kind"u8, status.Kind);
            json.WriteString("state"u8, status.Disabled is null ? "active"u8 : "disabled"u8);
            if (status.Disabled is not null)
            {
                json.WriteString("reason"u8, status.Disabled);
            }

            json.WriteNumber("waiting"u8, status.Waiting);
            json.WriteNumber("givenUp"u8, status.GivenUp);
            if (status.LastFailure is not null)
            {
                json.WriteString("lastFailure"u8, status.LastFailure);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        await call.SendAsync(context, StatusCodes.Status200OK);
    });

    private Task ReplayAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        JsonElement body = JsonBody.Parse(await JsonBody.ReadAsync(context, BodyBytesMax), optional: true);
        JsonBody.Known(body, "after");
        long after = JsonBody.Whole(body, "after") ?? 0;
        if (after < 0 || after > space.Durable.Sequence)
        {
            throw new BodyException("after must be a sequence of the journal: everything behind it is sent again");
        }

        string name = (string)context.GetRouteValue("outlet")!;
        if (!outlets.Replay(name, space, after))
        {
            await call.RefuseAsync(context, Problem.Of(Code.NotFound), $"there is no outlet '{name}'");
            return;
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
    });
}

using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>The calls on spaces: create one, list them.</summary>
internal sealed class SpaceCalls(SpaceHost host, SpaceStarter starter, CallPool calls)
{
    private static readonly TimeSpan CreateMax = TimeSpan.FromSeconds(10);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPut("/v1/spaces/{space}", PutAsync).Needs(Roles.Operate);
        routes.MapGet("/v1/spaces", ListAsync).Needs(Roles.Read);
    }

    private async Task PutAsync(HttpContext context)
    {
        await Call.LeaveSharedThread(); // opening a journal waits for a disk
        Call call = calls.Rent();
        try
        {
            string name = context.GetRouteValue("space") as string ?? "";
            if (!IsName(name))
            {
                await call.RefuseAsync(context, Problem.Of(Code.Invalid), "a space's name is 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter or digit");
                return;
            }

            if (!starter.Started)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Unavailable), "the server is still reading its journal: nothing was executed, ask again");
                return;
            }

            // Not the caller's token: a space half created because somebody hung up helps nobody.
            Task<(Space, bool)> creating = host.CreateAsync(name, CancellationToken.None);
            try
            {
                await creating.WaitAsync(CreateMax, host.Time);
            }
            catch (TimeoutException)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Unavailable), "storage doesn't take the new space: the server goes on trying, ask again");
                return;
            }

            (Space space, bool created) = await creating;
            call.Out.Begin();
            Write(call.Out, space);
            if (created)
            {
                context.Response.Headers.Location = context.Request.Path.ToUriComponent();
            }

            await call.SendAsync(context, created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private async Task ListAsync(HttpContext context)
    {
        Call call = calls.Rent();
        try
        {
            call.Out.Begin();
            call.Out.Json.WriteStartObject();
            call.Out.Json.WriteStartArray("spaces"u8);
            foreach (Space space in host.Spaces)
            {
                Write(call.Out, space);
            }

            call.Out.Json.WriteEndArray();
            call.Out.Json.WriteEndObject();
            await call.SendAsync(context, StatusCodes.Status200OK);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static void Write(AnswerWriter output, Space space)
    {
        output.Json.WriteStartObject();
        output.Json.WriteString("name"u8, space.Name);
        output.Json.WriteString("status"u8, Health.Text(space.Status));
        output.Json.WriteEndObject();
    }

    private static bool IsName(string name) =>
        name.Length is > 0 and <= 64
        && (char.IsAsciiLetterLower(name[0]) || char.IsAsciiDigit(name[0]))
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_');
}

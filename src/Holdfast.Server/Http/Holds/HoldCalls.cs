using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>
/// The calls on holds. Written as plain delegates over pooled state: a try comes hundreds of thousands of times a minute,
/// and a framework's binding would cost as much as the rest of it.
/// </summary>
internal sealed class HoldCalls(SpaceOf spaces, CallPool calls, Access access, HttpProblems problems)
{
    /// <summary>The path of a try in the space that nobody names.</summary>
    public const string Path = "/v1/holds";

    /// <summary>The fields of a try.</summary>
    public const Fields TryFields = Fields.Id | Fields.Owner | Fields.TtlSeconds | Fields.IssuedAt | Fields.Lines;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("holds", TryAsync).Needs(Roles.Write);
        routes.MapGet("holds/{id}", GetAsync).Needs(Roles.Read);
        routes.MapPost("holds/{id}/confirm", ConfirmAsync).Needs(Roles.Write);
        routes.MapPost("holds/{id}/cancel", CancelAsync).Needs(Roles.Write);
        routes.MapPost("holds/{id}/extend", ExtendAsync).Needs(Roles.Write);
        routes.MapPost("holds/{id}/returns", ReturnAsync).Needs(Roles.Write);
    }

    /// <summary>Takes the calls of the hot path before routing looks at them; everything else goes on.</summary>
    public RequestDelegate FrontDoor(RequestDelegate next) => context =>
        string.Equals(context.Request.Path.Value, Path, StringComparison.Ordinal) && HttpMethods.IsPost(context.Request.Method)
        && access.Refuses(context, Roles.Write) is null
            ? TryAsync(context)
            : next(context);

    public async Task TryAsync(HttpContext context)
    {
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            if (await call.ReadBodyAsync(context, TryFields) is { } problem)
            {
                await call.RefuseAsync(context, problem, call.Body.Problem!);
                return;
            }

            Fill(call.Try.Command, call.Body);
            await space.SendAsync(call.Try.Request);
            Answer answer = call.Try.Request.Answer;
            if (answer.Code != Code.Ok)
            {
                await call.RefuseAsync(context, answer);
            }
            else if (answer.Repeat)
            {
                await AnswerAsync(context, call, answer); // how it stands by now
            }
            else
            {
                call.Out.Begin();
                call.Out.NewHold(call.Body, answer.ExpiresAtMs);
                context.Response.Headers.Location = PathId.Below(context.Request.Path.Value, System.Text.Encoding.UTF8.GetString(call.Body.Text(Fields.Id)));
                await call.SendAsync(context, StatusCodes.Status201Created);
            }
        }
        catch (Exception e)
        {
            // Here and not by the middleware around the others, past which the front door leads.
            await problems.TellAsync(context, e);
        }
        finally
        {
            calls.Return(call);
        }
    }

    /// <summary>Fills a try from a body that was read.</summary>
    public static void Fill(TryHold command, BodyReader body)
    {
        command.Reset(body.Text(Fields.Id), body.Text(Fields.Owner), body.Number(Fields.TtlSeconds), body.Number(Fields.IssuedAt));
        body.AddLines(command);
    }

    /// <summary>Fills a confirm from a body that was read.</summary>
    public static void Fill(ConfirmHold command, ReadOnlySpan<byte> id, BodyReader body)
    {
        command.Reset(id, body.Flag(Fields.KeepRemainder));
        body.AddLines(command);
        if (body.Has(Fields.Lines) && body.LineCount == 0)
        {
            // Nobody who sends an empty list means "everything".
            command.Fail("lines is empty: leave it out to confirm everything");
        }
    }

    private Task GetAsync(HttpContext context) => OnHoldAsync(context, Fields.None, static (call, id) =>
    {
        call.GetHold.Command.Reset(id);
        return call.GetHold.Request;
    });

    private Task ConfirmAsync(HttpContext context) => OnHoldAsync(context, Fields.Lines | Fields.KeepRemainder, static (call, id) =>
    {
        Fill(call.Confirm.Command, id, call.Body);
        return call.Confirm.Request;
    });

    private Task CancelAsync(HttpContext context) => OnHoldAsync(context, Fields.None, static (call, id) =>
    {
        call.Cancel.Command.Reset(id);
        return call.Cancel.Request;
    });

    private Task ExtendAsync(HttpContext context) => OnHoldAsync(context, Fields.TtlSeconds, static (call, id) =>
    {
        call.Extend.Command.Reset(id, call.Body.Number(Fields.TtlSeconds));
        return call.Extend.Request;
    });

    private Task ReturnAsync(HttpContext context) => OnHoldAsync(context, Fields.Id | Fields.Lines | Fields.Reason, static (call, id) =>
    {
        call.Return.Command.Reset(id, call.Body.Text(Fields.Id), call.Body.Text(Fields.Reason));
        call.Body.AddLines(call.Return.Command);
        if (!call.Body.Has(Fields.Reason))
        {
            call.Return.Command.Fail("reason is missing: say why, for the audit trail");
        }

        return call.Return.Request;
    });

    private async Task OnHoldAsync(HttpContext context, Fields fields, Func<Call, byte[], AwaitedRequest> fill)
    {
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            bool optional = (fields & ~(Fields.Lines | Fields.KeepRemainder)) == Fields.None;
            if (fields != Fields.None && await call.ReadBodyAsync(context, fields, optional) is { } problem)
            {
                await call.RefuseAsync(context, problem, call.Body.Problem!);
                return;
            }

            AwaitedRequest request = fill(call, PathId.Of(context));
            await space.SendAsync(request);
            await AnswerAsync(context, call, request.Answer);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static Task AnswerAsync(HttpContext context, Call call, in Answer answer)
    {
        if (answer.Code != Code.Ok)
        {
            return call.RefuseAsync(context, answer);
        }

        call.Out.Begin();
        call.Out.Hold((HoldView)answer.Detail!);
        return call.SendAsync(context, StatusCodes.Status200OK);
    }
}

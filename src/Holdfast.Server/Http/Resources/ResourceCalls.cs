using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>The calls on resources.</summary>
internal sealed class ResourceCalls(SpaceOf spaces, ViewHost views, CallPool calls)
{
    private static readonly TimeSpan CatchUpMax = TimeSpan.FromSeconds(2);

    /// <summary>The fields of an adjustment.</summary>
    public const Fields AdjustFields = Fields.Id | Fields.Delta | Fields.Set | Fields.ExpectedVersion | Fields.Reason | Fields.Force;

    private const Fields PolicyFields = Fields.LimitPerOwner | Fields.OpensAt | Fields.ClosesAt | Fields.Owner | Fields.Overdraft
        | Fields.HoldSeconds | Fields.Disabled | Fields.SafetyStock;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPut("resources/{id}", PutAsync).Needs(Roles.Operate);
        routes.MapGet("resources/{id}", GetAsync).Needs(Roles.Read);
        routes.MapPost("resources/{id}/adjustments", AdjustAsync).Needs(Roles.Operate);
    }

    /// <summary>Fills an adjustment from a body that was read.</summary>
    public static void Fill(AdjustSupply command, ReadOnlySpan<byte> resource, BodyReader body)
    {
        if (body.Has(Fields.Delta) && !body.Has(Fields.Set))
        {
            command.ResetDelta(resource, body.Text(Fields.Id), body.Number(Fields.Delta), body.Text(Fields.Reason), body.Flag(Fields.Force));
        }
        else
        {
            command.ResetSet(resource, body.Text(Fields.Id), body.Number(Fields.Set), body.Number(Fields.ExpectedVersion), body.Text(Fields.Reason));
        }

        if (body.Has(Fields.Delta) == body.Has(Fields.Set))
        {
            command.Fail("an adjustment has either delta, or set with expectedVersion");
        }

        if (body.Has(Fields.Set) && !body.Has(Fields.ExpectedVersion))
        {
            command.Fail("expectedVersion is missing: set counts only for the version of the resource that you saw");
        }

        if (body.Has(Fields.Delta) && body.Has(Fields.ExpectedVersion))
        {
            command.Fail("expectedVersion goes with set, not with delta");
        }

        if (body.Has(Fields.Set) && body.Flag(Fields.Force))
        {
            command.Fail("force goes with delta, not with set");
        }

        if (!body.Has(Fields.Reason))
        {
            command.Fail("reason is missing: say why, for the audit trail");
        }
    }

    private Task PutAsync(HttpContext context) => OnResourceAsync(
        context,
        PolicyFields,
        optional: true,
        static (call, id) =>
        {
            call.Put.Command.Reset(id, Policy(call.Body));
            return call.Put.Request;
        },
        static (in Answer answer) => answer.Repeat ? StatusCodes.Status200OK : StatusCodes.Status201Created);

    private Task GetAsync(HttpContext context) => OnResourceAsync(
        context,
        Fields.None,
        optional: true,
        static (call, id) =>
        {
            call.GetResource.Command.Reset(id);
            return call.GetResource.Request;
        },
        static (in Answer _) => StatusCodes.Status200OK);

    private Task AdjustAsync(HttpContext context) => OnResourceAsync(
        context,
        AdjustFields,
        optional: false,
        static (call, id) =>
        {
            Fill(call.Adjust.Command, id, call.Body);
            return call.Adjust.Request;
        },
        static (in Answer _) => StatusCodes.Status200OK);

    private delegate int StatusOf(in Answer answer);

    private async Task OnResourceAsync(HttpContext context, Fields fields, bool optional, Func<Call, byte[], AwaitedRequest> fill, StatusOf status)
    {
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            if (fields != Fields.None && await call.ReadBodyAsync(context, fields, optional) is { } problem)
            {
                await call.RefuseAsync(context, problem, call.Body.Problem!);
                return;
            }

            AwaitedRequest request = fill(call, PathId.Of(context));
            await space.SendAsync(request);
            Answer answer = request.Answer;
            if (answer.Code != Code.Ok)
            {
                await call.RefuseAsync(context, answer);
                return;
            }

            var resource = (ResourceView)answer.Detail!;
            long deficit = fields == AdjustFields && call.Body.Flag(Fields.Force) ? -resource.Available : 0;
            HoldsAtRisk? atRisk = deficit > 0 ? await AtRiskAsync(space, resource.Id, deficit) : null;
            call.Out.Begin();
            call.Out.Resource(resource, 0, deficit, atRisk?.Holds);
            if (status(answer) is var code && code == StatusCodes.Status201Created)
            {
                context.Response.Headers.Location = PathId.Location(context, resource.Id);
            }

            await call.SendAsync(context, code);
        }
        finally
        {
            calls.Return(call);
        }
    }

    /// <summary>Whom a deficit hits (E42); null when the views can't tell now (GET /v1/holds?resource= will).</summary>
    private async Task<HoldsAtRisk?> AtRiskAsync(Space space, string resource, long deficit)
    {
        if (views.For(space) is not { } of)
        {
            return null;
        }

        try
        {
            // Without what was held a moment ago the list would name the wrong ones.
            return await of.CatchUpAsync(CatchUpMax) ? await of.HoldsAtRiskAsync(resource, deficit) : null;
        }
        catch (ViewsUnavailableException)
        {
            return null;
        }
    }

    private static ResourcePolicy Policy(BodyReader body) => new()
    {
        LimitPerOwner = body.NumberOrNull(Fields.LimitPerOwner),
        OpensAtMs = body.NumberOrNull(Fields.OpensAt),
        ClosesAtMs = body.NumberOrNull(Fields.ClosesAt),
        Owner = body.Has(Fields.Owner) ? System.Text.Encoding.UTF8.GetString(body.Text(Fields.Owner)) : null,
        Overdraft = body.Number(Fields.Overdraft),
        HoldMs = body.NumberOrNull(Fields.HoldSeconds),
        Disabled = body.Flag(Fields.Disabled),
        SafetyStock = body.Number(Fields.SafetyStock),
    };
}

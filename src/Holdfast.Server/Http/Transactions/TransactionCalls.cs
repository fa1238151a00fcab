using System.Globalization;
using System.Text;
using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>The calls on transactions: begin or submit, register, decide, look, and the operator's.</summary>
internal sealed class TransactionCalls(SpaceOf spaces, SpaceHost host, CallPool calls)
{
    /// <summary>Largest body: a transaction's encoded branches may have 1 MiB, and JSON escapes.</summary>
    private const int BodyBytesMax = 2 * 1024 * 1024;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("transactions", BeginAsync).Needs(Roles.Write);
        routes.MapGet("transactions", ListAsync).Needs(Roles.Read);
        routes.MapGet("transactions/{id}", GetAsync).Needs(Roles.Read);
        routes.MapPost("transactions/{id}/branches", RegisterAsync).Needs(Roles.Write);
        routes.MapPost("transactions/{id}/commit", CommitAsync).Needs(Roles.Write);
        routes.MapPost("transactions/{id}/abort", AbortAsync).Needs(Roles.Write);
        routes.MapPost("transactions/{id}/retry", RetryAsync).Needs(Roles.Operate);
        routes.MapPost("transactions/{id}/force", ForceAsync).Needs(Roles.Operate);
    }

    private Task BeginAsync(HttpContext context) => AskAsync(context, waits: true, body =>
        TransactionBody.Begin(host.Hasher, JsonBody.Parse(body, optional: false), Trace(context)));

    private Task RegisterAsync(HttpContext context) => AskAsync(context, waits: false, body =>
        new RegisterBranch(host.Hasher, Id(context), TransactionBody.Branch(JsonBody.Parse(body, optional: false))));

    private Task CommitAsync(HttpContext context) => AskAsync(context, waits: true, body =>
    {
        JsonBody.Known(JsonBody.Parse(body, optional: true));
        return new DecideTransaction(host.Hasher, Id(context), commit: true);
    });

    private Task AbortAsync(HttpContext context) => AskAsync(context, waits: true, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: true);
        JsonBody.Known(given, "reason");
        return new DecideTransaction(host.Hasher, Id(context), commit: false, JsonBody.Text(given, "reason"));
    });

    private Task RetryAsync(HttpContext context) => AskAsync(context, waits: true, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: true);
        JsonBody.Known(given, "branch");
        return new RetryTransaction(host.Hasher, Id(context), JsonBody.Text(given, "branch"));
    });

    private Task ForceAsync(HttpContext context) => AskAsync(context, waits: false, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: false);
        JsonBody.Known(given, "reason", "branch", "decision", "dryRun");
        bool? commit = JsonBody.Text(given, "decision") switch
        {
            null => null,
            "commit" => true,
            "abort" => false,
            _ => throw new BodyException("decision must be commit or abort"),
        };
        return new ForceTransaction(
            host.Hasher, Id(context), JsonBody.Text(given, "reason") ?? "", JsonBody.Text(given, "branch"), commit, JsonBody.Flag(given, "dryRun"));
    });

    private Task GetAsync(HttpContext context) => AskAsync(context, waits: true, _ => new GetTransaction(host.Hasher, Id(context)));

    private async Task AskAsync(HttpContext context, bool waits, Func<ReadOnlyMemory<byte>, TransactionCommand> read)
    {
        await Call.LeaveSharedThread(); // taking a large body apart is not for the thread that others wait for
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            if (!HttpMethods.IsGet(context.Request.Method) && !MediaType.IsJson(context.Request.ContentType))
            {
                await call.RefuseAsync(context, Problem.NotJson, $"the Content-Type is {context.Request.ContentType}: send application/json");
                return;
            }

            TransactionCommand command;
            TimeSpan wait;
            try
            {
                command = read(HttpMethods.IsGet(context.Request.Method) ? default : await JsonBody.ReadAsync(context, BodyBytesMax));
                wait = waits ? Prefer.Wait(context) : TimeSpan.Zero;
            }
            catch (BodyException e)
            {
                await call.RefuseAsync(context, e.Kind, e.Message);
                return;
            }

            Answer answer = await AskAsync(space, command, wait, context.RequestAborted);
            if (answer.Code != Code.Ok)
            {
                await call.RefuseAsync(context, answer);
                return;
            }

            call.Out.Begin();
            TransactionWriter.Write(call.Out, (TransactionView)answer.Detail!);
            bool created = command is BeginTransaction && !answer.Repeat;
            if (created)
            {
                context.Response.Headers.Location = context.Request.Path.ToUriComponent() + "/" + Uri.EscapeDataString(command.TransactionId);
            }

            await call.SendAsync(context, created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
        }
        finally
        {
            calls.Return(call);
        }
    }

    /// <summary>Sends the command; when it is to wait, answers how the transaction stands at its end or when the time is over.</summary>
    private async Task<Answer> AskAsync(Space space, TransactionCommand command, TimeSpan wait, CancellationToken cancellationToken)
    {
        // Before it is sent: it may end before its answer comes.
        Task<bool> ended = wait > TimeSpan.Zero ? space.WaitForEndAsync(command.TransactionId, wait, cancellationToken) : Task.FromResult(false);
        Answer answer = await space.SendAsync(new AwaitedRequest(command));
        if (wait == TimeSpan.Zero || answer.Code != Code.Ok || answer.Detail is TransactionView { EndedAtMs: not 0 } or TransactionView { IsStuck: true })
        {
            return answer;
        }

        await ended;
        bool repeat = answer.Repeat;
        answer = await space.SendAsync(new AwaitedRequest(new GetTransaction(host.Hasher, command.TransactionId)));
        answer.Repeat = repeat;
        return answer;
    }

    private async Task ListAsync(HttpContext context)
    {
        await Call.LeaveSharedThread();
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
                return;
            }

            IQueryCollection query = context.Request.Query;
            string? state = query["state"];
            if (!string.IsNullOrEmpty(state) && state != TransactionTexts.Stuck && TransactionTexts.State(state) is null)
            {
                await call.RefuseAsync(context, Problem.Of(Code.Invalid), "state must be trying, confirming, confirmed, cancelling, cancelled or stuck");
                return;
            }

            int limit = 100;
            if (query["limit"] is [{ Length: > 0 } text] && !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit))
            {
                limit = 0; // the kernel says what it must be
            }

            var command = new ListTransactions(
                host.Hasher,
                string.IsNullOrEmpty(state) ? null : TransactionTexts.State(state),
                state == TransactionTexts.Stuck,
                query["after"] is [{ Length: > 0 } after] ? after : null,
                limit);
            Answer answer = await space.SendAsync(new AwaitedRequest(command));
            if (answer.Code != Code.Ok)
            {
                await call.RefuseAsync(context, answer);
                return;
            }

            var page = (TransactionPage)answer.Detail!;
            call.Out.Begin();
            call.Out.Json.WriteStartObject();
            call.Out.Json.WriteStartArray("items"u8);
            foreach (TransactionView transaction in page.Transactions)
            {
                TransactionWriter.Write(call.Out, transaction);
            }

            call.Out.Json.WriteEndArray();
            call.Out.Json.WriteString("next"u8, page.Next);
            call.Out.Json.WriteEndObject();
            await call.SendAsync(context, StatusCodes.Status200OK);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static string Id(HttpContext context) => Encoding.UTF8.GetString(PathId.Of(context));

    private static string? Trace(HttpContext context) => context.Request.Headers.TraceParent is [{ Length: > 0 } trace] ? trace : null;
}

using System.Text;
using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>The calls on transactions: begin or submit, register, decide, look, and the operator's.</summary>
internal sealed class TransactionCalls(SpaceCall frame, SpaceHost host)
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

    private Task AskAsync(HttpContext context, bool waits, Func<ReadOnlyMemory<byte>, TransactionCommand> read) => frame.RunAsync(context, async (call, space) =>
    {
        bool isGet = HttpMethods.IsGet(context.Request.Method);
        if (!isGet && !MediaType.IsJson(context.Request.ContentType))
        {
            await call.RefuseAsync(context, Problem.NotJson, $"the Content-Type is {context.Request.ContentType}: send application/json");
            return;
        }

        TransactionCommand command = read(isGet ? default : await JsonBody.ReadAsync(context, BodyBytesMax));
        TimeSpan wait = waits ? Prefer.Wait(context) : TimeSpan.Zero;
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
            context.Response.Headers.Location = PathId.Location(context, command.TransactionId);
        }

        await call.SendAsync(context, created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    });

    /// <summary>Sends the command; when it is to wait, answers how the transaction stands at its end or when the time is over.</summary>
    private async Task<Answer> AskAsync(Space space, TransactionCommand command, TimeSpan wait, CancellationToken cancellationToken)
    {
        // Before it is sent: it may end before its answer comes.
        Task<bool> ended = wait > TimeSpan.Zero ? space.WaitForEndAsync(command.TransactionId, wait, cancellationToken) : Task.FromResult(false);
        Answer answer = await space.AskAsync(command);
        if (wait == TimeSpan.Zero || answer.Code != Code.Ok || answer.Detail is TransactionView { EndedAtMs: not 0 } or TransactionView { IsStuck: true })
        {
            return answer;
        }

        await ended;
        Answer later = await space.AskAsync(new GetTransaction(host.Hasher, command.TransactionId));
        if (later.Code != Code.Ok)
        {
            return answer; // the command was executed: that this look was refused must not say that it wasn't
        }

        later.Repeat = answer.Repeat;
        return later;
    }

    private Task ListAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        string? text = Page.Text(context, "state");
        TransactionState? state = text is null or TransactionTexts.Stuck ? null : TransactionTexts.State(text)
            ?? throw new BodyException("state must be trying, confirming, confirmed, cancelling, cancelled or stuck");
        var command = new ListTransactions(host.Hasher, state, text == TransactionTexts.Stuck, Page.After(context), Page.Limit(context));
        Answer answer = await space.AskAsync(command);
        if (answer.Code != Code.Ok)
        {
            await call.RefuseAsync(context, answer);
            return;
        }

        var page = (TransactionPage)answer.Detail!;
        await Page.SendAsync(context, call, page.Transactions, TransactionWriter.Write, page.Next);
    });

    private static string Id(HttpContext context) => Encoding.UTF8.GetString(PathId.Of(context));

    private static string? Trace(HttpContext context) => context.Request.Headers.TraceParent is [{ Length: > 0 } trace] ? trace : null;
}

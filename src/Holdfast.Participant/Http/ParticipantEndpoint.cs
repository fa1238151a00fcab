using System.Buffers;
using System.Data.Common;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Participant;

/// <summary>One mapped action: signature, barrier, business, status.</summary>
internal sealed class ParticipantEndpoint(ParticipantRuntime runtime, BranchOp op, BranchAction? action, bool expectsTry)
{
    public async Task HandleAsync(HttpContext context)
    {
        byte[]? body = await ReadAsync(context.Request.BodyReader, context.RequestAborted);
        if (body is null)
        {
            await AnswerAsync(context, StatusCodes.Status413PayloadTooLarge, $"the body has more than {runtime.Options.BodyBytesMax} bytes");
            return;
        }

        if (runtime.Signature?.Problem(Header("webhook-id"), Header("webhook-timestamp"), Header("webhook-signature"), body) is { } forged)
        {
            await AnswerAsync(context, StatusCodes.Status401Unauthorized, forged);
            return;
        }

        if (BranchCall.Read(Header, out string? problem) is not { } call || call.Op != op)
        {
            await AnswerAsync(context, StatusCodes.Status400BadRequest, problem ?? $"Holdfast-Op says {Header("Holdfast-Op")}, but this is the URL of {op}");
            return;
        }

        // The signature is over the message's id and the body, not over these headers: they must say what the id says, or
        // whoever saw one call could send it again as another.
        if (runtime.Signature is not null && !call.IsNamedBy(Header("webhook-id")))
        {
            await AnswerAsync(context, StatusCodes.Status401Unauthorized, "the Holdfast-* headers name another call than the signed webhook-id");
            return;
        }

        call = runtime.Signature?.WithCheckedWatermark(call, Header) ?? call;
        await using DbConnection connection = runtime.Connect(context.RequestServices);
        BranchResult result;
        try
        {
            result = action is null
                ? await runtime.Barrier.CheckAsync(connection, call, context.RequestAborted)
                : await runtime.Barrier.RunAsync(
                    connection,
                    call with { ExpectsTry = expectsTry },
                    (transaction, cancellationToken) => action(new BranchContext(call, body, transaction, context.RequestServices, cancellationToken)),
                    context.RequestAborted);
        }
        catch (JsonException e)
        {
            await AnswerAsync(context, StatusCodes.Status400BadRequest, "the body can't be read: " + e.Message);
            return;
        }

        await AnswerAsync(context, Status(result.Outcome), result.Reason);

        string? Header(string name) => context.Request.Headers[name] is [{ } value] ? value : null;
    }

    private static int Status(BranchOutcome outcome) => outcome switch
    {
        BranchOutcome.Done => StatusCodes.Status200OK,
        BranchOutcome.Refused => StatusCodes.Status409Conflict,
        _ => 425,
    };

    private static Task AnswerAsync(HttpContext context, int status, string? text)
    {
        context.Response.StatusCode = status;
        if (text is null)
        {
            return Task.CompletedTask;
        }

        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text, context.RequestAborted);
    }

    /// <summary>The whole body; null when it is too large.</summary>
    private async Task<byte[]?> ReadAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        ReadResult read = await reader.ReadAtLeastAsync(runtime.Options.BodyBytesMax + 1, cancellationToken);
        byte[]? body = read.Buffer.Length > runtime.Options.BodyBytesMax ? null : read.Buffer.ToArray();
        reader.AdvanceTo(read.Buffer.End);
        return body;
    }
}

/// <summary>What the endpoints of a service share.</summary>
internal sealed class ParticipantRuntime
{
    public ParticipantRuntime(ParticipantOptions options, TimeProvider time)
    {
        if (options.Secrets.Count == 0 && !options.AllowUnsigned)
        {
            throw new InvalidOperationException(
                "A participant needs the coordinator's secret: services.AddHoldfastParticipant(o => o.Secrets.Add(\"whsec_...\")); it stands in the " +
                "coordinator's data folder in the file signing-secret. For a trial, o.AllowUnsigned = true takes calls from anybody.");
        }

        Options = options;
        Signature = options.Secrets.Count == 0 ? null : new WebhookSignature(options.Secrets, time);
        Barrier = new BranchBarrier(options.Barrier, time);
    }

    public ParticipantOptions Options { get; }

    public WebhookSignature? Signature { get; }

    public BranchBarrier Barrier { get; }

    public DbConnection Connect(IServiceProvider services) =>
        Options.Connection?.Invoke(services)
        ?? services.GetService<DbDataSource>()?.CreateConnection()
        ?? throw new InvalidOperationException(
            "A participant needs its database: services.AddHoldfastParticipant(o => o.Connection = _ => new NpgsqlConnection(...)), or a registered DbDataSource.");
}

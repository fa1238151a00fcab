using System.Net;
using Holdfast.Engine;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// POST /v1/callbacks/{channel}: verify the raw bytes, journal, acknowledge in the provider's own words. What follows from
/// it (refunds, the shop's own services) happens afterwards, so that nobody's slowness is the provider's.
/// </summary>
internal sealed partial class CallbackCalls(
    SpaceOf spaces, SpaceHost host, CallPool calls, PaymentHost payments, UnverifiedLimit limit, CallbackMetrics metrics, ILogger<CallbackCalls> logger)
{
    private const int BodyBytesMax = 256 * 1024;

    /// <summary>WeChat Pay waits 5 seconds; nobody waits less.</summary>
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan WarnEvery = TimeSpan.FromSeconds(10);
    private long _warnedAt = long.MinValue / 2;

    public void Map(IEndpointRouteBuilder routes) => routes.MapPost("callbacks/{channel}", TakeAsync).Needs(Roles.None);

    private async Task TakeAsync(HttpContext context)
    {
        await Call.LeaveSharedThread(); // a signature costs a processor's time
        string name = (string)context.GetRouteValue("channel")!;
        IPAddress address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (payments.Channels.Find(name) is not { } channel)
        {
            await RefuseAsync(context, Problem.PathNotFound, $"there is no channel '{name}'");
            return;
        }

        if (!limit.Allows(address))
        {
            metrics.Count(name, "limited");
            await RefuseAsync(context, Problem.Of(Code.Overloaded), "too many callbacks with wrong signatures came from this address");
            return;
        }

        ReadOnlyMemory<byte> body;
        try
        {
            body = await JsonBody.ReadAsync(context, BodyBytesMax);
        }
        catch (BodyException e)
        {
            await RefuseAsync(context, e.Kind, e.Message);
            return;
        }

        CallbackVerdict verdict = channel.Verify(new CallbackRequest(Headers(context.Request), body, SpaceOf.NameOf(context)), host.Time.GetUtcNow());
        if (verdict.Notice is not { } notice)
        {
            Refused(name, address, verdict);
            await ReplyAsync(context, channel.Reply(CallbackOutcome.Refused));
            return;
        }

        limit.Genuine(address);
        CallbackReply reply = channel.Reply(await KeepAsync(context, name, channel, notice));
        if (reply is { Status: StatusCodes.Status503ServiceUnavailable, ContentType: null })
        {
            await RefuseAsync(context, Problem.Of(Code.Unavailable), "it could not be taken, or came before the payment that it is about: send it again later");
            return;
        }

        await ReplyAsync(context, reply);
    }

    private async Task<CallbackOutcome> KeepAsync(HttpContext context, string name, IPaymentChannel channel, PaymentNotice notice)
    {
        if (spaces.Find(context, out _, out _) is not { } space)
        {
            metrics.Count(name, "later");
            return CallbackOutcome.Later;
        }

        try
        {
            Answer answer = await space.AskAsync(new TakeNotice(host.Hasher, notice, channel.MakesCalls)).AsTask().WaitAsync(AnswerWithin, host.Time, context.RequestAborted);
            string became = answer.Code == Code.Ok ? answer.Detail as string ?? "kept" : "later";
            metrics.Count(name, became);
            return became is "later" or PaymentNotice.Early ? CallbackOutcome.Later : CallbackOutcome.Taken;
        }
        catch (TimeoutException)
        {
            // It may still be taken; when it comes again it is a duplicate.
            metrics.Count(name, "later");
            return CallbackOutcome.Later;
        }
    }

    private void Refused(string name, IPAddress address, CallbackVerdict verdict)
    {
        metrics.Count(name, verdict.IsProbe ? "probe" : "refused");
        if (verdict.IsProbe)
        {
            return; // the provider's own, and refused as it should be (E35): no alarm
        }

        limit.Refused(address);
        long now = host.Time.GetTimestamp();
        if (host.Time.GetElapsedTime(Interlocked.Read(ref _warnedAt), now) >= WarnEvery)
        {
            Interlocked.Exchange(ref _warnedAt, now);
            NotGenuine(logger, name, address, verdict.Reason!);
        }
    }

    private async Task RefuseAsync(HttpContext context, Problem problem, string detail)
    {
        Call call = calls.Rent();
        try
        {
            await call.RefuseAsync(context, problem, detail);
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static Task ReplyAsync(HttpContext context, CallbackReply reply)
    {
        context.Response.StatusCode = reply.Status;
        if (reply.ContentType is null)
        {
            return Task.CompletedTask;
        }

        context.Response.ContentType = reply.ContentType;
        return context.Response.WriteAsync(reply.Body, context.RequestAborted);
    }

    private static Dictionary<string, string> Headers(HttpRequest request)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in request.Headers)
        {
            headers[name] = values.ToString();
        }

        return headers;
    }

    [LoggerMessage(140, LogLevel.Warning, "A callback for channel {Channel} from {Address} was refused: {Reason}. (At most one such line in ten seconds; the metrics count all.)")]
    private static partial void NotGenuine(ILogger logger, string channel, IPAddress address, string reason);
}

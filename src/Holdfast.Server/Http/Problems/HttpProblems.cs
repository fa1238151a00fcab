using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// Whatever goes wrong around the calls is told as a problem too: unknown paths, wrong methods, requests that Kestrel
/// refuses while they are being read, and mistakes of ours (which are logged, and told without their insides).
/// </summary>
internal sealed partial class HttpProblems(CallPool calls, ILogger<HttpProblems> logger)
{
    /// <summary>The middleware.</summary>
    public RequestDelegate Around(RequestDelegate next) => async context =>
    {
        try
        {
            await next(context);
        }
        catch (Exception e)
        {
            await TellAsync(context, e);
            return;
        }

        if (context.Response is { StatusCode: >= 400, HasStarted: false, ContentType: null, ContentLength: null })
        {
            await TellStatusAsync(context);
        }
    };

    /// <summary>Tells of a request that failed.</summary>
    public async Task TellAsync(HttpContext context, Exception failure)
    {
        if (Ended(context, failure))
        {
            // The client left (E63): there is nobody to tell. What was sent to the space stands.
            context.Abort();
            return;
        }

        if (failure is BadHttpRequestException bad)
        {
            await TellAsync(context, Of(bad), bad.Message);
            if (LeavesBodyUnread(bad))
            {
                context.Abort();
            }

            return;
        }

        Failed(logger, context.Request.Method, context.Request.Path, failure);
        await TellAsync(context, Problem.Internal, "the server's log says more; asking again with the same id is safe");
    }

    /// <summary>What kind of problem it is that Kestrel found with a request.</summary>
    public static Problem Of(BadHttpRequestException e) => e.StatusCode switch
    {
        StatusCodes.Status413PayloadTooLarge => Problem.TooLarge,
        StatusCodes.Status408RequestTimeout => Problem.TooSlow,
        _ => Problem.Of(Kernel.Code.Invalid),
    };

    /// <summary>
    /// Whether the rest of the body can't be read any more (too slow, cut off, badly chunked), so that after the answer
    /// the connection is of no use: Kestrel would try to skip that rest, fail, and log an error for each such client.
    /// </summary>
    public static bool LeavesBodyUnread(BadHttpRequestException e) => e.StatusCode != StatusCodes.Status413PayloadTooLarge;

    private static bool Ended(HttpContext context, Exception e) =>
        e is ConnectionResetException or ConnectionAbortedException
        || (e is OperationCanceledException or IOException && context.RequestAborted.IsCancellationRequested);

    private Task TellStatusAsync(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => TellAsync(context, Problem.PathNotFound, $"there is no {context.Request.Path}: see /docs"),
        StatusCodes.Status405MethodNotAllowed =>
            TellAsync(context, Problem.MethodNotAllowed, $"{context.Request.Path} doesn't take {context.Request.Method}: see the header Allow, or /docs"),
        int status => TellAsync(context, Problem.Internal with { Status = status }, "the request could not be answered"),
    };

    private async Task TellAsync(HttpContext context, Problem problem, string detail)
    {
        if (context.Response.HasStarted)
        {
            // Half an answer is on its way; cut off, it can't be taken for a whole one.
            context.Abort();
            return;
        }

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

    [LoggerMessage(100, LogLevel.Error, "{Method} {Path} failed.")]
    private static partial void Failed(ILogger logger, string method, string path, Exception exception);
}

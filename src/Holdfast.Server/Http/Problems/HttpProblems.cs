using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Holdfast.Server;

/// <summary>
/// Whatever goes wrong around the calls is told as a problem too: unknown paths, wrong methods, requests that Kestrel
/// refuses while they are being read, and mistakes of ours (which are logged, and told without their insides).
/// </summary>
internal sealed partial class HttpProblems(RequestDelegate next, CallPool calls, ILogger<HttpProblems> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        Problem problem;
        string detail;
        try
        {
            await next(context);
            if (context.Response is not { StatusCode: >= 400, HasStarted: false, ContentType: null, ContentLength: null })
            {
                return;
            }

            (problem, detail) = context.Response.StatusCode switch
            {
                StatusCodes.Status404NotFound => (Problem.PathNotFound, $"there is no {context.Request.Path}: see /docs"),
                StatusCodes.Status405MethodNotAllowed => (Problem.MethodNotAllowed, $"{context.Request.Path} doesn't take {context.Request.Method}: see the header Allow, or /docs"),
                _ => (Problem.Internal with { Status = context.Response.StatusCode }, "the request could not be answered"),
            };
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            (problem, detail) = (Of(e), e.Message);
        }
        catch (Exception e) when (Ended(context, e))
        {
            // The client left (E63): there is nobody to tell. What was sent to the space stands.
            context.Abort();
            return;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            Failed(logger, context.Request.Method, context.Request.Path, e);
            (problem, detail) = (Problem.Internal, "the server's log says more; asking again with the same id is safe");
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

    [LoggerMessage(100, LogLevel.Error, "{Method} {Path} failed.")]
    private static partial void Failed(ILogger logger, string method, string path, Exception exception);
}

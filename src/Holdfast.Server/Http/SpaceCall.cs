using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Server;

/// <summary>The frame around a call that is not on the hot path: off the shared thread, its space found, a bad body told in words.</summary>
internal sealed class SpaceCall(SpaceOf spaces, CallPool calls)
{
    /// <summary>Answers a call of one space.</summary>
    public Task RunAsync(HttpContext context, Func<Call, Space, Task> answer) => RunAsync(context, call =>
        spaces.Find(context, out Problem missing, out string detail) is { } space
            ? answer(call, space)
            : call.RefuseAsync(context, missing, detail));

    /// <summary>Answers a call of the whole server.</summary>
    public async Task RunAsync(HttpContext context, Func<Call, Task> answer)
    {
        await Call.LeaveSharedThread(); // taking a large body apart is not for the thread that others wait for
        Call call = calls.Rent();
        try
        {
            await answer(call);
        }
        catch (BodyException e)
        {
            await call.RefuseAsync(context, e.Kind, e.Message);
        }
        finally
        {
            calls.Return(call);
        }
    }
}

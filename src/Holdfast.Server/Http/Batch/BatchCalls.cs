using System.Buffers;
using System.IO.Pipelines;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.ObjectPool;

namespace Holdfast.Server;

/// <summary>
/// POST /v1/batch: NDJSON in, NDJSON out in the same order, streaming both ways. A batch is no transaction: each line is
/// carried out on its own merits, as if it had come alone, but many share a wake-up and a write to the journal. The client
/// should read while it sends, or a long batch stalls on the answers that nobody takes.
/// </summary>
internal sealed class BatchCalls(SpaceHost host, SpaceOf spaces, CallPool calls, Access access) : IPooledObjectPolicy<BatchRun>
{
    /// <summary>Most bytes of a batch's body. Its memory is bounded by lines underway, not by this.</summary>
    private const long BodyBytesMax = 256L * 1024 * 1024;

    /// <summary>Longest line, in bytes: as a single call's body.</summary>
    private const int LineBytesMax = Call.BodyBytesMax;

    /// <summary>Most batches at once; one more is answered <c>overloaded</c>.</summary>
    private const int RunningMax = 64;

    private const string Ndjson = "application/x-ndjson";

    private readonly SemaphoreSlim _running = new(RunningMax);
    private ObjectPool<BatchRun>? _pool;

    public void Map(IEndpointRouteBuilder routes) => routes.MapPost("batch", PostAsync).Needs(Roles.Write);

    BatchRun IPooledObjectPolicy<BatchRun>.Create() => new(host.Hasher);

    bool IPooledObjectPolicy<BatchRun>.Return(BatchRun obj)
    {
        obj.Begin();
        return true;
    }

    private async Task PostAsync(HttpContext context)
    {
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
            }
            else if (!MediaType.IsNdjson(context.Request.ContentType))
            {
                await call.RefuseAsync(context, Problem.NotJson, $"the Content-Type is {context.Request.ContentType}: send {Ndjson}");
            }
            else if (!_running.Wait(0, CancellationToken.None))
            {
                await call.RefuseAsync(context, Problem.Of(Code.Overloaded), $"{RunningMax} batches are underway: nothing was executed, try again later");
            }
            else
            {
                await RunAsync(context, space);
            }
        }
        finally
        {
            calls.Return(call);
        }
    }

    private async Task RunAsync(HttpContext context, Space space)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = BodyBytesMax;
        }

        context.Response.ContentType = Ndjson;
        ObjectPool<BatchRun> pool = _pool ??= new DefaultObjectPool<BatchRun>(this, 8);
        BatchRun run = pool.Get();
        try
        {
            run.Begin(space.Options.QueueCapacity);
            await ReadAndAnswerAsync(context, space, run);
        }
        catch (BadHttpRequestException e)
        {
            // The answers so far are on their way already; the last line says why there are no more.
            run.Begin();
            run.Out.Problem(HttpProblems.Of(e), e.Message);
            run.Out.EndLine();
            await context.Response.BodyWriter.WriteAsync(run.Out.Written);
            if (HttpProblems.LeavesBodyUnread(e))
            {
                context.Abort();
            }
        }
        finally
        {
            pool.Return(run);
            _running.Release();
        }
    }

    private async Task ReadAndAnswerAsync(HttpContext context, Space space, BatchRun run)
    {
        (Problem, string)? mayAdjust = access.Refuses(context, Roles.Operate);
        PipeReader reader = context.Request.BodyReader;
        bool skipping = false;
        while (true)
        {
            ReadResult result = await reader.ReadAsync();
            ReadOnlySequence<byte> buffer = result.Buffer;
            while (!run.IsFull && TakeLine(ref buffer, result.IsCompleted, ref skipping, run, mayAdjust))
            {
                // Every whole line that is there goes with this sending.
            }

            // What was read is copied into the run; what is left of the buffer is the beginning of a line, or waits its turn.
            bool more = run.IsFull && !buffer.IsEmpty;
            reader.AdvanceTo(buffer.Start, more ? buffer.Start : buffer.End);
            if (run.Count > 0)
            {
                await run.ExecuteAsync(space);
                await context.Response.BodyWriter.WriteAsync(run.Out.Written);
                run.Begin(space.Options.QueueCapacity);
            }

            if (result.IsCompleted && !more)
            {
                return;
            }
        }
    }

    /// <summary>Takes one line off the buffer; false when there is no whole one.</summary>
    private static bool TakeLine(ref ReadOnlySequence<byte> buffer, bool last, ref bool skipping, BatchRun run, (Problem Problem, string Detail)? mayAdjust)
    {
        ReadOnlySequence<byte> line;
        if (buffer.PositionOf((byte)'\n') is { } end)
        {
            line = buffer.Slice(0, end);
            buffer = buffer.Slice(buffer.GetPosition(1, end));
        }
        else if (last && !buffer.IsEmpty)
        {
            line = buffer;
            buffer = buffer.Slice(buffer.End);
        }
        else
        {
            if (buffer.Length > LineBytesMax)
            {
                // Its end may never come: told once, then thrown away as it comes.
                if (!skipping)
                {
                    TooLong(run);
                }

                skipping = true;
                buffer = buffer.Slice(buffer.End);
            }

            return false;
        }

        if (skipping)
        {
            skipping = false;
        }
        else if (line.Length > LineBytesMax)
        {
            TooLong(run);
        }
        else
        {
            Read(line, run, mayAdjust);
        }

        return true;
    }

    private static void TooLong(BatchRun run) =>
        run.Next().Refuse(Problem.TooLarge, $"the line has more than {LineBytesMax} bytes");

    private static void Read(ReadOnlySequence<byte> line, BatchRun run, (Problem Problem, string Detail)? mayAdjust)
    {
        if (line.IsSingleSegment)
        {
            Read(line.FirstSpan, run, mayAdjust);
            return;
        }

        int length = (int)line.Length;
        byte[] whole = ArrayPool<byte>.Shared.Rent(length);
        line.CopyTo(whole);
        Read(whole.AsSpan(0, length), run, mayAdjust);
        ArrayPool<byte>.Shared.Return(whole);
    }

    private static void Read(ReadOnlySpan<byte> line, BatchRun run, (Problem Problem, string Detail)? mayAdjust)
    {
        // An empty line asks nothing and is answered nothing.
        if (line.ContainsAnyExcept(" \t\r"u8))
        {
            run.Next().Read(line, mayAdjust);
        }
    }
}

using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Holdfast.Engine;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Holdfast.Server;

/// <summary>
/// GET /v1/events: the journal as server-sent events. Only the last event of a batch carries the stream's id (the batch's
/// sequence), so whoever resumes begins with a whole batch: each event comes at least once, none is left out.
/// </summary>
internal sealed class EventCalls(SpaceOf spaces, CallPool calls, SpaceHost host, IHostApplicationLifetime lifetime)
{
    /// <summary>Most streams at once; one more is answered <c>overloaded</c>.</summary>
    private const int StreamsMax = 256;

    private const int FlushBytes = 32 * 1024;

    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan GatherFor = TimeSpan.FromMilliseconds(20);
    private readonly SemaphoreSlim _streams = new(StreamsMax);
    private readonly ConditionalWeakTable<Space, ResourceNames> _names = [];

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("events", GetAsync).Needs(Roles.Read);

    private async Task GetAsync(HttpContext context)
    {
        Call call = calls.Rent();
        try
        {
            if (spaces.Find(context, out Problem missing, out string detail) is not { } space)
            {
                await call.RefuseAsync(context, missing, detail);
            }
            else if (!TryAfter(context, space, out long after))
            {
                await call.RefuseAsync(context, Problem.Of(Code.Invalid), "after must be a sequence: 0 or more");
            }
            else if (after > space.Durable.Sequence)
            {
                await call.RefuseAsync(
                    context, Problem.Of(Code.Conflict), $"the journal ends at {space.Durable.Sequence}: what you read before was of another one (a backup was put back?); begin anew at 0");
            }
            else if (await FirstAfterAsync(space, after, context.RequestAborted) is var first && first > after + 1)
            {
                await call.RefuseAsync(context, Problem.Of(Code.TooOld), $"the journal begins at {first}: what was before it has been trimmed");
            }
            else if (!_streams.Wait(0, CancellationToken.None))
            {
                await call.RefuseAsync(context, Problem.Of(Code.Overloaded), $"{StreamsMax} streams are open: try again later");
            }
            else
            {
                await StreamAsync(context, call.Out, space, after);
            }
        }
        finally
        {
            calls.Return(call);
        }
    }

    private static bool TryAfter(HttpContext context, Space space, out long after)
    {
        // A browser that connects again sends the query of its first time, and in the header how far it has come.
        string text = context.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } last ? last : context.Request.Query["after"].ToString();
        after = space.Durable.Sequence;
        return text.Length == 0 || long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after);
    }

    private static async Task<long> FirstAfterAsync(Space space, long after, CancellationToken cancellationToken)
    {
        await Call.LeaveSharedThread();
        await foreach (ReadOnlyMemory<byte> bytes in space.Journal.ReadAsync(after + 1, cancellationToken))
        {
            return Frame.Read(bytes).Sequence;
        }

        return after + 1;
    }

    private async Task StreamAsync(HttpContext context, AnswerWriter output, Space space, long after)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);

        // Written to on the journal's thread: never blocks, and one mark says as much as a hundred.
        var durable = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        void OnDurable(long sequence) => durable.Writer.TryWrite(true);
        space.BatchDurable += OnDurable;
        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            await context.Response.BodyWriter.WriteAsync(": holdfast\n\n"u8.ToArray(), end.Token);
            while (true)
            {
                after = await SendAsync(context, output, space, after, end.Token);
                try
                {
                    // Waiting takes nothing, so a wait that was given up can't swallow the next mark.
                    await durable.Reader.WaitToReadAsync(end.Token).AsTask().WaitAsync(HeartbeatEvery, host.Time, end.Token);
                    durable.Reader.TryRead(out _);
                    await Task.Delay(GatherFor, host.Time, end.Token);
                }
                catch (TimeoutException)
                {
                    await context.Response.BodyWriter.WriteAsync(":\n\n"u8.ToArray(), end.Token);
                }
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The reader has gone, or the server goes: the reader resumes where it was.
        }
        finally
        {
            space.BatchDurable -= OnDurable;
            _streams.Release();
        }
    }

    private async Task<long> SendAsync(HttpContext context, AnswerWriter output, Space space, long after, CancellationToken cancellationToken)
    {
        // Not further: what a journal shows beyond may stand behind a batch that is still being written.
        long durable = space.Durable.Sequence;
        if (durable <= after)
        {
            return after;
        }

        await Call.LeaveSharedThread();
        IReadOnlyList<JsonEncodedText> names = await _names.GetValue(space, static s => new ResourceNames(s)).UpToAsync(durable, cancellationToken);
        await Call.LeaveSharedThread();
        output.Begin();
        await foreach (ReadOnlyMemory<byte> bytes in space.Journal.ReadAsync(after + 1, cancellationToken))
        {
            FrameView frame = Frame.Read(bytes);
            if (frame.Sequence > durable)
            {
                break;
            }

            Write(output, frame, names);
            after = frame.Sequence;
            if (output.Length >= FlushBytes)
            {
                await context.Response.BodyWriter.WriteAsync(output.Written, cancellationToken);
                await Call.LeaveSharedThread();
                output.Begin();
            }
        }

        await context.Response.BodyWriter.WriteAsync(output.Written, cancellationToken);
        return after;
    }

    private static void Write(AnswerWriter output, FrameView frame, IReadOnlyList<JsonEncodedText> names)
    {
        var reader = new EventReader(frame.Payload.Span);
        for (int i = 0; i < frame.Count; i++)
        {
            EventType type = reader.Next();
            if (i == frame.Count - 1)
            {
                output.Raw("id: "u8);
                output.Raw(frame.Sequence);
                output.Raw("\n"u8);
            }

            output.Raw("event: "u8);
            output.Raw(System.Text.Encoding.UTF8.GetBytes(EventTexts.Of(type)));
            output.Raw("\ndata: "u8);
            EventJson.Write(output, type, ref reader, frame.Sequence, i, frame.TimeMs, names);
            output.Raw("\n\n"u8);
        }
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.ObjectPool;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Server;

/// <summary>
/// What one HTTP call needs while it runs: the reader of its body, its commands, the writer of its answer. Taken from a
/// pool and given back, so that a call on the hot path allocates next to nothing.
/// </summary>
internal sealed class Call(NameHasher hasher)
{
    /// <summary>
    /// Largest body of a single call. The largest one that means anything (64 lines, every character escaped) has 56 KiB;
    /// so connections that send slowly can't pile up more than this each.
    /// </summary>
    public const int BodyBytesMax = 64 * 1024;

    private static readonly StringValues Json = "application/json; charset=utf-8";
    private static readonly StringValues ProblemJson = "application/problem+json";

    private Asking<TryHold>? _try;
    private Asking<ConfirmHold>? _confirm;
    private Asking<CancelHold>? _cancel;
    private Asking<ExtendHold>? _extend;
    private Asking<ReturnUnits>? _return;
    private Asking<GetHold>? _getHold;
    private Asking<PutResource>? _put;
    private Asking<AdjustSupply>? _adjust;
    private Asking<GetResource>? _getResource;
    private bool _hangUp;

    public BodyReader Body { get; } = new();

    public AnswerWriter Out { get; } = new();

    public Asking<TryHold> Try => _try ??= new(new TryHold(hasher) { WantsViewOfRepeat = true });

    public Asking<ConfirmHold> Confirm => _confirm ??= new(new ConfirmHold(hasher) { WantsView = true });

    public Asking<CancelHold> Cancel => _cancel ??= new(new CancelHold(hasher) { WantsView = true });

    public Asking<ExtendHold> Extend => _extend ??= new(new ExtendHold(hasher) { WantsView = true });

    public Asking<ReturnUnits> Return => _return ??= new(new ReturnUnits(hasher) { WantsView = true });

    public Asking<GetHold> GetHold => _getHold ??= new(new GetHold(hasher) { WantsView = true });

    public Asking<PutResource> Put => _put ??= new(new PutResource(hasher) { WantsView = true });

    public Asking<AdjustSupply> Adjust => _adjust ??= new(new AdjustSupply(hasher) { WantsView = true });

    public Asking<GetResource> GetResource => _getResource ??= new(new GetResource(hasher) { WantsView = true });

    /// <summary>Reads the body's fields. Null: read; otherwise what is wrong (<see cref="BodyReader.Problem"/> in words).</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<Problem?> ReadBodyAsync(HttpContext context, Fields allowed, bool optional = false)
    {
        if (!MediaType.IsJson(context.Request.ContentType))
        {
            Body.ReadNothing();
            Body.Fail($"the Content-Type is {context.Request.ContentType}: send application/json");
            return Problem.NotJson;
        }

        PipeReader reader = context.Request.BodyReader;
        try
        {
            while (true)
            {
                ReadResult result = await reader.ReadAsync();
                ReadOnlySequence<byte> buffer = result.Buffer;
                if (buffer.Length > BodyBytesMax)
                {
                    reader.AdvanceTo(buffer.End);
                    Body.ReadNothing();
                    Body.Fail($"the body has more than {BodyBytesMax} bytes");
                    return Problem.TooLarge;
                }

                if (result.IsCompleted)
                {
                    bool read = ReadWhole(buffer, allowed, optional);
                    reader.AdvanceTo(buffer.End);
                    return read ? null : Problem.Of(Code.Invalid);
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
            }
        }
        catch (BadHttpRequestException e)
        {
            Body.ReadNothing();
            Body.Fail(e.Message);
            _hangUp = HttpProblems.LeavesBodyUnread(e);
            return HttpProblems.Of(e);
        }
    }

    /// <summary>Sends what <see cref="Out"/> holds.</summary>
    public Task SendAsync(HttpContext context, int status) => SendAsync(context, status, Json);

    /// <summary>Sends a problem.</summary>
    public Task RefuseAsync(HttpContext context, Problem problem, string detail, Refusal? refusal = null)
    {
        Out.Begin();
        Out.Problem(problem, detail, refusal);
        if (problem.Passes)
        {
            context.Response.Headers.RetryAfter = Problem.RetryAfterSeconds;
        }

        return SendAsync(context, problem.Status, ProblemJson);
    }

    /// <summary>Sends a refusal of the space.</summary>
    public Task RefuseAsync(HttpContext context, in Answer answer)
    {
        var refusal = Refusal.From(answer);
        return RefuseAsync(context, Problem.Of(answer.Code), refusal.Message, refusal);
    }

    private Task SendAsync(HttpContext context, int status, StringValues type)
    {
        ReadOnlyMemory<byte> body = Out.Written;
        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.Headers.ContentType = type;
        response.ContentLength = body.Length;
        ValueTask<FlushResult> written = response.BodyWriter.WriteAsync(body);
        return _hangUp ? HangUpAsync(context, written)
            : written.IsCompletedSuccessfully ? Task.CompletedTask
            : written.AsTask();
    }

    private async Task HangUpAsync(HttpContext context, ValueTask<FlushResult> written)
    {
        _hangUp = false;
        await written;
        context.Abort();
    }

    private bool ReadWhole(ReadOnlySequence<byte> buffer, Fields allowed, bool optional)
    {
        if (buffer.IsEmpty)
        {
            Body.ReadNothing();
            return optional || Body.Fail("the body is empty: send a JSON object");
        }

        if (buffer.IsSingleSegment)
        {
            return Body.Read(buffer.FirstSpan, allowed);
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent((int)buffer.Length);
        buffer.CopyTo(whole);
        bool read = Body.Read(whole.AsSpan(0, (int)buffer.Length), allowed);
        ArrayPool<byte>.Shared.Return(whole);
        return read;
    }

    /// <summary>
    /// Goes on on the pool. A request, and what follows a write to its connection, may run on the one thread that watches
    /// all sockets, or on a journal's (see <see cref="Asking{T}"/>). Who reads from a disk there lets everybody wait for it.
    /// </summary>
    public static ConfiguredTaskAwaitable LeaveSharedThread() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    /// <summary>A command and the request that carries it. Its answer is written where it becomes known, on the journal's
    /// thread, which then may go on with the connection's next request: see <see cref="LeaveSharedThread"/>.</summary>
    public sealed class Asking<T>(T command)
        where T : Command
    {
        public T Command { get; } = command;

        public AwaitedRequest Request { get; } = new(command, inline: true);
    }
}

/// <summary>Makes and keeps <see cref="Call"/>s.</summary>
internal sealed class CallPool(SpaceHost host) : IPooledObjectPolicy<Call>
{
    private const int KeptMax = 1024;
    private ObjectPool<Call>? _pool;

    public Call Rent() => Pool.Get();

    public void Return(Call call) => Pool.Return(call);

    private ObjectPool<Call> Pool => _pool ??= new DefaultObjectPool<Call>(this, KeptMax);

    Call IPooledObjectPolicy<Call>.Create() => new(host.Hasher);

    bool IPooledObjectPolicy<Call>.Return(Call obj)
    {
        obj.Out.Begin();
        return true;
    }
}

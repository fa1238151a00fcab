using System.Text;
using System.Text.Json;
using Holdfast.Engine;
using Holdfast.Engine.Payments;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Holdfast.Server;

/// <summary>The calls on checkouts, refunds and payments in suspense.</summary>
internal sealed class CheckoutCalls(SpaceCall frame, SpaceHost host, PaymentHost payments, IHostApplicationLifetime lifetime)
{
    private const int BodyBytesMax = 256 * 1024;
    private const int StreamsMax = 4096;

    /// <summary>How long the answer to a new checkout waits for the provider's order, so that it can say where to pay.</summary>
    private static readonly TimeSpan OrderWait = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);
    private readonly SemaphoreSlim _streams = new(StreamsMax);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("checkouts", BeginAsync).Needs(Roles.Write);
        routes.MapGet("checkouts", context => ListAsync(context, suspense: false)).Needs(Roles.Read);
        routes.MapGet("checkouts/{id}", GetAsync).Needs(Roles.Read);
        routes.MapPost("checkouts/{id}/cancel", CancelAsync).Needs(Roles.Write);
        routes.MapGet("checkouts/{id}/refunds", RefundsAsync).Needs(Roles.Read);
        routes.MapPost("checkouts/{id}/refunds", RefundAsync).Needs(Roles.Write);
        routes.MapPost("checkouts/{id}/refunds/{refund}/settle", SettleAsync).Needs(Roles.Approve);
        routes.MapPost("checkouts/{id}/retry", RetryAsync).Needs(Roles.Operate);
        routes.MapPost("checkouts/{id}/resolve", ResolveAsync).Needs(Roles.Approve);
        routes.MapGet("checkouts/{id}/events", EventsAsync).Needs(Roles.Read);
        routes.MapGet("suspense", context => ListAsync(context, suspense: true)).Needs(Roles.Read);
        routes.MapPost("suspense/{channel}/{transaction}/refund", SuspenseRefundAsync).Needs(Roles.Approve);
    }

    private Task BeginAsync(HttpContext context) => AskAsync(context, body =>
        CheckoutBody.Begin(host.Hasher, JsonBody.Parse(body, optional: false), payments.Channels));

    private Task CancelAsync(HttpContext context) => AskAsync(context, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: true);
        JsonBody.Known(given, "reason");
        return new CancelCheckout(host.Hasher, Id(context), JsonBody.Text(given, "reason"));
    });

    private Task GetAsync(HttpContext context) => AskAsync(context, _ => new GetCheckout(host.Hasher, Id(context)));

    private Task RefundAsync(HttpContext context) => AskAsync(context, body =>
        CheckoutBody.Refund(host.Hasher, Id(context), JsonBody.Parse(body, optional: false)));

    private Task RetryAsync(HttpContext context) => AskAsync(context, body =>
    {
        JsonBody.Known(JsonBody.Parse(body, optional: true));
        return new RetryCheckout(host.Hasher, Id(context));
    });

    private Task ResolveAsync(HttpContext context) => AskAsync(context, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: false);
        JsonBody.Known(given, "decision", "reason");
        bool accept = JsonBody.Text(given, "decision") switch
        {
            "accept" => true,
            "refund" => false,
            _ => throw new BodyException("decision must be accept or refund"),
        };
        return new ResolveCheckout(host.Hasher, Id(context), accept, CheckoutBody.Reason(given));
    });

    private Task SettleAsync(HttpContext context) => AskAsync(context, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: false);
        JsonBody.Known(given, "state", "reason");
        bool succeeded = JsonBody.Text(given, "state") switch
        {
            "succeeded" => true,
            "failed" => false,
            _ => throw new BodyException("state must be succeeded or failed"),
        };
        return new SettleRefund(host.Hasher, Id(context), Encoding.UTF8.GetString(PathId.Of(context, "refund", partsBehind: 2)), succeeded, CheckoutBody.Reason(given));
    });

    private Task SuspenseRefundAsync(HttpContext context) => AskAsync(context, body =>
    {
        JsonElement given = JsonBody.Parse(body, optional: false);
        JsonBody.Known(given, "reason");
        return new ResolveCheckout(
            host.Hasher, (string)context.GetRouteValue("channel")!, Encoding.UTF8.GetString(PathId.Of(context, "transaction", partsBehind: 1)), CheckoutBody.Reason(given));
    });

    private Task AskAsync(HttpContext context, Func<ReadOnlyMemory<byte>, CheckoutCommand> read) => frame.RunAsync(context, async (call, space) =>
    {
        bool isGet = HttpMethods.IsGet(context.Request.Method);
        if (!isGet && !MediaType.IsJson(context.Request.ContentType))
        {
            await call.RefuseAsync(context, Problem.NotJson, $"the Content-Type is {context.Request.ContentType}: send application/json");
            return;
        }

        CheckoutCommand command = read(isGet ? default : await JsonBody.ReadAsync(context, BodyBytesMax));
        TimeSpan wait = Prefer.Wait(context);
        bool respondAsync = Prefer.Async(context) && !isGet;
        Answer answer = await SendAsync(space, command, wait, respondAsync, context.RequestAborted);
        if (answer.Code != Code.Ok)
        {
            await call.RefuseAsync(context, answer);
            return;
        }

        call.Out.Begin();
        CheckoutWriter.Write(call.Out, (CheckoutView)answer.Detail!);
        bool created = command is BeginCheckout && !answer.Repeat;
        if (command is BeginCheckout && (created || respondAsync))
        {
            context.Response.Headers.Location = PathId.Location(context, command.CheckoutId);
        }

        if (respondAsync)
        {
            context.Response.Headers["Preference-Applied"] = "respond-async";
        }

        await call.SendAsync(context, respondAsync ? StatusCodes.Status202Accepted : created ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    });

    /// <summary>
    /// Sends the command. With a wait, answers how the checkout stands when it is final, or when the time is over; a new
    /// checkout's answer waits at least for the provider's order, unless the caller would rather not.
    /// </summary>
    private async Task<Answer> SendAsync(Space space, CheckoutCommand command, TimeSpan wait, bool respondAsync, CancellationToken cancellationToken)
    {
        Answer answer = await space.AskAsync(command);
        bool forOrder = wait == TimeSpan.Zero && !respondAsync && command is BeginCheckout { ChannelMakesCalls: true };
        TimeSpan left = forOrder ? OrderWait : respondAsync ? TimeSpan.Zero : wait;
        long began = host.Time.GetTimestamp();
        while (answer is { Code: Code.Ok, Detail: CheckoutView view } && !IsEnough(view) && left > host.Time.GetElapsedTime(began))
        {
            // Waiting begins before the look, so that nothing happens between the two unseen.
            using var looked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task<bool> moved = space.WaitForCheckoutAsync(view.Id, left - host.Time.GetElapsedTime(began), looked.Token);
            if (await LookAsync(view.Id) && answer.Detail is CheckoutView now && !IsEnough(now))
            {
                await moved;
                if (await LookAsync(view.Id))
                {
                    continue;
                }
            }

            await looked.CancelAsync();
            await ((Task)moved).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            break;
        }

        return answer;

        bool IsEnough(CheckoutView checkout) => forOrder ? HasOrder(checkout) : IsSettled(checkout);

        // How the checkout stands now. The command was executed: that a look is refused must not say that it wasn't.
        async Task<bool> LookAsync(string id)
        {
            Answer later = await space.AskAsync(new GetCheckout(host.Hasher, id));
            if (later.Code == Code.Ok)
            {
                later.Repeat = answer.Repeat;
                answer = later;
            }

            return later.Code == Code.Ok;
        }
    }

    private static bool HasOrder(CheckoutView checkout) =>
        checkout.State != CheckoutState.Pending || checkout.PayUrl is not null || checkout.ProviderOrder is not null
        || checkout.Calls.Any(c => c is { Op: PaymentOp.Create, Attempts: > 0 });

    private static bool IsSettled(CheckoutView checkout) => checkout.State is not (CheckoutState.Pending or CheckoutState.Closing);

    private static bool IsFinal(CheckoutView checkout) =>
        IsSettled(checkout) && checkout.State != CheckoutState.Conflicted && checkout.Refunds.All(r => r.State != RefundState.Pending);

    private Task RefundsAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        Answer answer = await space.AskAsync(new GetCheckout(host.Hasher, Id(context)));
        if (answer.Code != Code.Ok)
        {
            await call.RefuseAsync(context, answer);
            return;
        }

        call.Out.Begin();
        call.Out.Json.WriteStartObject();
        CheckoutWriter.WriteRefunds(call.Out, (CheckoutView)answer.Detail!);
        call.Out.Json.WriteEndObject();
        await call.SendAsync(context, StatusCodes.Status200OK);
    });

    private Task ListAsync(HttpContext context, bool suspense) => frame.RunAsync(context, async (call, space) =>
    {
        const string stuck = "stuck";
        string? text = Page.Text(context, "state");
        CheckoutState? state = suspense ? CheckoutState.Suspense : text is null or stuck ? null : CheckoutTexts.State(text)
            ?? throw new BodyException("state must be pending, closing, paid, cancelled, expired, conflicted, suspense or stuck");
        Answer answer = await space.AskAsync(
            new ListCheckouts(host.Hasher, state, text == stuck, Page.After(context), Page.Limit(context)));
        if (answer.Code != Code.Ok)
        {
            await call.RefuseAsync(context, answer);
            return;
        }

        var page = (CheckoutPage)answer.Detail!;
        await Page.SendAsync(context, call, page.Checkouts, CheckoutWriter.Write, page.Next);
    });

    /// <summary>The checkout as server-sent events: as it stands, and whenever it has changed, until it is final.</summary>
    private Task EventsAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        string id = Id(context);
        Answer answer = await space.AskAsync(new GetCheckout(host.Hasher, id));
        if (answer.Code != Code.Ok)
        {
            await call.RefuseAsync(context, answer);
            return;
        }

        if (!_streams.Wait(0, CancellationToken.None))
        {
            await call.RefuseAsync(context, Problem.Of(Code.Overloaded), $"{StreamsMax} streams are open: try again later");
            return;
        }

        try
        {
            await StreamAsync(context, call.Out, space, id, (CheckoutView)answer.Detail!);
        }
        finally
        {
            _streams.Release();
        }
    });

    private async Task StreamAsync(HttpContext context, AnswerWriter output, Space space, string id, CheckoutView view)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        byte[] last = [];
        try
        {
            while (true)
            {
                Task<bool> moved = space.WaitForCheckoutAsync(id, HeartbeatEvery, end.Token);
                Answer answer = await space.AskAsync(new GetCheckout(host.Hasher, id));
                await Call.LeaveSharedThread();
                view = answer is { Code: Code.Ok, Detail: CheckoutView now } ? now : view;
                byte[] text = Event(output, view);
                bool same = text.AsSpan().SequenceEqual(last);
                await context.Response.BodyWriter.WriteAsync(same ? ":\n\n"u8.ToArray() : text, end.Token);
                last = text;
                if (IsFinal(view) || answer.Code != Code.Ok)
                {
                    return;
                }

                await moved;
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The reader has gone, or the server goes; whoever connects again gets the present state first.
        }
    }

    private static byte[] Event(AnswerWriter output, CheckoutView view)
    {
        output.Begin();
        output.Raw("event: checkout\ndata: "u8);
        CheckoutWriter.Write(output, view);
        output.Json.Flush();
        output.Raw("\n\n"u8);
        return output.Written.ToArray();
    }

    private static string Id(HttpContext context) => Encoding.UTF8.GetString(PathId.Of(context));
}

using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Holdfast.Engine;
using Holdfast.Engine.Payments;
using Holdfast.Journal;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>
/// The callbacks that were taken, as they came: to look at, and to be read again by a version that understands more than
/// the one that took them. Reading again is safe to repeat: what a callback says counts once.
/// </summary>
internal sealed class KeptCallbackCalls(SpaceCall frame, SpaceHost host, PaymentHost payments)
{
    private static readonly JsonEncodedText Time = JsonEncodedText.Encode("time");
    private const int BodyBytesMax = 4096;
    private const int LimitMax = 1000;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("callbacks", ListAsync).Needs(Roles.Operate); // bodies name people
        routes.MapPost("callbacks/{channel}/replay", ReplayAsync).Needs(Roles.Operate);
    }

    private Task ListAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        long after = Page.After(context) is not { } text ? 0
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long sequence) ? sequence
            : throw new BodyException("after must be a sequence of the journal: 0 or more");
        KeptPage page = await ReadAsync(space, Page.Text(context, "channel"), after, Limit(Page.Limit(context)), context.RequestAborted);
        await Page.SendAsync(context, call, page.Kept, Write, page.Next?.ToString(CultureInfo.InvariantCulture));
    });

    private Task ReplayAsync(HttpContext context) => frame.RunAsync(context, async (call, space) =>
    {
        string name = (string)context.GetRouteValue("channel")!;
        if (payments.Channels.Find(name) is not { } channel)
        {
            await call.RefuseAsync(context, Problem.PathNotFound, $"there is no channel '{name}'");
            return;
        }

        JsonElement body = JsonBody.Parse(await JsonBody.ReadAsync(context, BodyBytesMax), optional: true);
        JsonBody.Known(body, "after", "limit", "eventId");
        long after = JsonBody.Whole(body, "after") ?? 0;
        if (after < 0)
        {
            throw new BodyException("after must be a sequence of the journal: 0 or more");
        }

        string? only = JsonBody.Text(body, "eventId");
        KeptPage page = await ReadAsync(space, name, after, Limit(JsonBody.Whole(body, "limit") ?? LimitMax), context.RequestAborted);
        var read = new List<Replayed>();
        foreach (Kept kept in page.Kept.Where(k => only is null || k.Event.EventId == only))
        {
            read.Add(await ReplayAsync(space, channel, kept));
        }

        await Page.SendAsync(context, call, read, Write, page.Next?.ToString(CultureInfo.InvariantCulture));
    });

    private async Task<Replayed> ReplayAsync(Space space, IPaymentChannel channel, Kept kept)
    {
        if (channel.Reread(space.Name, kept.Event.EventId, kept.Event.Raw) is not { } notice)
        {
            return new Replayed(kept, null, "unreadable");
        }

        Answer answer = await space.AskAsync(new TakeNotice(host.Hasher, notice with { EventId = kept.Event.EventId }, channel.MakesCalls, kept.TimeMs));
        return new Replayed(kept, notice.Kind, answer.Code == Code.Ok ? answer.Detail as string ?? "kept" : answer.Code.Text());
    }

    private static int Limit(long limit) => limit is >= 1 and <= LimitMax ? (int)limit : throw new BodyException($"limit must be 1 to {LimitMax}");

    /// <summary>
    /// Kept callbacks behind a sequence, oldest first; whole batches, so that the next page begins at a sequence. What was
    /// read again is there once, as it came.
    /// </summary>
    private static async Task<KeptPage> ReadAsync(Space space, string? channel, long after, int limit, CancellationToken cancellationToken)
    {
        long durable = space.Durable.Sequence; // what the journal shows beyond may stand behind a batch that is still being written
        var kept = new List<Kept>();
        await foreach (ReadOnlyMemory<byte> bytes in space.Journal.ReadAsync(after + 1, cancellationToken))
        {
            FrameView frame = Frame.Read(bytes);
            if (frame.Sequence > durable)
            {
                break;
            }

            if (kept.Count >= limit)
            {
                return new KeptPage(kept, kept[^1].Sequence);
            }

            Take(frame, channel, kept);
        }

        return new KeptPage(kept, null);
    }

    private static void Take(FrameView frame, string? channel, List<Kept> kept)
    {
        var reader = new EventReader(frame.Payload.Span);
        for (int i = 0; i < frame.Count; i++)
        {
            EventType type = reader.Next();
            if (type != EventType.NoticeKept)
            {
                EventJson.Skip(type, ref reader);
            }
            else if (CheckoutEvent.Read(type, ref reader) is NoticeKeptEvent { Raw.IsEmpty: false } notice && (channel is null || notice.Channel == channel))
            {
                kept.Add(new Kept(frame.Sequence, frame.TimeMs, notice));
            }
        }
    }

    private static void Write(AnswerWriter output, Kept kept)
    {
        output.Json.WriteStartObject();
        WriteFacts(output, kept);
        if (Utf8.IsValid(kept.Event.Raw.Span))
        {
            output.Json.WriteString("body"u8, kept.Event.Raw.Span);
        }
        else
        {
            output.Json.WriteBase64String("bodyBase64"u8, kept.Event.Raw.Span);
        }

        output.Json.WriteEndObject();
    }

    private static void Write(AnswerWriter output, Replayed replayed)
    {
        output.Json.WriteStartObject();
        WriteFacts(output, replayed.Kept);
        if (replayed.Now is { } now)
        {
            output.Json.WriteString("understoodNowAs"u8, now.Text());
        }

        output.Json.WriteString("became"u8, replayed.Became);
        output.Json.WriteEndObject();
    }

    private static void WriteFacts(AnswerWriter output, Kept kept)
    {
        Utf8JsonWriter json = output.Json;
        json.WriteNumber("sequence"u8, kept.Sequence);
        output.WriteInstant(Time, kept.TimeMs);
        json.WriteString("channel"u8, kept.Event.Channel);
        json.WriteString("eventId"u8, kept.Event.EventId);
        json.WriteString("type"u8, kept.Event.ProviderType);
        json.WriteString("understoodAs"u8, kept.Event.Kind.Text());
        if (kept.Event.Checkout.TrimStart('\u0001') is { Length: > 0 } checkout)
        {
            json.WriteString("checkout"u8, checkout);
        }
    }

    private sealed record Kept(long Sequence, long TimeMs, NoticeKeptEvent Event);

    private sealed record KeptPage(IReadOnlyList<Kept> Kept, long? Next);

    private sealed record Replayed(Kept Kept, NoticeKind? Now, string Became);
}

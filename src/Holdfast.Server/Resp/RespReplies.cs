using System.Globalization;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server.Resp;

/// <summary>Writes the reply of a slot.</summary>
internal static class RespReplies
{
    public static void Write(RespWriter writer, RespSlot slot)
    {
        if (slot.Request is not { } request)
        {
            if (slot.Reply == RespReply.Error)
            {
                writer.Error(slot.Text);
            }
            else
            {
                writer.Raw(slot.Bytes);
            }

            return;
        }

        if (request.Answer.Code != Code.Ok)
        {
            writer.Error(Words(request.Answer));
            return;
        }

        switch (slot.Reply)
        {
            case RespReply.Hold:
                Hold(writer, (HoldView)request.Answer.Detail!, slot.Protocol);
                break;
            case RespReply.Resource:
                Resource(writer, (ResourceView)request.Answer.Detail!, slot.Protocol);
                break;
            case RespReply.Available:
                writer.Integer(request.Answer.Available);
                break;
            default:
                writer.Raw(State(request.Answer.State));
                break;
        }
    }

    /// <summary>A refusal: the code in capitals, then what it is about.</summary>
    private static string Words(in Answer answer)
    {
        string code = answer.Code.Text().ToUpperInvariant();
        Refusal refusal = Refusal.From(answer);
        if (refusal.Asked is null)
        {
            return $"{code} {refusal.Message}";
        }

        string counted = string.Create(CultureInfo.InvariantCulture, $"{code} {refusal.Resource} asked {refusal.Asked} available {refusal.Available}");
        return refusal switch
        {
            { Hold: { } hold } => $"{counted} hold {hold}",
            { Code: Code.UnknownResource or Code.Disabled or Code.NotOpen or Code.NotOwner } => $"{counted} ({refusal.Message})",
            _ => counted,
        };
    }

    private static ReadOnlySpan<byte> State(HoldState state) => state switch
    {
        HoldState.Held => "+held\r\n"u8,
        HoldState.Confirmed => "+confirmed\r\n"u8,
        HoldState.Cancelled => "+cancelled\r\n"u8,
        _ => "+expired\r\n"u8,
    };

    private static void Hold(RespWriter writer, HoldView hold, int protocol)
    {
        writer.Map(5, protocol);
        writer.Bulk("id");
        writer.Bulk(hold.Id);
        writer.Bulk("owner");
        writer.Bulk(hold.Owner ?? "");
        writer.Bulk("state");
        writer.Bulk(hold.State.ToString().ToLowerInvariant());
        writer.Bulk("expires-at");
        writer.Bulk(hold.ExpiresAtMs == 0
            ? ""
            : DateTimeOffset.FromUnixTimeMilliseconds(hold.ExpiresAtMs).UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
        writer.Bulk("lines");
        writer.Array(2 * hold.Lines.Count);
        foreach (HoldLineView line in hold.Lines)
        {
            writer.Bulk(line.Resource);
            writer.Integer(line.Quantity);
        }
    }

    private static void Resource(RespWriter writer, ResourceView resource, int protocol)
    {
        writer.Map(5, protocol);
        writer.Bulk("id");
        writer.Bulk(resource.Id);
        writer.Bulk("available");
        writer.Integer(resource.Available);
        writer.Bulk("held");
        writer.Integer(resource.Held);
        writer.Bulk("consumed");
        writer.Integer(resource.Consumed);
        writer.Bulk("version");
        writer.Integer(resource.Version);
    }
}

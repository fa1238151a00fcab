using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Server;

/// <summary>One line of a batch: what it asks, and how it is answered. Made to be reused.</summary>
internal sealed class BatchLine(NameHasher hasher, RequestGroup group)
{
    private const Fields Known = Fields.Op | HoldCalls.TryFields | Fields.KeepRemainder | Fields.Resource | ResourceCalls.AdjustFields;

    private readonly BodyReader _body = new();
    private GroupedRequest? _try;
    private GroupedRequest? _confirm;
    private GroupedRequest? _cancel;
    private GroupedRequest? _adjust;
    private Problem? _problem;
    private string? _detail;

    /// <summary>What is to be sent to the space; null when the line is answered without it.</summary>
    public GroupedRequest? Request { get; private set; }

    /// <summary>Reads a line.</summary>
    /// <param name="json">Its bytes, without the line's end.</param>
    /// <param name="mayAdjust">Null, or why the caller may not adjust supply.</param>
    public void Read(ReadOnlySpan<byte> json, (Problem Problem, string Detail)? mayAdjust)
    {
        (_problem, _detail, Request) = (null, null, null);
        if (!_body.Read(json, Known))
        {
            Refuse(Problem.Of(Code.Invalid), _body.Problem!);
            return;
        }

        ReadOnlySpan<byte> op = _body.Text(Fields.Op);
        if (op.SequenceEqual("try"u8))
        {
            Request = _try ??= new GroupedRequest(new TryHold(hasher) { WantsViewOfRepeat = true }, group);
            HoldCalls.Fill((TryHold)Request.Command, _body);
        }
        else if (op.SequenceEqual("confirm"u8))
        {
            Request = _confirm ??= new GroupedRequest(new ConfirmHold(hasher) { WantsView = true }, group);
            HoldCalls.Fill((ConfirmHold)Request.Command, _body.Text(Fields.Id), _body);
        }
        else if (op.SequenceEqual("cancel"u8))
        {
            Request = _cancel ??= new GroupedRequest(new CancelHold(hasher) { WantsView = true }, group);
            ((CancelHold)Request.Command).Reset(_body.Text(Fields.Id));
        }
        else if (op.SequenceEqual("adjust"u8))
        {
            ReadAdjust(mayAdjust);
        }
        else
        {
            Refuse(Problem.Of(Code.Invalid), "op must be try, confirm, cancel or adjust");
        }
    }

    /// <summary>The line can't be read at all.</summary>
    public void Refuse(Problem problem, string detail) => (Request, _problem, _detail) = (null, problem, detail);

    /// <summary>Writes the line's answer.</summary>
    public void Write(AnswerWriter output)
    {
        if (Request is not { } asked)
        {
            output.Problem(_problem!, _detail!);
        }
        else if (asked.Answer.Code != Code.Ok)
        {
            var refusal = Refusal.From(asked.Answer);
            output.Problem(Problem.Of(refusal.Code), refusal.Message, refusal);
        }
        else if (ReferenceEquals(asked, _try) && !asked.Answer.Repeat)
        {
            output.NewHold(_body, asked.Answer.ExpiresAtMs, StatusCodes.Status201Created);
        }
        else if (asked.Answer.Detail is ResourceView resource)
        {
            // Whom a deficit hits (E42) is told by the single call, and by GET /v1/holds?resource=: here lines would wait for a list.
            output.Resource(resource, StatusCodes.Status200OK, _body.Flag(Fields.Force) ? -resource.Available : 0);
        }
        else
        {
            output.Hold((HoldView)asked.Answer.Detail!, StatusCodes.Status200OK);
        }

        output.EndLine();
    }

    private void ReadAdjust((Problem Problem, string Detail)? mayAdjust)
    {
        if (mayAdjust is { } refused)
        {
            Refuse(refused.Problem, refused.Detail);
            return;
        }

        Request = _adjust ??= new GroupedRequest(new AdjustSupply(hasher) { WantsView = true }, group);
        ResourceCalls.Fill((AdjustSupply)Request.Command, _body.Text(Fields.Resource), _body);
    }
}

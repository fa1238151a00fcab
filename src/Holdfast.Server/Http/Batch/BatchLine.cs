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
    private GroupedRequest? _getHold;
    private GroupedRequest? _asked;
    private Problem? _problem;
    private string? _detail;

    /// <summary>What is to be sent to the space; null when the line is answered without it.</summary>
    public GroupedRequest? Request { get; private set; }

    /// <summary>Reads a line.</summary>
    /// <param name="json">Its bytes, without the line's end.</param>
    /// <param name="mayAdjust">Null, or why the caller may not adjust supply.</param>
    public void Read(ReadOnlySpan<byte> json, (Problem Problem, string Detail)? mayAdjust)
    {
        (_problem, _detail, Request, _asked) = (null, null, null, null);
        if (!_body.Read(json, Known))
        {
            Refuse(Problem.Of(Code.Invalid), _body.Problem!);
            return;
        }

        ReadOnlySpan<byte> op = _body.Text(Fields.Op);
        if (op.SequenceEqual("try"u8))
        {
            Request = _try ??= new GroupedRequest(new TryHold(hasher), group);
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

        _asked = Request;
    }

    /// <summary>The line can't be read at all.</summary>
    public void Refuse(Problem problem, string detail) => (Request, _asked, _problem, _detail) = (null, null, problem, detail);

    /// <summary>
    /// After the first sending: a repeated try tells how the hold stands by now, which takes a second question (that it
    /// then finds in <see cref="Request"/>). False when the answer is complete.
    /// </summary>
    public bool AsksAgain()
    {
        Request = null;
        if (_asked is null || !ReferenceEquals(_asked, _try) || _asked.Answer is not { Code: Code.Ok, Repeat: true })
        {
            return false;
        }

        Request = _asked = _getHold ??= new GroupedRequest(new GetHold(hasher) { WantsView = true }, group);
        ((GetHold)Request.Command).Reset(_body.Text(Fields.Id));
        return true;
    }

    /// <summary>Writes the line's answer.</summary>
    public void Write(AnswerWriter output)
    {
        if (_asked is null)
        {
            output.Problem(_problem!, _detail!);
        }
        else if (_asked.Answer.Code != Code.Ok)
        {
            var refusal = Refusal.From(_asked.Answer);
            output.Problem(Problem.Of(refusal.Code), refusal.Message, refusal);
        }
        else if (ReferenceEquals(_asked, _try))
        {
            output.NewHold(_body, _asked.Answer.ExpiresAtMs, StatusCodes.Status201Created);
        }
        else if (_asked.Answer.Detail is ResourceView resource)
        {
            output.Resource(resource, StatusCodes.Status200OK);
        }
        else
        {
            output.Hold((HoldView)_asked.Answer.Detail!, StatusCodes.Status200OK);
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

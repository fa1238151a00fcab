using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server.Resp;

/// <summary>What a reply is made of.</summary>
internal enum RespReply : byte
{
    /// <summary>Text that is ready as it is.</summary>
    Ready,

    /// <summary>An error's text.</summary>
    Error,

    /// <summary>The state of a hold.</summary>
    State,

    /// <summary>A hold.</summary>
    Hold,

    /// <summary>A resource.</summary>
    Resource,

    /// <summary>What is available of a resource.</summary>
    Available,
}

/// <summary>
/// One command of a pipeline in its place: its request to the space, or a reply that is ready. A connection keeps its
/// slots and their commands, so a pipeline of holds allocates nothing.
/// </summary>
internal sealed class RespSlot(NameHasher hasher, RequestGroup group)
{
    private (TryHold Command, GroupedRequest Request)? _try;
    private (ConfirmHold Command, GroupedRequest Request)? _confirm;
    private (CancelHold Command, GroupedRequest Request)? _cancel;
    private (GetHold Command, GroupedRequest Request)? _getHold;
    private (GetResource Command, GroupedRequest Request)? _getResource;

    public RespReply Reply { get; private set; }

    /// <summary>The RESP version that the connection spoke when the command came.</summary>
    public int Protocol { get; set; } = 2;

    /// <summary>The request to send, or null when the reply is ready.</summary>
    public GroupedRequest? Request { get; private set; }

    /// <summary>The reply's bytes (<see cref="RespReply.Ready"/>).</summary>
    public byte[] Bytes { get; private set; } = [];

    /// <summary>The reply's text (<see cref="RespReply.Error"/>).</summary>
    public string Text { get; private set; } = "";

    public TryHold Try() => Use(ref _try, static h => new TryHold(h), RespReply.State);

    public ConfirmHold Confirm() => Use(ref _confirm, static h => new ConfirmHold(h), RespReply.State);

    public CancelHold Cancel() => Use(ref _cancel, static h => new CancelHold(h), RespReply.State);

    public ExtendHold Extend() => Fresh(new ExtendHold(hasher), RespReply.State);

    public AdjustSupply Adjust() => Fresh(new AdjustSupply(hasher), RespReply.Available);

    public GetHold GetHold()
    {
        GetHold command = Use(ref _getHold, static h => new GetHold(h), RespReply.Hold);
        command.WantsView = true;
        return command;
    }

    public GetResource GetResource() => Use(ref _getResource, static h => new GetResource(h), RespReply.Resource);

    public void Ready(byte[] bytes)
    {
        Request = null;
        Reply = RespReply.Ready;
        Bytes = bytes;
    }

    public void Error(string text)
    {
        Request = null;
        Reply = RespReply.Error;
        Text = text;
    }

    private T Use<T>(ref (T Command, GroupedRequest Request)? kept, Func<NameHasher, T> make, RespReply reply)
        where T : Command
    {
        if (kept is null)
        {
            T command = make(hasher);
            kept = (command, new GroupedRequest(command, group));
        }

        Request = kept.Value.Request;
        Reply = reply;
        return kept.Value.Command;
    }

    private T Fresh<T>(T command, RespReply reply)
        where T : Command
    {
        Request = new GroupedRequest(command, group);
        Reply = reply;
        return command;
    }
}

using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using Holdfast.Engine;
using Holdfast.Kernel;

namespace Holdfast.Server.Resp;

/// <summary>
/// One connection: reads what has arrived, sends all its commands to the space with one push, and writes all replies in
/// order once the last answer is there. A client that sends nothing costs a parked task; one that doesn't read its
/// replies stops being read.
/// </summary>
internal sealed class RespConnection : RequestGroup, IValueTaskSource
{
    /// <summary>Most commands that are sent to the space at once; what is pipelined beyond waits its turn.</summary>
    private const int MaxPipeline = 1024;

    private readonly SpaceHost _host;
    private readonly RespSessionCommands _session;
    private readonly RespParser _parser = new();
    private readonly List<RespSlot> _slots = [];
    private readonly Request[] _requests = new Request[MaxPipeline];
    private ManualResetValueTaskSourceCore<bool> _answered;
    private byte[] _contiguous = [];
    private int _used;
    private bool _starved;
    private bool _close;
    private Space _sendingSpace = null!;

    public RespConnection(SpaceHost host, ApiKeys keys, long id)
    {
        _host = host;
        _session = new RespSessionCommands(host, keys, id);
    }

    /// <summary>
    /// Serves until the client has closed its sending half and all it sent is answered, or a pending read is cancelled.
    /// (Not until the connection's token says closed: that already fires when the client has merely finished sending.)
    /// </summary>
    public async Task RunAsync(IDuplexPipe transport)
    {
        while (!_close)
        {
            ReadResult read = await transport.Input.ReadAsync();
            if (read.IsCanceled)
            {
                return;
            }

            int consumed = ParsePipeline(read.Buffer);
            SequencePosition taken = read.Buffer.GetPosition(consumed);
            transport.Input.AdvanceTo(taken, _starved ? read.Buffer.End : taken);
            if (_used > 0 && !await AnswerAsync(transport.Output))
            {
                return;
            }

            if (consumed == 0 && read.IsCompleted)
            {
                return;
            }
        }
    }

    /// <inheritdoc/>
    protected override void Completed() => _answered.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _answered.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _answered.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answered.OnCompleted(continuation, state, token, flags);

    /// <summary>Turns whole commands into slots; returns the bytes taken.</summary>
    private int ParsePipeline(ReadOnlySequence<byte> buffer)
    {
        ReadOnlySpan<byte> input = Contiguous(buffer);
        int consumed = 0;
        _used = 0;
        _starved = false;
        Space space = _session.Space;
        while (_used < MaxPipeline && !_close)
        {
            RespParse parse = _parser.Next(input[consumed..], out int length);
            if (parse == RespParse.Incomplete)
            {
                _starved = true;
                break;
            }

            if (parse == RespParse.Malformed)
            {
                NextSlot().Error("ERR Protocol error: " + _parser.Error);
                _close = true;
                return consumed + Math.Max(1, length);
            }

            var arguments = new RespArguments(_parser, input.Slice(consumed, length));
            if (arguments.Count > 0)
            {
                Dispatch(NextSlot(), arguments);
                _close = _session.Quit;
            }

            consumed += length;
            if (!ReferenceEquals(space, _session.Space))
            {
                // Requests of one sending go to one space; the rest follows in the next.
                break;
            }
        }

        return consumed;
    }

    private void Dispatch(RespSlot slot, RespArguments arguments)
    {
        ReadOnlySpan<byte> name = arguments[0];
        if (RespArguments.Is(name, "HOLD.TRY"u8))
        {
            if (_session.Allows(Roles.Write, slot))
            {
                RespHoldCommands.Try(slot, arguments);
            }
        }
        else if (!TryOtherHoldCommand(slot, name, arguments) && !_session.TryAnswer(slot, arguments))
        {
            int shown = Math.Min(name.Length, 64);
            slot.Error($"ERR unknown command '{System.Text.Encoding.UTF8.GetString(name[..shown])}': HOLD.TRY, HOLD.CONFIRM, HOLD.CANCEL, HOLD.EXTEND, HOLD.GET, STOCK.GET, STOCK.ADJUST and SPACE are known");
        }
    }

    private bool TryOtherHoldCommand(RespSlot slot, ReadOnlySpan<byte> name, RespArguments arguments)
    {
        if (RespArguments.Is(name, "HOLD.CONFIRM"u8))
        {
            return Needs(Roles.Write, slot) || Run(RespHoldCommands.Confirm, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.CANCEL"u8))
        {
            return Needs(Roles.Write, slot) || Run(RespHoldCommands.Cancel, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.EXTEND"u8))
        {
            return Needs(Roles.Write, slot) || Run(RespHoldCommands.Extend, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.GET"u8))
        {
            return Needs(Roles.Read, slot) || Run(RespHoldCommands.Get, slot, arguments);
        }

        if (RespArguments.Is(name, "STOCK.GET"u8))
        {
            return Needs(Roles.Read, slot) || Run(RespHoldCommands.GetStock, slot, arguments);
        }

        return RespArguments.Is(name, "STOCK.ADJUST"u8)
            && (Needs(Roles.Operate, slot) || Run(RespHoldCommands.Adjust, slot, arguments));
    }

    private bool Needs(Roles role, RespSlot slot) => !_session.Allows(role, slot);

    private static bool Run(Action<RespSlot, RespArguments> read, RespSlot slot, RespArguments arguments)
    {
        read(slot, arguments);
        return true;
    }

    /// <summary>Sends the slots' requests and writes their replies; false when nobody reads them any more.</summary>
    private async ValueTask<bool> AnswerAsync(PipeWriter output)
    {
        int sent = 0;
        for (int i = 0; i < _used; i++)
        {
            if (_slots[i].Request is { } request)
            {
                _requests[sent++] = request;
            }
        }

        if (sent > 0)
        {
            // The space as it was when these were read: SPACE ends a sending.
            _answered.Reset();
            var answered = new ValueTask(this, _answered.Version);
            _sendingSpace.Send(this, _requests.AsSpan(0, sent));
            await answered;
        }

        WriteReplies(new RespWriter(output));
        FlushResult flushed = await output.FlushAsync();
        return !flushed.IsCompleted && !flushed.IsCanceled;
    }

    private void WriteReplies(RespWriter writer)
    {
        for (int i = 0; i < _used; i++)
        {
            RespReplies.Write(writer, _slots[i], _session.Protocol);
        }
    }

    private RespSlot NextSlot()
    {
        if (_used == 0)
        {
            _sendingSpace = _session.Space;
        }

        if (_used == _slots.Count)
        {
            _slots.Add(new RespSlot(_host.Hasher, this));
        }

        return _slots[_used++];
    }

    private ReadOnlySpan<byte> Contiguous(ReadOnlySequence<byte> buffer)
    {
        if (buffer.IsSingleSegment)
        {
            return buffer.FirstSpan;
        }

        int length = (int)buffer.Length;
        if (_contiguous.Length < length)
        {
            _contiguous = new byte[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length)];
        }

        buffer.CopyTo(_contiguous);
        return _contiguous.AsSpan(0, length);
    }
}

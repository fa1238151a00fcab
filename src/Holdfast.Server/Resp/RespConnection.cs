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

    /// <summary>Seconds that a client has for showing a key, where keys are needed.</summary>
    private const int LoginSeconds = 10;

    /// <summary>Seconds that a command may take from its first byte to its last.</summary>
    private const int CommandSeconds = 30;

    private readonly NameHasher _hasher;
    private readonly RespSessionCommands _session;
    private readonly RespParser _parser = new();
    private readonly List<RespSlot> _slots = [];
    private readonly Request[] _requests = new Request[MaxPipeline];
    private ManualResetValueTaskSourceCore<bool> _answered;
    private byte[] _contiguous = [];
    private int _used;
    private bool _starved;
    private bool _close;
    private Space? _sendingSpace;
    private int _age; // seconds
    private int _commandAge; // seconds, of a command whose end has not come
    private volatile bool _inCommand;
    private volatile string? _tooSlow;

    public RespConnection(SpaceOf spaces, NameHasher hasher, ApiKeys keys, long id)
    {
        _hasher = hasher;
        _session = new RespSessionCommands(spaces, keys, id);
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
                await SayTooSlowAsync(transport.Output);
                return;
            }

            int consumed = ParsePipeline(read.Buffer);
            SequencePosition taken = read.Buffer.GetPosition(consumed);
            transport.Input.AdvanceTo(taken, _starved ? read.Buffer.End : taken);
            ExpectEnd(consumed, _starved && consumed < read.Buffer.Length);
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

    /// <summary>
    /// Called once a second, on any thread: whether the client has had its time (E64). Who is silent between commands may stay; who
    /// doesn't show a key, or begins a command and doesn't end it, would keep the place of another.
    /// </summary>
    public bool IsTooSlow()
    {
        if (_session.IsStranger && ++_age > LoginSeconds)
        {
            _tooSlow = "NOAUTH no key was shown in time: connect again and send AUTH first";
        }
        else if (_inCommand && Interlocked.Increment(ref _commandAge) > CommandSeconds)
        {
            _tooSlow = "ERR a command's end didn't come in time: connect again";
        }

        return _tooSlow is not null;
    }

    /// <inheritdoc/>
    protected override void Completed() => _answered.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _answered.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _answered.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answered.OnCompleted(continuation, state, token, flags);

    private void ExpectEnd(int consumed, bool begun)
    {
        if (consumed > 0 || !begun)
        {
            Volatile.Write(ref _commandAge, 0);
        }

        _inCommand = begun;
    }

    private async ValueTask SayTooSlowAsync(PipeWriter output)
    {
        if (_tooSlow is { } why)
        {
            new RespWriter(output).Error(why);
            await output.FlushAsync();
        }
    }

    /// <summary>Turns whole commands into slots; returns the bytes taken.</summary>
    private int ParsePipeline(ReadOnlySequence<byte> buffer)
    {
        ReadOnlySpan<byte> input = Contiguous(buffer);
        int consumed = 0;
        _used = 0;
        _starved = false;
        _session.FindSpace();
        Space? space = _session.Space;
        int most = Math.Min(MaxPipeline, space?.Options.QueueCapacity ?? MaxPipeline); // more would never fit at once
        while (_used < most && !_close)
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
            if (MayAsk(Roles.Write, slot))
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
            return !MayAsk(Roles.Write, slot) || Run(RespHoldCommands.Confirm, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.CANCEL"u8))
        {
            return !MayAsk(Roles.Write, slot) || Run(RespHoldCommands.Cancel, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.EXTEND"u8))
        {
            return !MayAsk(Roles.Write, slot) || Run(RespHoldCommands.Extend, slot, arguments);
        }

        if (RespArguments.Is(name, "HOLD.GET"u8))
        {
            return !MayAsk(Roles.Read, slot) || Run(RespHoldCommands.Get, slot, arguments);
        }

        if (RespArguments.Is(name, "STOCK.GET"u8))
        {
            return !MayAsk(Roles.Read, slot) || Run(RespHoldCommands.GetStock, slot, arguments);
        }

        return RespArguments.Is(name, "STOCK.ADJUST"u8)
            && (!MayAsk(Roles.Operate, slot) || Run(RespHoldCommands.Adjust, slot, arguments));
    }

    /// <summary>Whether the space can be asked for this connection; if not, the slot gets the error.</summary>
    private bool MayAsk(Roles role, RespSlot slot)
    {
        if (!_session.Allows(role, slot))
        {
            return false;
        }

        if (_session.Space is null)
        {
            slot.Error(_session.NoSpace);
            return false;
        }

        return true;
    }

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
            _sendingSpace!.Send(this, _requests.AsSpan(0, sent));
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
            RespReplies.Write(writer, _slots[i]);
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
            _slots.Add(new RespSlot(_hasher, this));
        }

        RespSlot slot = _slots[_used++];
        slot.Protocol = _session.Protocol;
        return slot;
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

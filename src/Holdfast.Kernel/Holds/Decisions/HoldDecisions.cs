using System.Text;

namespace Holdfast.Kernel;

/// <summary>Decides what is asked of a hold that was made before: confirm, cancel, extend, return, get.</summary>
internal sealed class HoldDecisions(Ledger ledger, EventSink output, HoldOptions options)
{
    private readonly LineState[] _lines = new LineState[LinedCommand.MaxLines];
    private readonly long[] _quantities = new long[LinedCommand.MaxLines];

    /// <summary>
    /// The state of a known hold. One whose deadline has passed is expired first, even if the sweep hasn't come to it
    /// yet: whoever touches it learns what the journal then says, and nobody confirms past the deadline.
    /// </summary>
    public static HoldState Settle(Ledger ledger, EventSink output, int slot, long nowMs)
    {
        ref HoldSlot hold = ref ledger.Holds[slot];
        if (hold.State == HoldState.Held && hold.TimeMs <= nowMs)
        {
            output.Named(EventType.Expired, ledger.Holds.IdOf(slot));
        }

        return hold.State;
    }

    public Answer Confirm(ConfirmHold command, long nowMs)
    {
        int slot = Find(command);
        if (slot < 0)
        {
            return Answer.Refused(Code.NotFound);
        }

        switch (Settle(ledger, output, slot, nowMs))
        {
            case HoldState.Cancelled:
                return Answer.Refused(Code.Cancelled);
            case HoldState.Expired:
                return Answer.Refused(Code.Expired);
            case HoldState.Confirmed:
                return SameAsLastConfirm(command, slot)
                    ? Done(command, slot, repeat: true)
                    : Answer.Refused(Code.Conflict, "the hold was confirmed with other quantities");
        }

        return command.LineCount == 0 ? ConfirmAll(command, slot) : ConfirmPart(command, slot);
    }

    public Answer Cancel(CancelHold command, long nowMs)
    {
        int slot = Find(command);
        if (slot < 0)
        {
            output.Named(EventType.CancelledEmpty, command.IdBytes);
            return Done(command, Find(command), repeat: false);
        }

        switch (Settle(ledger, output, slot, nowMs))
        {
            case HoldState.Confirmed:
                return Answer.Refused(Code.Confirmed);
            case HoldState.Held:
                output.Named(EventType.Cancelled, command.IdBytes);
                return Done(command, slot, repeat: false);
            default:
                // Cancelled or expired: what the caller wants is so already.
                return Done(command, slot, repeat: true);
        }
    }

    public Answer Extend(ExtendHold command, long nowMs)
    {
        int slot = Find(command);
        if (slot < 0)
        {
            return Answer.Refused(Code.NotFound);
        }

        switch (Settle(ledger, output, slot, nowMs))
        {
            case HoldState.Confirmed:
                return Answer.Refused(Code.Confirmed);
            case HoldState.Cancelled:
                return Answer.Refused(Code.Cancelled);
            case HoldState.Expired:
                return Answer.Refused(Code.Expired);
        }

        HoldHeader header = ledger.Holds.HeaderOf(slot);
        long deadline = Math.Min(nowMs + command.TtlMs, header.CreatedAtMs + options.MaxLifeMs);
        if (deadline > nowMs && deadline != header.DeadlineMs)
        {
            output.Extended(command.IdBytes, deadline);
        }

        return Done(command, slot, repeat: false);
    }

    public Answer Return(ReturnUnits command)
    {
        if (command.LineCount == 0)
        {
            return Answer.Refused(Code.Invalid, "a return needs at least one line");
        }

        int slot = Find(command);
        if (slot < 0)
        {
            return Answer.Refused(Code.NotFound);
        }

        HoldHeader header = ledger.Holds.ReadLines(slot, _lines);
        bool ofTheHold = MatchLines(command, header);
        string id = Encoding.UTF8.GetString(command.Bytes(command.ReturnId));
        if (ledger.Holds.Returns.TryGetValue(slot, out List<KnownReturn>? known) && known.Find(r => r.Id == id) is { } earlier)
        {
            return ofTheHold && earlier.Quantities.AsSpan().SequenceEqual(_quantities.AsSpan(0, header.LineCount))
                ? Done(command, slot, repeat: true)
                : Answer.Refused(Code.Conflict, "this return id is known with other lines: use a new id");
        }

        if (FirstExcess(command, header, static line => line.Consumed) is { Code: not Code.Ok } refusal)
        {
            return refusal;
        }

        output.Returned(command, _quantities.AsSpan(0, header.LineCount));
        return Done(command, slot, repeat: false);
    }

    public Answer Get(GetHold command, long nowMs)
    {
        int slot = Find(command);
        if (slot < 0)
        {
            // Telling that there is none promises nothing: it may still arrive.
            return Answer.Refused(Code.NotFound);
        }

        Settle(ledger, output, slot, nowMs);
        return Done(command, slot, repeat: false);
    }

    /// <summary>A get that writes nothing, not even an expiry that is due.</summary>
    public Answer Peek(GetHold command)
    {
        int slot = Find(command);
        return slot < 0 ? Answer.Refused(Code.NotFound) : Done(command, slot, repeat: false);
    }

    private Answer ConfirmAll(ConfirmHold command, int slot)
    {
        output.Confirmed(command.IdBytes, keepRemainder: false, []);
        return Done(command, slot, repeat: false);
    }

    private Answer ConfirmPart(ConfirmHold command, int slot)
    {
        HoldHeader header = ledger.Holds.ReadLines(slot, _lines);
        bool ofTheHold = MatchLines(command, header);
        if (ofTheHold && command.KeepRemainder && IsLastConfirm(header))
        {
            // A repeat of the partial confirm that this hold remembers: consuming again would sell twice on a retry.
            return Done(command, slot, repeat: true);
        }

        if (FirstExcess(command, header, static line => line.Held) is { Code: not Code.Ok } refusal)
        {
            return refusal;
        }

        output.Confirmed(command.IdBytes, command.KeepRemainder, _quantities.AsSpan(0, header.LineCount));
        return Done(command, slot, repeat: false);
    }

    /// <summary>Fills the quantities, one for each line of the hold, from the command's lines. False: one names what the hold hasn't.</summary>
    private bool MatchLines(LinedCommand command, HoldHeader header)
    {
        _quantities.AsSpan(0, header.LineCount).Clear();
        bool all = true;
        foreach (ref LinedCommand.Line line in command.Lines)
        {
            int match = LineOf(command, line, header);
            if (match < 0)
            {
                all = false;
            }
            else
            {
                _quantities[match] = line.Quantity;
            }
        }

        return all;
    }

    /// <summary>The refusal of the command's first line that names more than there is; of what the hold hasn't, there is nothing.</summary>
    private Answer FirstExcess(LinedCommand command, HoldHeader header, Func<LineState, long> bound)
    {
        foreach (ref LinedCommand.Line line in command.Lines)
        {
            int match = LineOf(command, line, header);
            long available = match < 0 ? 0 : bound(_lines[match]);
            if (line.Quantity > available)
            {
                return new Answer
                {
                    Code = Code.ExceedsHold,
                    Resource = command.Bytes(line.Name).ToArray(),
                    Asked = line.Quantity,
                    Available = available,
                };
            }
        }

        return default;
    }

    /// <summary>Which of the hold's lines a command's line is about, or -1.</summary>
    private int LineOf(LinedCommand command, in LinedCommand.Line line, HoldHeader header)
    {
        int resource = ledger.Resources.Find(line.Name.Hash, command.Bytes(line.Name));
        for (int i = 0; i < header.LineCount; i++)
        {
            if (_lines[i].Resource == resource)
            {
                return i;
            }
        }

        return -1;
    }

    private bool SameAsLastConfirm(ConfirmHold command, int slot)
    {
        HoldHeader header = ledger.Holds.ReadLines(slot, _lines);
        if (command.LineCount == 0)
        {
            // "Everything" is a repeat only if nothing was left to release.
            for (int i = 0; i < header.LineCount; i++)
            {
                if (_lines[i].Consumed + _lines[i].Returned != _lines[i].Quantity)
                {
                    return false;
                }
            }

            return true;
        }

        return MatchLines(command, header) && IsLastConfirm(header);
    }

    private bool IsLastConfirm(HoldHeader header)
    {
        for (int i = 0; i < header.LineCount; i++)
        {
            if (_quantities[i] != _lines[i].LastConfirmed)
            {
                return false;
            }
        }

        return true;
    }

    private Answer Done(Command command, int slot, bool repeat)
    {
        HoldHeader header = ledger.Holds.HeaderOf(slot);
        return new Answer
        {
            State = ledger.Holds[slot].State,
            Repeat = repeat,
            ExpiresAtMs = header.LineCount == 0 ? 0 : header.DeadlineMs,
            Detail = command.WantsView ? HoldViews.Of(ledger, slot) : null,
        };
    }

    private int Find(Command command) => ledger.Holds.Find(command.Id.Hash, command.IdBytes);
}

/// <summary>Makes views of holds.</summary>
internal static class HoldViews
{
    public static HoldView Of(Ledger ledger, int slot)
    {
        var lines = new LineState[LinedCommand.MaxLines];
        HoldHeader header = ledger.Holds.ReadLines(slot, lines);
        var views = new HoldLineView[header.LineCount];
        for (int i = 0; i < views.Length; i++)
        {
            LineState line = lines[i];
            views[i] = new HoldLineView(ledger.Resources[line.Resource].Id, line.Quantity, line.Held, line.Consumed, line.Returned);
        }

        ReadOnlySpan<byte> owner = ledger.Holds.OwnerOf(slot);
        return new HoldView(
            Encoding.UTF8.GetString(ledger.Holds.IdOf(slot)),
            owner.IsEmpty ? null : Encoding.UTF8.GetString(owner),
            ledger.Holds[slot].State,
            header.CreatedAtMs,
            header.LineCount == 0 ? 0 : header.DeadlineMs,
            views);
    }
}

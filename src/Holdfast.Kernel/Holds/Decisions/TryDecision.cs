using System.Text;

namespace Holdfast.Kernel;

/// <summary>
/// Decides a try. What is checked, in this order (the fixed precedence of refusals): invalid, too_old, conflict, state
/// of the id, unknown_resource, disabled, not_open, not_owner, limit_exceeded, insufficient. Over several lines the
/// smallest code wins, then the first line.
/// </summary>
internal sealed class TryDecision(Ledger ledger, EventSink output, HoldOptions options)
{
    private readonly LineState[] _known = new LineState[LinedCommand.MaxLines];

    public Answer Decide(TryHold command, long nowMs)
    {
        if (command.LineCount == 0)
        {
            return Answer.Refused(Code.Invalid, "a hold needs at least one line");
        }

        if (command.IssuedAtMs > 0 && nowMs - command.IssuedAtMs > options.RetentionMs)
        {
            return Answer.Refused(Code.TooOld, "issuedAt is older than the retention: whether it was executed can't be known any more");
        }

        int slot = ledger.Holds.Find(command.Id.Hash, command.IdBytes);
        if (slot >= 0)
        {
            return Known(command, slot, nowMs);
        }

        if (CheckLines(command, nowMs) is { Code: not Code.Ok } refusal)
        {
            return refusal;
        }

        long lifeMs = LifeMs(command);
        output.Held(command, lifeMs);
        return new Answer
        {
            State = HoldState.Held,
            ExpiresAtMs = nowMs + lifeMs,
            Detail = command.WantsView ? HoldViews.Of(ledger, ledger.Holds.Find(command.Id.Hash, command.IdBytes)) : null,
        };
    }

    private Answer Known(TryHold command, int slot, long nowMs)
    {
        HoldState state = HoldDecisions.Settle(ledger, output, slot, nowMs);
        if (state == HoldState.Cancelled)
        {
            // Anti-suspension: whatever the body, a cancelled id stays cancelled.
            return Answer.Refused(Code.Cancelled);
        }

        HoldHeader header = ledger.Holds.ReadLines(slot, _known);
        if (!SameBody(command, slot, header))
        {
            return Answer.Refused(Code.Conflict, "this id is known with another owner, time to live or lines: use a new id");
        }

        return state switch
        {
            HoldState.Held => new Answer
            {
                State = state,
                Repeat = true,
                ExpiresAtMs = header.DeadlineMs,
                Detail = command.WantsView || command.WantsViewOfRepeat ? HoldViews.Of(ledger, slot) : null,
            },
            HoldState.Confirmed => Answer.Refused(Code.Confirmed),
            _ => Answer.Refused(Code.Expired),
        };
    }

    private bool SameBody(TryHold command, int slot, HoldHeader header)
    {
        if (command.LineCount != header.LineCount || command.TtlMs != header.TtlMs
            || !command.Bytes(command.Owner).SequenceEqual(ledger.Holds.OwnerOf(slot)))
        {
            return false;
        }

        foreach (ref LinedCommand.Line line in command.Lines)
        {
            int resource = ledger.Resources.Find(line.Name.Hash, command.Bytes(line.Name));
            bool found = false;
            for (int i = 0; i < header.LineCount && !found; i++)
            {
                found = _known[i].Resource == resource && _known[i].Quantity == line.Quantity;
            }

            if (!found)
            {
                return false;
            }
        }

        return true;
    }

    private Answer CheckLines(TryHold command, long nowMs)
    {
        Code worst = Code.Ok;
        int refused = 0;
        Span<LinedCommand.Line> lines = command.Lines;
        for (int i = 0; i < lines.Length; i++)
        {
            Code code = CheckLine(command, ref lines[i], nowMs);
            if (code != Code.Ok && (worst == Code.Ok || code < worst))
            {
                worst = code;
                refused = i;
            }
        }

        return worst == Code.Ok ? default : Refusal(command, lines[refused], worst);
    }

    private Code CheckLine(TryHold command, ref LinedCommand.Line line, long nowMs)
    {
        line.Account = -1;
        line.Resource = ledger.Resources.Find(line.Name.Hash, command.Bytes(line.Name));
        if (line.Resource < 0)
        {
            return Code.UnknownResource;
        }

        Resource resource = ledger.Resources[line.Resource];
        ResourcePolicy policy = resource.Policy;
        if (policy.Disabled)
        {
            return Code.Disabled;
        }

        if (nowMs < (policy.OpensAtMs ?? 0) || nowMs >= (policy.ClosesAtMs ?? long.MaxValue))
        {
            return Code.NotOpen;
        }

        if (!resource.OwnerMayHold(command.Bytes(command.Owner)))
        {
            return Code.NotOwner;
        }

        if (policy.LimitPerOwner is { } limit)
        {
            // Without a name the limit could not be kept, and leaving the owner out would be the way around it.
            if (!command.HasOwner)
            {
                return Code.NotOwner;
            }

            line.Account = ledger.Accounts.Find(command.Owner.Hash, command.Bytes(command.Owner), line.Resource);
            if (line.Quantity > limit - Used(line.Account))
            {
                return Code.LimitExceeded;
            }
        }

        return line.Quantity > resource.Offered ? Code.Insufficient : Code.Ok;
    }

    private Answer Refusal(TryHold command, LinedCommand.Line line, Code code)
    {
        var answer = new Answer { Code = code, Asked = line.Quantity };
        if (line.Resource < 0)
        {
            answer.Resource = command.Bytes(line.Name).ToArray();
            return answer;
        }

        Resource resource = ledger.Resources[line.Resource];
        answer.Resource = resource.Name;
        answer.Available = Math.Max(0, resource.Offered);
        if (code == Code.NotOwner && resource.Policy.LimitPerOwner is not null && !command.HasOwner)
        {
            answer.Detail = "the resource is limited by owner and the hold names none";
        }

        if (code == Code.LimitExceeded)
        {
            answer.Available = Math.Max(0, resource.Policy.LimitPerOwner!.Value - Used(line.Account));
            answer.Detail = EarlierHold(line);
        }

        return answer;
    }

    /// <summary>The owner's own last hold, if it is still known and counts on this line's resource: it stands in the way (E56).</summary>
    private string? EarlierHold(LinedCommand.Line line)
    {
        int hold = line.Account < 0 ? -1 : ledger.Accounts[line.Account].LastHold;
        if (hold < 0)
        {
            return null;
        }

        int lines = ledger.Holds.ReadLines(hold, _known).LineCount;
        foreach (LineState known in _known.AsSpan(0, lines))
        {
            if (known.Resource == line.Resource && known.Held + known.Consumed > 0)
            {
                return Encoding.UTF8.GetString(ledger.Holds.IdOf(hold));
            }
        }

        return null;
    }

    private long Used(int account) => account < 0 ? 0 : ledger.Accounts[account].Used;

    private long LifeMs(TryHold command)
    {
        long life = command.TtlMs;
        if (life == 0)
        {
            // Of several resources the one with the shortest time to live decides.
            life = long.MaxValue;
            foreach (ref LinedCommand.Line line in command.Lines)
            {
                life = Math.Min(life, ledger.Resources[line.Resource].Policy.HoldMs ?? options.DefaultTtlMs);
            }
        }

        return Math.Min(life, options.MaxLifeMs);
    }
}

namespace Holdfast.Kernel.Tests.Model;

/// <summary>Section 4 of the design read plainly: what is answered to a command. Slow and obvious on purpose.</summary>
internal sealed class ReferenceModel(HoldOptions rules) : ReferenceBooks(rules)
{
    public Reply Apply(Op op, long now) => op switch
    {
        PutOp o => Put(o),
        AdjustOp o => Adjust(o, now),
        TryOp o => Try(o, now),
        ConfirmOp o => Confirm(o, now),
        CancelOp o => Cancel(o, now),
        ExtendOp o => Extend(o, now),
        ReturnOp o => Return(o),
        GetOp o => Get(o, now),
        _ => throw new ArgumentOutOfRangeException(nameof(op)),
    };

    private Reply Put(PutOp op)
    {
        if (op.Policy.HoldMs > Rules.MaxLifeMs)
        {
            return new Reply(Code.Invalid);
        }

        if (Shelf(op.Resource) is { } known)
        {
            known.Policy = op.Policy;
            return new Reply(Code.Ok, Repeat: true, Available: Available(op.Resource));
        }

        Shelves.Add(new Shelf(op.Resource) { Policy = op.Policy });
        return new Reply(Code.Ok);
    }

    private Reply Adjust(AdjustOp op, long now)
    {
        if (Shelf(op.Resource) is not { } shelf)
        {
            return new Reply(Code.UnknownResource, Resource: op.Resource);
        }

        bool isKnown = shelf.Adjustments.TryGetValue(op.Id, out (long Value, long? Version, bool Force) known);
        if (isKnown && known == (op.Value, op.ExpectedVersion, op.Force))
        {
            return new Reply(Code.Ok, Repeat: true, Available: Available(op.Resource));
        }

        long delta = op.ExpectedVersion is null ? op.Value : op.Value - Available(op.Resource);
        if (Int128.Abs((Int128)shelf.Supplied + delta) > Quantity.Max)
        {
            return new Reply(Code.Invalid);
        }

        if (isKnown)
        {
            return new Reply(Code.Conflict);
        }

        if (op.ExpectedVersion is { } expected && expected != op.CurrentVersion)
        {
            return new Reply(Code.VersionMismatch, Resource: op.Resource, Asked: expected, Available: op.CurrentVersion);
        }

        if (delta < 0 && !op.Force && Available(op.Resource) + delta < 0)
        {
            return new Reply(Code.Insufficient, Resource: op.Resource, Asked: -delta, Available: Math.Max(0, Available(op.Resource)));
        }

        shelf.Supplied += Flaw == Flaw.AdjustsTwice ? 2 * delta : delta;
        shelf.Adjustments[op.Id] = (op.Value, op.ExpectedVersion, op.Force);
        Adjusted.Add((op.Resource, op.Id, now));
        return new Reply(Code.Ok, Available: Available(op.Resource));
    }

    private Reply Try(TryOp op, long now)
    {
        (string Resource, long Quantity)[] lines = Sum(op.Lines);
        if (lines.Length == 0)
        {
            return new Reply(Code.Invalid);
        }

        if (op.IssuedAtMs != 0 && op.IssuedAtMs < now - Rules.RetentionMs && Flaw != Flaw.IgnoresIssuedAt)
        {
            return new Reply(Code.TooOld);
        }

        if (Find(op.Id) is { } order)
        {
            NoticeDeadline(order, now);
            bool same = order.Owner == op.Owner && order.TtlAsked == op.TtlMs
                && order.Lines.Select(l => (l.Resource, l.Quantity)).ToHashSet().SetEquals(lines);
            return order.State == HoldState.Cancelled ? new Reply(Code.Cancelled)
                : !same && Flaw != Flaw.MissesConflict ? new Reply(Code.Conflict)
                : order.State == HoldState.Confirmed ? new Reply(Code.Confirmed)
                : order.State == HoldState.Expired ? new Reply(Code.Expired)
                : Done(order, repeat: true);
        }

        Reply[] refusals = [.. lines.Select(l => Check(op, l, now)).Where(r => r.Code != Code.Ok)];
        if (refusals.Length > 0)
        {
            Code smallest = Flaw == Flaw.FirstLineWins ? refusals[0].Code : refusals.Min(r => r.Code);
            return refusals.First(r => r.Code == smallest);
        }

        long ttl = op.TtlMs > 0 ? op.TtlMs : lines.Min(l => Shelf(l.Resource)!.Policy.HoldMs ?? Rules.DefaultTtlMs);
        var made = new Order(op.Id, op.Owner, now, op.TtlMs, [.. lines.Select(l => new Line(l.Resource, l.Quantity) { Held = l.Quantity })])
        {
            State = HoldState.Held,
            Deadline = now + Math.Min(ttl, Rules.MaxLifeMs),
        };
        Orders.Add(made);
        return Done(made, repeat: false);
    }

    private Reply Check(TryOp op, (string Resource, long Quantity) line, long now)
    {
        if (Shelf(line.Resource) is not { } shelf)
        {
            return new Reply(Code.UnknownResource, Resource: line.Resource, Asked: line.Quantity);
        }

        ResourcePolicy policy = shelf.Policy;
        long offered = Available(line.Resource) + policy.Overdraft - (Flaw == Flaw.OffersSafetyStock ? 0 : policy.SafetyStock);
        long left = (policy.LimitPerOwner ?? long.MaxValue) - (op.Owner is null ? 0 : Used(op.Owner, line.Resource));
        bool closed = now < policy.OpensAtMs || now >= policy.ClosesAtMs;
        bool stranger = (policy.Owner is not null && policy.Owner != op.Owner) || (policy.LimitPerOwner is not null && op.Owner is null);
        Code code =
            policy.Disabled ? Code.Disabled
            : closed ? Code.NotOpen
            : stranger ? Code.NotOwner
            : line.Quantity > left ? Code.LimitExceeded
            : line.Quantity > offered ? Code.Insufficient
            : Code.Ok;
        return new Reply(code, Resource: line.Resource, Asked: line.Quantity, Available: Math.Max(0, code == Code.LimitExceeded ? left : offered));
    }

    private Reply Confirm(ConfirmOp op, long now)
    {
        if (Find(op.Id) is not { } order)
        {
            return new Reply(Code.NotFound);
        }

        NoticeDeadline(order, now);
        (string Resource, long Quantity)[] lines = Sum(op.Lines);
        switch (order.State)
        {
            case HoldState.Cancelled:
                return new Reply(Code.Cancelled);
            case HoldState.Expired:
                return new Reply(Code.Expired);
            case HoldState.Confirmed:
                bool again = lines.Length == 0
                    ? order.Lines.TrueForAll(l => l.Consumed + l.Returned == l.Quantity)
                    : order.LastConfirm.SetEquals(lines);
                return again ? Done(order, repeat: true) : new Reply(Code.Conflict);
        }

        if (lines.Length == 0)
        {
            lines = [.. order.Lines.Select(l => (l.Resource, l.Held))];
        }
        else if (op.KeepRemainder && order.LastConfirm.SetEquals(lines) && Flaw != Flaw.ConfirmsTwice)
        {
            return Done(order, repeat: true);
        }

        if (Excess(order, lines, l => l.Held) is { } refusal)
        {
            return refusal;
        }

        bool keep = op.KeepRemainder && op.Lines.Length > 0;
        foreach (Line line in order.Lines)
        {
            long quantity = lines.Where(l => l.Resource == line.Resource).Sum(l => l.Quantity);
            line.Consumed += quantity;
            line.Held = keep ? line.Held - quantity : Flaw == Flaw.KeepsTheRest ? line.Held - quantity : 0;
        }

        order.LastConfirm = [.. lines.Where(l => l.Quantity > 0)];
        if (!keep || order.Lines.TrueForAll(l => l.Held == 0))
        {
            End(order, HoldState.Confirmed, now, keepsHeld: Flaw == Flaw.KeepsTheRest);
        }

        return Done(order, repeat: false);
    }

    private Reply Cancel(CancelOp op, long now)
    {
        if (Find(op.Id) is not { } order)
        {
            var tombstone = new Order(op.Id, null, now, 0, []);
            Orders.Add(tombstone);
            End(tombstone, HoldState.Cancelled, now);
            return Done(tombstone, repeat: false);
        }

        NoticeDeadline(order, now);
        if (order.State == HoldState.Confirmed)
        {
            return new Reply(Code.Confirmed);
        }

        bool wasHeld = order.State == HoldState.Held;
        if (wasHeld)
        {
            if (Flaw == Flaw.CancelGivesConsumedBack)
            {
                order.Lines.ForEach(l => l.Consumed = 0);
            }

            End(order, HoldState.Cancelled, now);
        }

        return Done(order, repeat: !wasHeld);
    }

    private Reply Extend(ExtendOp op, long now)
    {
        if (Find(op.Id) is not { } order)
        {
            return new Reply(Code.NotFound);
        }

        NoticeDeadline(order, now);
        if (order.State != HoldState.Held)
        {
            return new Reply(order.State switch
            {
                HoldState.Confirmed => Code.Confirmed,
                HoldState.Cancelled => Code.Cancelled,
                _ => Code.Expired,
            });
        }

        order.Deadline = Flaw == Flaw.ExtendsForever ? now + op.TtlMs : Math.Min(now + op.TtlMs, order.Created + Rules.MaxLifeMs);
        return Done(order, repeat: false);
    }

    private Reply Return(ReturnOp op)
    {
        (string Resource, long Quantity)[] lines = Sum(op.Lines);
        if (lines.Length == 0)
        {
            return new Reply(Code.Invalid);
        }

        if (Find(op.Id) is not { } order)
        {
            return new Reply(Code.NotFound);
        }

        if (order.Returns.TryGetValue(op.ReturnId, out HashSet<(string, long)>? known) && Flaw != Flaw.ReturnsTwice)
        {
            return known.SetEquals(lines) ? Done(order, repeat: true) : new Reply(Code.Conflict);
        }

        if (Excess(order, lines, l => l.Consumed) is { } refusal)
        {
            return refusal;
        }

        foreach ((string resource, long quantity) in lines)
        {
            Line line = order.Lines.Find(l => l.Resource == resource)!;
            line.Consumed -= quantity;
            line.Returned += quantity;
        }

        order.Returns[op.ReturnId] = [.. lines];
        return Done(order, repeat: false);
    }

    private Reply Get(GetOp op, long now)
    {
        if (Find(op.Id) is not { } order)
        {
            return new Reply(Code.NotFound);
        }

        NoticeDeadline(order, now);
        return Done(order, repeat: false);
    }

    private static Reply? Excess(Order order, (string Resource, long Quantity)[] lines, Func<Line, long> bound)
    {
        foreach ((string resource, long quantity) in lines)
        {
            long there = order.Lines.Where(l => l.Resource == resource).Sum(bound);
            if (quantity > there)
            {
                return new Reply(Code.ExceedsHold, Resource: resource, Asked: quantity, Available: there);
            }
        }

        return null;
    }

    private static Reply Done(Order order, bool repeat) =>
        new(Code.Ok, order.State, repeat, order.Lines.Count == 0 ? 0 : order.Deadline, View: Describe(order));

    private static (string Resource, long Quantity)[] Sum(IEnumerable<(string Resource, long Quantity)> lines) =>
        [.. lines.GroupBy(l => l.Resource, StringComparer.Ordinal).Select(g => (g.Key, g.Sum(l => l.Quantity)))];
}

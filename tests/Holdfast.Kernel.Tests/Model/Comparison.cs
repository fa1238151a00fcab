namespace Holdfast.Kernel.Tests.Model;

/// <summary>Runs one sequence against the machine and the reference model and stops at the first difference.</summary>
internal sealed class Comparison
{
    private readonly HoldOptions _options;
    private readonly ReferenceModel _model;
    private readonly List<Batch> _history = [];
    private Space _space;

    private Comparison(HoldOptions options, Flaw flaw)
    {
        _options = options;
        _model = new ReferenceModel(options) { Flaw = flaw };
        _space = new Space(options);
    }

    /// <summary>The first difference, or null.</summary>
    public static string? FindDifference(HoldOptions options, IReadOnlyList<Op> ops, Flaw flaw = Flaw.None)
    {
        var comparison = new Comparison(options, flaw);
        for (int i = 0; i < ops.Count; i++)
        {
            string? difference;
            try
            {
                difference = comparison.Step(ops[i]) ?? comparison.CompareState();
            }
            catch (Exception e) when (e is not ShouldAssertException)
            {
                difference = e.ToString();
            }

            if (difference is not null)
            {
                return $"step {i}, {ops[i]}: {difference}";
            }
        }

        return comparison.CompareEnding();
    }

    /// <summary>The shortest sequence found by cutting that still differs.</summary>
    public static List<Op> Shrink(HoldOptions options, List<Op> ops, Flaw flaw = Flaw.None)
    {
        for (int cut = ops.Count / 2; cut >= 1; cut /= 2)
        {
            for (int at = 0; at + cut <= ops.Count;)
            {
                List<Op> shorter = [.. ops[..at], .. ops[(at + cut)..]];
                if (FindDifference(options, shorter, flaw) is null)
                {
                    at += cut;
                }
                else
                {
                    ops = shorter;
                }
            }
        }

        return ops;
    }

    private string? Step(Op op)
    {
        switch (op)
        {
            case WaitOp wait:
                _space.Now += wait.Ms;
                return null;
            case TidyOp:
                return Tidy();
            case RestartOp restart:
                return Restart(restart.FromSnapshot);
            case AdjustOp { ExpectedVersion: { } behind } set when _model.ShelfIds.Contains(set.Resource):
                long current = _space.Resource(set.Resource).Version;
                return Ask(set with { ExpectedVersion = current - behind, CurrentVersion = current });
            default:
                return Ask(op);
        }
    }

    private string? Ask(Op op)
    {
        // The model goes first: what it says must not depend on the machine.
        Reply expected = _model.Apply(op, _space.Now);
        Answer answer = Decide(op);
        var said = new Reply(
            answer.Code, answer.State, answer.Repeat, answer.ExpiresAtMs, answer.Asked, answer.Available,
            answer.Resource is null ? null : System.Text.Encoding.UTF8.GetString(answer.Resource),
            answer.Detail is HoldView view ? HoldText.Of(view) : null);
        if (answer.Code == Code.LimitExceeded && answer.Detail is string named && !_model.StandsInTheWay(named, ((TryOp)op).Owner, said.Resource!))
        {
            return $"the refusal names {named}, which stands in nobody's way";
        }

        if (answer.Code.PromisesNothing() && _space.LastEvents.Length > 0)
        {
            return "a refusal that promises nothing wrote events";
        }

        return said == expected ? null : $"answered {said}, expected {expected}";
    }

    private Answer Decide(Op op) => op switch
    {
        PutOp o => _space.Put(o.Resource, o.Policy),
        AdjustOp { ExpectedVersion: { } version } o => _space.Set(o.Resource, o.Id, o.Value, version),
        AdjustOp o => _space.Adjust(o.Resource, o.Id, o.Value, o.Force),
        TryOp o => _space.TryWith(o.Id, o.Owner, o.TtlMs, o.IssuedAtMs, o.Lines),
        ConfirmOp o => _space.ConfirmWith(o.Id, o.KeepRemainder, o.Lines),
        CancelOp o => _space.Cancel(o.Id),
        ExtendOp o => _space.Extend(o.Id, o.TtlMs),
        ReturnOp o => _space.Return(o.Id, o.ReturnId, o.Lines),
        GetOp o => _space.Get(o.Id),
        _ => throw new ArgumentOutOfRangeException(nameof(op)),
    };

    private string? Tidy()
    {
        bool more = _space.Tidy();
        int expired = 0;
        var reader = new EventReader(_space.LastEvents);
        while (reader.Next() is var type and not EventType.None)
        {
            string? wrong = type switch
            {
                EventType.Expired => _model.Expire(System.Text.Encoding.UTF8.GetString(HoldNamedEvent.Read(ref reader).Id), _space.Now),
                EventType.HoldsForgotten => _model.ForgetHolds(Bounded(ForgottenEvent.Read(ref reader).Count), _space.Now),
                EventType.AdjustmentsForgotten => _model.ForgetAdjustments(Bounded(ForgottenEvent.Read(ref reader).Count), _space.Now),
                _ => $"tidying wrote {type}",
            };
            expired += type == EventType.Expired ? 1 : 0;
            if (wrong is not null)
            {
                return wrong;
            }
        }

        Bounded(expired);
        return more ? null : _model.FindForgottenDuty(_space.Now);
    }

    private int Bounded(int count) => count <= _options.MaxExpiriesPerBatch
        ? count
        : throw new InvalidOperationException($"{count} in one batch, bounded by {_options.MaxExpiriesPerBatch}");

    private string? Restart(bool fromSnapshot)
    {
        _history.AddRange(_space.Batches);
        SpaceMachine old = _space.Machine;
        SpaceMachine machine = fromSnapshot ? Ending.Restore(old) : Ending.Replay(_history, _options);
        _space = new Space(machine: machine) { Now = _space.Now };
        return machine.Digest != old.Digest ? "another digest after a restart"
            : StateText.Of(machine) != StateText.Of(old) ? "another state after a restart"
            : null;
    }

    private string? CompareState()
    {
        foreach (ResourceView r in _space.Machine.ListResources())
        {
            string said = FormattableString.Invariant($"{r.Id} {r.Available} {r.Held} {r.Consumed} {r.Supplied} {r.Policy}");
            string expected = _model.DescribeShelf(r.Id);
            if (said != expected)
            {
                return $"resource {said}, expected {expected}";
            }
        }

        KnownHold[] holds = [.. _space.Machine.ListHolds()];
        string ended = string.Join(' ', holds.Where(h => h.FinishedAtMs is not null).Select(h => h.Id));
        if (ended != _model.DescribeEnded())
        {
            return $"finished {ended}, expected {_model.DescribeEnded()}";
        }

        string[] said2 = [.. holds.Select(h => HoldText.Of(_space.Peek(h.Id))).Order(StringComparer.Ordinal)];
        string[] expected2 = [.. _model.DescribeOrders()];
        return said2.SequenceEqual(expected2) ? null : $"holds\n{string.Join('\n', said2)}\nexpected\n{string.Join('\n', expected2)}";
    }

    private string? CompareEnding() =>
        _space.Machine.FindImbalance() ?? Restart(fromSnapshot: true) ?? Restart(fromSnapshot: false) ?? _space.Machine.FindImbalance();
}

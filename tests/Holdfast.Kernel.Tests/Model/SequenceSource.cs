namespace Holdfast.Kernel.Tests.Model;

/// <summary>Random sequences from a seed, over so few ids, owners and resources that everything meets everything.</summary>
internal sealed class SequenceSource
{
    private static readonly string[] Resources = ["r0", "r1", "r2", "r3"];
    private static readonly string?[] Owners = ["ann", "bob", null];

    private readonly Random _random;
    private readonly Dictionary<string, TryOp> _tried = [];
    private readonly Dictionary<string, ConfirmOp> _confirmed = [];
    private readonly Dictionary<string, ReturnOp> _returned = [];
    private readonly List<Op> _ops = [];
    private long _elapsedMs;

    private SequenceSource(int seed)
    {
        _random = new Random(seed);
        Options = new HoldOptions
        {
            DefaultTtlMs = 5_000,
            MaxLifeMs = 30_000,
            RetentionMs = 20_000,
            AdjustmentRetentionMs = 60_000,
            MaxExpiriesPerBatch = Chance(2) ? _random.Next(1, 4) : 4_096,
        };
    }

    public HoldOptions Options { get; }

    public static (HoldOptions Options, List<Op> Ops) Make(int seed)
    {
        var source = new SequenceSource(seed);
        source.Fill(source._random.Next(20, 80));
        return (source.Options, source._ops);
    }

    private void Fill(int length)
    {
        foreach (string resource in Resources[..3])
        {
            _ops.Add(new PutOp(resource, Chance(2) ? ResourcePolicy.Default : Policy()));
            _ops.Add(new AdjustOp(resource, "a0", _random.Next(1, 15), false, null));
        }

        while (_ops.Count < length)
        {
            _ops.Add(Next());
        }
    }

    private Op Next() => _random.Next(100) switch
    {
        < 30 => Try(),
        < 46 => Confirm(),
        < 55 => new CancelOp(Id()),
        < 61 => new ExtendOp(Id(), _random.Next(1, 40_000)),
        < 69 => Return(),
        < 72 => new GetOp(Id()),
        < 76 => new PutOp(Resource(), Policy()),
        < 82 => Adjust(),
        < 90 => Wait(),
        < 98 => new TidyOp(),
        _ => new RestartOp(Chance(2)),
    };

    private Op Try()
    {
        string id = Id();
        if (_tried.TryGetValue(id, out TryOp? known) && !Chance(4))
        {
            return known;
        }

        long issued = Chance(3) ? Space.Start + _elapsedMs - _random.Next(40_000) : 0;
        long ttl = Chance(2) ? 0 : Chance(2) ? 1_000 * _random.Next(1, 9) : _random.Next(1, 40_000);
        return _tried[id] = new TryOp(id, Owner(), ttl, issued, Chance(50) ? [] : Lines());
    }

    private ConfirmOp Confirm()
    {
        string id = Id();
        if (_confirmed.TryGetValue(id, out ConfirmOp? known) && Chance(2))
        {
            return known;
        }

        return _confirmed[id] = new ConfirmOp(id, Chance(2), Chance(3) ? [] : PartOf(id));
    }

    private ReturnOp Return()
    {
        string id = Id();
        if (_returned.TryGetValue(id, out ReturnOp? known) && Chance(2))
        {
            return known;
        }

        return _returned[id] = new ReturnOp(id, "x" + _random.Next(3), Chance(20) ? [] : PartOf(id));
    }

    /// <summary>Mostly lines that the hold may have, at most in its quantities.</summary>
    private (string Resource, long Quantity)[] PartOf(string id) => !_tried.TryGetValue(id, out TryOp? hold) || Chance(5)
        ? Lines()
        : [.. hold.Lines.Where(_ => !Chance(3)).Select(l => (l.Resource, _random.NextInt64(1, l.Quantity + 1)))];

    private AdjustOp Adjust()
    {
        string id = "a" + _random.Next(5);
        if (Chance(3))
        {
            // Behind by 0: the version that it is going to meet.
            return new AdjustOp(Resource(), id, _random.Next(12), false, Chance(3) ? 1 : 0);
        }

        long delta = Chance(30) ? Quantity.Max : _random.Next(1, 9);
        return new AdjustOp(Resource(), id, Chance(3) ? -delta : delta, Chance(4), null);
    }

    private WaitOp Wait()
    {
        long ms = _random.Next(7) switch
        {
            0 => 1,
            1 => _random.Next(64, 200),
            2 => 20_001,
            3 => Chance(4) ? 40 * 60_000 : 1_000, // at times more than a turn of the deadlines' wheel
            4 => 1_000 * _random.Next(1, 9), // so that deadlines are met to the millisecond
            _ => _random.Next(1_000, 10_000),
        };
        _elapsedMs += ms;
        return new WaitOp(ms);
    }

    private ResourcePolicy Policy()
    {
        long now = Space.Start + _elapsedMs;
        return new ResourcePolicy
        {
            LimitPerOwner = Chance(3) ? _random.Next(1, 8) : null,
            OpensAtMs = Chance(8) ? now + _random.Next(-5_000, 5_000) : null,
            ClosesAtMs = Chance(8) ? now + _random.Next(5_001, 20_000) : null,
            Owner = Chance(8) ? "ann" : null,
            Overdraft = Chance(4) ? _random.Next(10) : 0,
            HoldMs = Chance(4) ? _random.Next(1_000, 32_000) : null,
            Disabled = Chance(10),
            SafetyStock = Chance(6) ? _random.Next(6) : 0,
        };
    }

    private (string Resource, long Quantity)[] Lines() =>
        [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => (Resource(), (long)_random.Next(1, 5)))];

    private string Id() => "h" + _random.Next(7);

    private string? Owner() => Owners[_random.Next(Owners.Length)];

    // The last one is never put at first: often unknown.
    private string Resource() => Resources[Chance(12) ? 3 : _random.Next(3)];

    private bool Chance(int oneIn) => _random.Next(oneIn) == 0;
}

namespace Holdfast.Kernel.Tests.Model;

/// <summary>
/// What the reference model knows: lists and LINQ, no index, no sharing, and no bucket is kept; each is counted from the
/// holds whenever it is asked for. <see cref="Flaw"/> plants a fault, to show that the comparison with the machine finds it.
/// </summary>
/// <remarks>
/// When a deadline is noticed and an id forgotten is left open by the design (bounded per batch), so there the model is
/// told what the machine did and judges whether it was allowed.
/// </remarks>
internal abstract class ReferenceBooks(HoldOptions rules)
{
    private readonly List<string> _ended = [];
    private readonly Dictionary<(string Owner, string Resource), long> _boughtByForgotten = [];

    protected HoldOptions Rules { get; } = rules;

    protected List<Shelf> Shelves { get; } = [];

    protected List<Order> Orders { get; } = [];

    protected List<(string Resource, string Id, long At)> Adjusted { get; } = [];

    public Flaw Flaw { get; init; }

    public IEnumerable<string> ShelfIds => Shelves.Select(s => s.Id);

    /// <summary>Judges and books an expiry that the machine found by itself.</summary>
    public string? Expire(string id, long now)
    {
        if (Find(id) is not { State: HoldState.Held } order || order.Deadline > now)
        {
            return $"{id} was expired though it was not due";
        }

        End(order, HoldState.Expired, now);
        return null;
    }

    /// <summary>Judges and books that the oldest finished ids were forgotten.</summary>
    public string? ForgetHolds(int count, long now)
    {
        foreach (string id in _ended.Take(count).ToArray())
        {
            Order order = Find(id)!;
            if (order.EndedAt + Rules.RetentionMs >= now)
            {
                return $"{id} was forgotten before its time";
            }

            foreach (Line line in order.Lines)
            {
                Shelf(line.Resource)!.ConsumedByForgotten += line.Consumed;
                if (order.Owner is not null)
                {
                    _boughtByForgotten[(order.Owner, line.Resource)] = _boughtByForgotten.GetValueOrDefault((order.Owner, line.Resource)) + line.Consumed;
                }
            }

            _ended.RemoveAt(0);
            Orders.Remove(order);
        }

        return null;
    }

    /// <summary>Judges and books that the oldest adjustment ids were forgotten.</summary>
    public string? ForgetAdjustments(int count, long now)
    {
        foreach ((string resource, string id, long at) in Adjusted.Take(count).ToArray())
        {
            if (at + Rules.AdjustmentRetentionMs >= now)
            {
                return $"adjustment {id} was forgotten before its time";
            }

            Shelf(resource)!.Adjustments.Remove(id);
            Adjusted.RemoveAt(0);
        }

        return null;
    }

    /// <summary>After the machine said that nothing more is due. Deadlines may be found up to 64 ms late.</summary>
    public string? FindForgottenDuty(long now)
    {
        Order? late = Orders.Find(o => o.State == HoldState.Held && o.Deadline + 64 <= now);
        if (late is not null)
        {
            return $"{late.Id} was due at {late.Deadline} and is still held at {now}";
        }

        return _ended.Count > 0 && Find(_ended[0])!.EndedAt + Rules.RetentionMs < now ? _ended[0] + " should have been forgotten"
            : Adjusted.Count > 0 && Adjusted[0].At + Rules.AdjustmentRetentionMs < now ? Adjusted[0].Id + " should have been forgotten"
            : null;
    }

    public string DescribeShelf(string id)
    {
        Shelf shelf = Shelf(id)!;
        return FormattableString.Invariant($"{id} {Available(id)} {Held(id)} {Consumed(id)} {shelf.Supplied} {shelf.Policy}");
    }

    public IEnumerable<string> DescribeOrders() => Orders.Select(Describe).Order(StringComparer.Ordinal);

    public string DescribeEnded() => string.Join(' ', _ended);

    /// <summary>Whether naming this hold as what stands in the way is the truth.</summary>
    public bool StandsInTheWay(string id, string? owner, string resource) =>
        Find(id) is { State: HoldState.Held or HoldState.Confirmed } order && order.Owner == owner && order.Lines.Any(l => l.Resource == resource);

    protected void NoticeDeadline(Order order, long now)
    {
        if (order.State == HoldState.Held && (Flaw == Flaw.DeadlineIsExclusive ? order.Deadline < now : order.Deadline <= now))
        {
            End(order, HoldState.Expired, now);
        }
    }

    protected void End(Order order, HoldState state, long now, bool keepsHeld = false)
    {
        order.State = state;
        order.EndedAt = now;
        if (!keepsHeld && !(Flaw == Flaw.ExpiryKeepsStock && state == HoldState.Expired))
        {
            order.Lines.ForEach(l => l.Held = 0);
        }

        _ended.Add(order.Id);
    }

    protected static string Describe(Order o) => HoldText.Of(
        o.Id, o.Owner, o.State, o.Created, o.Lines.Count == 0 ? 0 : o.Deadline, o.Lines.Select(l => (l.Resource, l.Quantity, l.Held, l.Consumed, l.Returned)));

    protected Shelf? Shelf(string id) => Shelves.Find(s => s.Id == id);

    protected Order? Find(string id) => Orders.Find(o => o.Id == id);

    protected IEnumerable<Line> LinesOn(string resource) => Orders.SelectMany(o => o.Lines).Where(l => l.Resource == resource);

    protected long Held(string resource) => LinesOn(resource).Sum(l => l.Held);

    protected long Consumed(string resource) => LinesOn(resource).Sum(l => l.Consumed) + Shelf(resource)!.ConsumedByForgotten;

    protected long Available(string resource) => Shelf(resource)!.Supplied - Held(resource) - Consumed(resource);

    protected long Used(string owner, string resource) =>
        Orders.Where(o => o.Owner == owner && !(Flaw == Flaw.ConfirmGivesQuotaBack && o.State == HoldState.Confirmed))
            .SelectMany(o => o.Lines).Where(l => l.Resource == resource).Sum(l => l.Held + l.Consumed)
        + _boughtByForgotten.GetValueOrDefault((owner, resource));
}

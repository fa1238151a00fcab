using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>A machine's state as rows: where views begin whose early frames were trimmed.</summary>
internal static class ViewSeed
{
    public static IEnumerable<ViewResource> Resources(SpaceMachine machine)
    {
        int number = 0;
        foreach (ResourceView view in machine.ListResources())
        {
            yield return new ViewResource(number++, view.Id)
            {
                Available = view.Available,
                Held = view.Held,
                Consumed = view.Consumed,
                Supplied = view.Supplied,
                Version = view.Version,
                Policy = view.Policy,
                Change = RowChange.New,
            };
        }
    }

    /// <summary>Numbered from 1 in the order of their making: below any number of a later batch, since every batch before
    /// could have made at most as many as a batch's numbers.</summary>
    public static IEnumerable<ViewHold> Holds(SpaceMachine machine, long sequence)
    {
        long number = 0;
        foreach (KnownHold known in machine.ListHolds().OrderBy(h => h.CreatedAtMs))
        {
            yield return new ViewHold(++number, known.Id, known.Owner, known.CreatedAtMs, [.. known.Lines.Select(Line)])
            {
                State = known.State,
                ExpiresAtMs = known.ExpiresAtMs,
                FinishedAtMs = known.FinishedAtMs,
                Sequence = sequence,
                Change = RowChange.New,
            };
        }
    }

    private static ViewLine Line(KnownHoldLine line) => new()
    {
        Resource = line.Resource,
        Quantity = line.Quantity,
        Held = line.Held,
        Consumed = line.Consumed,
        Returned = line.Returned,
    };
}

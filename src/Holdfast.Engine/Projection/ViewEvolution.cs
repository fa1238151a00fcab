using System.Text;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine.Projection;

/// <summary>
/// Events to rows: the kernel's ledger once more, over rows. The tests hold the two against each other after random
/// histories; where the kernel touches a resource (and its version rises), this does too.
/// </summary>
internal sealed class ViewEvolution(ViewChunk chunk)
{
    private readonly long[] _quantities = new long[LinedCommand.MaxLines];
    private long _sequence;
    private long _timeMs;
    private int _ordinal;
    private EventType _kind;

    public void Evolve(ReadOnlySpan<byte> payload, int count, long sequence, long timeMs)
    {
        (_sequence, _timeMs) = (sequence, timeMs);
        var reader = new EventReader(payload);
        for (_ordinal = 0; _ordinal < count; _ordinal++)
        {
            _kind = reader.Next();
            Evolve(ref reader);
        }
    }

    private void Evolve(ref EventReader reader)
    {
        switch (_kind)
        {
            case EventType.Held:
                Held(HeldEvent.Read(ref reader));
                break;
            case EventType.Confirmed:
                Confirmed(ConfirmedEvent.Read(ref reader));
                break;
            case EventType.Cancelled:
                Released(HoldNamedEvent.Read(ref reader).Id, HoldState.Cancelled);
                break;
            case EventType.Expired:
                Released(HoldNamedEvent.Read(ref reader).Id, HoldState.Expired);
                break;
            case EventType.CancelledEmpty:
                CancelledEmpty(HoldNamedEvent.Read(ref reader).Id);
                break;
            case EventType.Extended:
                ExtendedEvent extended = ExtendedEvent.Read(ref reader);
                Change(extended.Id).ExpiresAtMs = extended.DeadlineMs;
                break;
            case EventType.Returned:
                Returned(ReturnedEvent.Read(ref reader));
                break;
            case EventType.ResourcePut:
                ResourcePut(ResourcePutEvent.Read(ref reader));
                break;
            case EventType.SupplyAdjusted:
                SupplyAdjusted(SupplyAdjustedEvent.Read(ref reader));
                break;
            case EventType.HoldsForgotten or EventType.AdjustmentsForgotten:
                // The loop forgets ids; views are history and keep them.
                ForgottenEvent.Read(ref reader);
                break;
            case var kind when TransactionEvent.Is(kind):
                // Lists of transactions come from the loop; their holds are rows like any other.
                TransactionEvent.Read(kind, ref reader);
                break;
            case var kind when CheckoutEvent.Is(kind):
                CheckoutEvent.Read(kind, ref reader); // likewise
                break;
            default:
                throw new JournalCorruptException(_sequence, $"Event type {(int)_kind} is not known to this version of Holdfast; a newer one wrote this journal.");
        }
    }

    private void Held(HeldEvent held)
    {
        long number = ViewHold.NumberOf(_sequence, _ordinal);
        var lines = new ViewLine[held.LineCount];
        Pairs pairs = held.Lines;
        for (int i = 0; pairs.Next(out int resource, out long quantity); i++)
        {
            lines[i] = new ViewLine { Resource = resource, Quantity = quantity, Held = quantity };
            Move(resource, number, -quantity, quantity, 0, null, null);
        }

        chunk.AddNew(new ViewHold(number, Text(held.Id), held.Owner.IsEmpty ? null : Text(held.Owner), _timeMs, lines)
        {
            State = HoldState.Held,
            ExpiresAtMs = _timeMs + held.LifeMs,
            Sequence = _sequence,
            Change = RowChange.New,
        });
    }

    private void Confirmed(ConfirmedEvent confirmed)
    {
        ViewHold hold = Change(confirmed.Id);
        bool all = confirmed.LineCount == 0;
        bool left = false;
        confirmed.CopyQuantities(_quantities);
        for (int i = 0; i < hold.Lines.Length; i++)
        {
            ref ViewLine line = ref hold.Lines[i];
            long consumed = all ? line.Held : _quantities[i];
            long released = confirmed.KeepRemainder ? 0 : line.Held - consumed;
            line.Held -= consumed + released;
            line.Consumed += consumed;
            left |= line.Held != 0;
            Move(line.Resource, hold.Number, released, -(consumed + released), consumed, null, null);
        }

        hold.LinesChanged = true;
        if (!left)
        {
            Finish(hold, HoldState.Confirmed);
        }
    }

    private void Released(ReadOnlySpan<byte> id, HoldState state)
    {
        ViewHold hold = Change(id);
        foreach (ref ViewLine line in hold.Lines.AsSpan())
        {
            Move(line.Resource, hold.Number, line.Held, -line.Held, 0, null, null);
            line.Held = 0;
        }

        hold.LinesChanged = true;
        Finish(hold, state);
    }

    private void CancelledEmpty(ReadOnlySpan<byte> id) =>
        chunk.AddNew(new ViewHold(ViewHold.NumberOf(_sequence, _ordinal), Text(id), null, _timeMs, [])
        {
            State = HoldState.Cancelled,
            FinishedAtMs = _timeMs,
            Sequence = _sequence,
            Change = RowChange.New,
        });

    private void Returned(ReturnedEvent returned)
    {
        ViewHold hold = Change(returned.Id);
        string returnId = Text(returned.ReturnId), reason = Text(returned.Reason);
        returned.CopyQuantities(_quantities);
        for (int i = 0; i < hold.Lines.Length; i++)
        {
            // The kernel touches no resource that nothing comes back to.
            if (_quantities[i] is not 0 and long quantity)
            {
                ref ViewLine line = ref hold.Lines[i];
                line.Consumed -= quantity;
                line.Returned += quantity;
                Move(line.Resource, hold.Number, quantity, 0, -quantity, reason, returnId);
            }
        }

        hold.LinesChanged = true;
    }

    private void ResourcePut(ResourcePutEvent put)
    {
        string id = Text(put.Id);
        ViewResource? resource = chunk.FindResource(id);
        if (resource is null)
        {
            resource = new ViewResource(chunk.NextResource++, id) { Change = RowChange.New };
            chunk.Put(resource);
        }

        resource.Policy = put.Policy;
        Touch(resource);
    }

    private void SupplyAdjusted(SupplyAdjustedEvent adjusted)
    {
        Resource(adjusted.Resource).Supplied += adjusted.Delta;
        Move(adjusted.Resource, 0, adjusted.Delta, 0, 0, Text(adjusted.Reason), Text(adjusted.AdjustmentId));
    }

    private void Move(int number, long hold, long available, long held, long consumed, string? reason, string? reference)
    {
        ViewResource resource = Resource(number);
        resource.Available += available;
        resource.Held += held;
        resource.Consumed += consumed;
        Touch(resource);
        if ((available | held | consumed) != 0)
        {
            chunk.Movements.Add(new ViewMovement(number, _sequence, _ordinal, _timeMs, _kind, hold, available, held, consumed, reason, reference));
        }
    }

    private static void Touch(ViewResource resource)
    {
        resource.Version++;
        resource.Change = resource.Change == RowChange.New ? RowChange.New : RowChange.Changed;
    }

    private void Finish(ViewHold hold, HoldState state)
    {
        hold.State = state;
        hold.FinishedAtMs = _timeMs;
    }

    private ViewHold Change(ReadOnlySpan<byte> id)
    {
        ViewHold hold = chunk.FindHold(Text(id))
            ?? throw new JournalCorruptException(_sequence, $"Frame {_sequence} names a hold that the views don't know: {Text(id)}.");
        hold.Sequence = _sequence;
        if (hold.Change == RowChange.None)
        {
            hold.Change = RowChange.Changed;
            chunk.ChangedHolds.Add(hold);
        }

        return hold;
    }

    private ViewResource Resource(int number) =>
        chunk.FindResource(number)
        ?? throw new JournalCorruptException(_sequence, $"Frame {_sequence} names resource {number}, which the views don't know.");

    private static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}

/// <summary>Walks events before they are applied, and names the rows that they build on.</summary>
internal sealed class NeededRows(ViewChunk chunk)
{
    private readonly HashSet<string> _made = new(StringComparer.Ordinal);

    public void Look(ReadOnlySpan<byte> payload, int count)
    {
        var reader = new EventReader(payload);
        for (int i = 0; i < count; i++)
        {
            Look(reader.Next(), ref reader);
        }
    }

    private void Look(EventType type, ref EventReader reader)
    {
        switch (type)
        {
            case EventType.Held:
                HeldEvent held = HeldEvent.Read(ref reader);
                _made.Add(Encoding.UTF8.GetString(held.Id));
                Pairs pairs = held.Lines;
                while (pairs.Next(out int resource, out _))
                {
                    chunk.NeededResources.Add(resource);
                }

                break;
            case EventType.CancelledEmpty:
                _made.Add(Encoding.UTF8.GetString(HoldNamedEvent.Read(ref reader).Id));
                break;
            case EventType.Confirmed:
                Need(ConfirmedEvent.Read(ref reader).Id);
                break;
            case EventType.Cancelled or EventType.Expired:
                Need(HoldNamedEvent.Read(ref reader).Id);
                break;
            case EventType.Extended:
                Need(ExtendedEvent.Read(ref reader).Id);
                break;
            case EventType.Returned:
                Need(ReturnedEvent.Read(ref reader).Id);
                break;
            case EventType.ResourcePut:
                chunk.NeededResourceIds.Add(Encoding.UTF8.GetString(ResourcePutEvent.Read(ref reader).Id));
                break;
            case EventType.SupplyAdjusted:
                chunk.NeededResources.Add(SupplyAdjustedEvent.Read(ref reader).Resource);
                break;
            case EventType.HoldsForgotten or EventType.AdjustmentsForgotten:
                ForgottenEvent.Read(ref reader);
                break;
            case var kind when TransactionEvent.Is(kind):
                TransactionEvent.Read(kind, ref reader);
                break;
            case var kind when CheckoutEvent.Is(kind):
                CheckoutEvent.Read(kind, ref reader);
                break;
            default:
                throw new InvalidDataException($"Event type {(int)type} is not known to this version of Holdfast; a newer one wrote this journal.");
        }
    }

    private void Need(ReadOnlySpan<byte> id)
    {
        string text = Encoding.UTF8.GetString(id);
        if (!_made.Contains(text))
        {
            chunk.NeededHolds.Add(text);
        }
    }
}

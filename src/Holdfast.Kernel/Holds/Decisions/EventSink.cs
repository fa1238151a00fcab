namespace Holdfast.Kernel;

/// <summary>Writes events into the batch and evolves the ledger by the very bytes that were written.</summary>
internal sealed class EventSink(Ledger ledger)
{
    private EventBuffer _output = null!;
    private long _nowMs;

    public void Begin(EventBuffer output, long nowMs)
    {
        _output = output;
        _nowMs = nowMs;
        ledger.LastTimeMs = nowMs;
    }

    public void Held(TryHold command, long lifeMs)
    {
        // The command's caller has hashed its names already.
        ledger.Hashed = (command.Id.Hash, command.Owner.Hash);
        Apply(HeldEvent.Write(_output, command, lifeMs));
        ledger.Hashed = default;
    }

    public void Confirmed(ReadOnlySpan<byte> id, bool keepRemainder, ReadOnlySpan<long> quantities) =>
        Apply(ConfirmedEvent.Write(_output, id, keepRemainder, quantities));

    public void Named(EventType type, ReadOnlySpan<byte> id) => Apply(HoldNamedEvent.Write(_output, type, id));

    public void Extended(ReadOnlySpan<byte> id, long deadlineMs) => Apply(ExtendedEvent.Write(_output, id, deadlineMs));

    public void Returned(ReturnUnits command, ReadOnlySpan<long> quantities) => Apply(ReturnedEvent.Write(_output, command, quantities));

    public void Forgotten(EventType type, int count) => Apply(ForgottenEvent.Write(_output, type, count));

    public void ResourcePut(ReadOnlySpan<byte> id, ResourcePolicy policy) => Apply(ResourcePutEvent.Write(_output, id, policy));

    public void SupplyAdjusted(int resource, AdjustSupply command, long delta) => Apply(SupplyAdjustedEvent.Write(_output, resource, command, delta));

    private void Apply(ReadOnlySpan<byte> bytes)
    {
        var reader = new EventReader(bytes);
        ledger.Evolve(reader.Next(), ref reader, _nowMs);
    }
}

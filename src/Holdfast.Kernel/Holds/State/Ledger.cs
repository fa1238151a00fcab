using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>
/// The state of a space's resources and holds, and the only code that changes it: <see cref="Evolve"/>. Deciding reads
/// it and writes events; what is then applied are the very bytes that go to the journal, so a replay can't differ.
/// </summary>
internal sealed class Ledger : IDisposable
{
    private const int FetchedAhead = 8;

    private readonly SlabLease _lease = new();
    private readonly LineState[] _lines = new LineState[LinedCommand.MaxLines];
    private readonly long[] _quantities = new long[LinedCommand.MaxLines];

    public Ledger(NameHasher hasher)
    {
        Hasher = hasher;
        Arena = new RecordArena(_lease);
        Resources = new ResourceTable(_lease);
        Accounts = new AccountTable(Arena, _lease, hasher);
        Holds = new HoldTable(Accounts, Arena, _lease, hasher);
    }

    public NameHasher Hasher { get; }

    public RecordArena Arena { get; }

    public ResourceTable Resources { get; }

    public AccountTable Accounts { get; }

    public HoldTable Holds { get; }

    /// <summary>Adjustment ids in the order they were taken, with their time.</summary>
    public Queue<(long TimeMs, int Resource, string Id)> KnownAdjustments { get; } = new();

    /// <summary>
    /// A running digest of what every event found and left behind. Two machines that evolved the same events have the
    /// same digest; one that went astray anywhere has another.
    /// </summary>
    public ulong Digest { get; set; }

    /// <summary>Hashes of the names in the Held event that was just decided.</summary>
    public (ulong Id, ulong Owner) Hashed { get; set; }

    /// <summary>Number of the resource that was held last; a hint for prefetching.</summary>
    public int LastHeldResource { get; private set; }

    /// <summary>Time of the last batch, unix milliseconds.</summary>
    public long LastTimeMs { get; set; }

    /// <summary>Gives the tables' memory back: nothing may be looked up any more, only counted.</summary>
    public void Dispose() => _lease.Dispose();

    /// <summary>Applies one event. Nothing here can refuse: an event that doesn't fit is a corrupt journal and throws.</summary>
    public void Evolve(EventType type, ref EventReader reader, long timeMs)
    {
        switch (type)
        {
            case EventType.Held:
                Held(HeldEvent.Read(ref reader), Hashed.Id, Hashed.Owner, timeMs);
                break;
            case EventType.Confirmed:
                Confirmed(ConfirmedEvent.Read(ref reader), timeMs);
                break;
            case EventType.Cancelled:
                Released(HoldNamedEvent.Read(ref reader).Id, HoldState.Cancelled, timeMs);
                break;
            case EventType.Expired:
                Released(HoldNamedEvent.Read(ref reader).Id, HoldState.Expired, timeMs);
                break;
            case EventType.CancelledEmpty:
                CancelledEmpty(HoldNamedEvent.Read(ref reader).Id, timeMs);
                break;
            case EventType.Extended:
                Extended(ExtendedEvent.Read(ref reader));
                break;
            case EventType.Returned:
                Returned(ReturnedEvent.Read(ref reader));
                break;
            case EventType.ResourcePut:
                ResourcePut(ResourcePutEvent.Read(ref reader));
                break;
            case EventType.SupplyAdjusted:
                SupplyAdjusted(SupplyAdjustedEvent.Read(ref reader), timeMs);
                break;
            case EventType.HoldsForgotten:
                HoldsForgotten(ForgottenEvent.Read(ref reader).Count);
                break;
            case EventType.AdjustmentsForgotten:
                AdjustmentsForgotten(ForgottenEvent.Read(ref reader).Count);
                break;
            default:
                throw new InvalidDataException($"Event type {(int)type} is not known to this version of Holdfast; a newer one wrote this journal.");
        }
    }

    /// <summary>
    /// Replays holds that follow each other, the first one's type being read already: what the next few will look up is
    /// fetched while nothing waits for it yet.
    /// </summary>
    /// <returns>How many there were.</returns>
    public int ReplayHelds(ref EventReader reader, int max, long timeMs)
    {
        Span<(ulong Id, ulong Owner)> hashes = stackalloc (ulong, ulong)[FetchedAhead];
        int count = 0;
        while (true)
        {
            EventReader ahead = reader;
            int run = 0;
            do
            {
                HeldEvent held = HeldEvent.Read(ref ahead);
                hashes[run] = (Hasher.Hash(held.Id), held.Owner.IsEmpty ? 0 : Hasher.Hash(held.Owner));
                Holds.Prefetch(hashes[run].Id);
                Pairs pairs = held.Lines;
                if (hashes[run].Owner != 0 && pairs.Next(out int resource, out _))
                {
                    Accounts.Prefetch(hashes[run].Owner, resource);
                }

                run++;
            }
            while (run < FetchedAhead && count + run < max && ahead.Next() == EventType.Held);

            for (int i = 0; i < run; i++)
            {
                if (i > 0)
                {
                    reader.Next();
                }

                HeldEvent held = HeldEvent.Read(ref reader);
                if (Holds.Find(hashes[i].Id, held.Id) >= 0)
                {
                    // Deciding has looked already; only a replay can bring one id twice.
                    throw new InvalidDataException("The journal makes a hold whose id is known.");
                }

                Held(held, hashes[i].Id, hashes[i].Owner, timeMs);
            }

            count += run;
            if (count == max || reader.Peek() != EventType.Held)
            {
                return count;
            }

            reader.Next();
        }
    }

    private void Held(HeldEvent held, ulong idHash, ulong ownerHash, long timeMs)
    {
        int count = 0;
        Pairs pairs = held.Lines;
        while (pairs.Next(out int number, out long quantity))
        {
            Resource resource = Resources[number];
            LastHeldResource = number;
            resource.Available -= quantity;
            resource.Held += quantity;
            Touch(resource);
            int account = held.Owner.IsEmpty ? -1 : Accounts.FindOrAdd(ownerHash, held.Owner, number);
            _lines[count++] = new LineState { Account = account, Resource = number, Quantity = quantity };
        }

        var header = new HoldHeader(timeMs, held.TtlMs, held.LifeMs, count, Detailed: false);
        Mix((ulong)header.DeadlineMs);
        int slot = Holds.AddHeld(idHash, held.Id, header, _lines.AsSpan(0, count));
        for (int i = 0; i < count; i++)
        {
            if (_lines[i].Account >= 0)
            {
                ref Account account = ref Accounts[_lines[i].Account];
                account.Used += _lines[i].Quantity;
                account.References++;
                account.LastHold = slot;
                Mix((ulong)account.Used);
            }
        }
    }

    private void Confirmed(ConfirmedEvent confirmed, long timeMs)
    {
        int slot = RequireHeld(confirmed.Id);
        HoldHeader header = Holds.ReadLines(slot, _lines);
        Span<LineState> lines = _lines.AsSpan(0, header.LineCount);
        bool all = confirmed.LineCount == 0;
        Fits(all || confirmed.LineCount == lines.Length);
        confirmed.CopyQuantities(_quantities);
        for (int i = 0; i < lines.Length; i++)
        {
            ref LineState line = ref lines[i];
            long consumed = all ? line.Held : _quantities[i];
            Fits(consumed >= 0 && consumed <= line.Held);
            long released = confirmed.KeepRemainder ? 0 : line.Held - consumed;
            Resource resource = Resources[line.Resource];
            resource.Held -= consumed + released;
            resource.Consumed += consumed;
            resource.Available += released;
            GiveBack(line.Account, released);
            Touch(resource);
            line.Held -= consumed + released;
            line.Consumed += consumed;
            line.LastConfirmed = consumed;
        }

        if (!all || header.Detailed)
        {
            Holds.Rewrite(slot, header with { Detailed = true }, lines);
        }

        if (!confirmed.KeepRemainder || NothingHeld(lines))
        {
            Finish(slot, HoldState.Confirmed, timeMs);
        }
    }

    private void Released(ReadOnlySpan<byte> id, HoldState state, long timeMs)
    {
        int slot = RequireHeld(id);
        HoldHeader header = Holds.ReadLines(slot, _lines);
        Span<LineState> lines = _lines.AsSpan(0, header.LineCount);
        foreach (ref LineState line in lines)
        {
            Resource resource = Resources[line.Resource];
            resource.Held -= line.Held;
            resource.Available += line.Held;
            GiveBack(line.Account, line.Held);
            Touch(resource);
            line.Held = 0;
        }

        if (header.Detailed)
        {
            Holds.Rewrite(slot, header, lines);
        }

        Finish(slot, state, timeMs);
    }

    private void CancelledEmpty(ReadOnlySpan<byte> id, long timeMs)
    {
        ulong hash = Hasher.Hash(id);
        Fits(Holds.Find(hash, id) < 0);
        Holds.AddFinished(hash, id, new HoldHeader(timeMs, 0, 0, 0, Detailed: false), [], HoldState.Cancelled, timeMs);
        Mix((ulong)id.Length ^ (ulong)timeMs);
    }

    private void Extended(ExtendedEvent extended)
    {
        Holds.Extend(RequireHeld(extended.Id), extended.DeadlineMs, _lines);
        Mix((ulong)extended.DeadlineMs);
    }

    private void Returned(ReturnedEvent returned)
    {
        int slot = Require(returned.Id);
        HoldHeader header = Holds.ReadLines(slot, _lines);
        Span<LineState> lines = _lines.AsSpan(0, header.LineCount);
        Fits(returned.LineCount == lines.Length);
        returned.CopyQuantities(_quantities);
        for (int i = 0; i < lines.Length; i++)
        {
            long quantity = _quantities[i];
            if (quantity == 0)
            {
                continue;
            }

            ref LineState line = ref lines[i];
            Fits(quantity > 0 && quantity <= line.Consumed);
            Resource resource = Resources[line.Resource];
            resource.Consumed -= quantity;
            resource.Available += quantity;
            GiveBack(line.Account, quantity);
            Touch(resource);
            line.Consumed -= quantity;
            line.Returned += quantity;
        }

        Holds.Rewrite(slot, header with { Detailed = true }, lines);
        if (!Holds.Returns.TryGetValue(slot, out List<KnownReturn>? known))
        {
            Holds.Returns[slot] = known = [];
        }

        known.Add(new KnownReturn(System.Text.Encoding.UTF8.GetString(returned.ReturnId), _quantities.AsSpan(0, lines.Length).ToArray()));
    }

    private void ResourcePut(ResourcePutEvent put)
    {
        ulong hash = Hasher.Hash(put.Id);
        int number = Resources.Find(hash, put.Id);
        Resource resource = number >= 0 ? Resources[number] : Resources.Add(hash, put.Id);
        resource.SetPolicy(put.Policy);
        Touch(resource);
        MixPolicy(put.Policy);
    }

    private void SupplyAdjusted(SupplyAdjustedEvent adjusted, long timeMs)
    {
        Resource resource = Resources[adjusted.Resource];
        resource.Available += adjusted.Delta;
        resource.Supplied += adjusted.Delta;
        Touch(resource);
        string id = System.Text.Encoding.UTF8.GetString(adjusted.AdjustmentId);
        Fits(resource.Adjustments.TryAdd(id, new KnownAdjustment(adjusted.Absolute, adjusted.Force, adjusted.Asked, adjusted.ExpectedVersion)));
        Mix((ulong)adjusted.Asked ^ ((ulong)adjusted.ExpectedVersion << 32));
        KnownAdjustments.Enqueue((timeMs, resource.Number, id));
    }

    private void HoldsForgotten(int count)
    {
        for (int i = 0; i < count; i++)
        {
            int slot = Holds.OldestFinished;
            if (slot < 0)
            {
                throw new InvalidDataException("The journal forgets more holds than have finished.");
            }

            HoldHeader header = Holds.ReadLines(slot, _lines);
            foreach (ref LineState line in _lines.AsSpan(0, header.LineCount))
            {
                Resources[line.Resource].ConsumedByForgotten += line.Consumed;
            }

            Holds.ForgetOldest(_lines);
        }

        Mix((ulong)Holds.Count);
    }

    private void AdjustmentsForgotten(int count)
    {
        Fits(count <= KnownAdjustments.Count);
        for (int i = 0; i < count; i++)
        {
            (_, int resource, string id) = KnownAdjustments.Dequeue();
            Resources[resource].Adjustments.Remove(id);
        }

        Mix((ulong)KnownAdjustments.Count);
    }

    private int Require(ReadOnlySpan<byte> id)
    {
        int slot = Holds.Find(Hasher.Hash(id), id);
        return slot >= 0 ? slot : throw new InvalidDataException("The journal names a hold that is not known.");
    }

    private int RequireHeld(ReadOnlySpan<byte> id)
    {
        int slot = Require(id);
        Fits(Holds.IsHeld(slot));
        return slot;
    }

    private static void Fits(bool fits)
    {
        if (!fits)
        {
            throw new InvalidDataException("The journal has an event that does not fit the state: it is not this space's, or not in order.");
        }
    }

    private void Finish(int slot, HoldState state, long timeMs)
    {
        Holds.Finish(slot, state, timeMs);
        Mix((ulong)state ^ ((ulong)timeMs << 8));
    }

    private void GiveBack(int account, long quantity)
    {
        if (account >= 0)
        {
            ref Account given = ref Accounts[account];
            given.Used -= quantity;
            Mix((ulong)given.Used);
        }
    }

    private void Touch(Resource resource)
    {
        resource.Version++;
        Mix((ulong)resource.Available);
        Mix((ulong)resource.Held ^ ((ulong)resource.Consumed << 32));
    }

    /// <summary>No bucket follows from a policy, so only this shows one that was read wrongly.</summary>
    private void MixPolicy(ResourcePolicy policy)
    {
        Mix((ulong)(policy.LimitPerOwner ?? -1));
        Mix((ulong)(policy.OpensAtMs ?? -1));
        Mix((ulong)(policy.ClosesAtMs ?? -1));
        Mix((ulong)(policy.HoldMs ?? -1));
        Mix((ulong)policy.Overdraft);
        Mix((ulong)policy.SafetyStock);
        Mix(policy.Disabled ? 1UL : 0);
        foreach (char letter in policy.Owner ?? "")
        {
            Mix(letter);
        }
    }

    /// <summary>Takes what an event left behind into the digest.</summary>
    public void Mix(ulong value)
    {
        ulong x = (Digest ^ value) * 0x9E3779B97F4A7C15UL;
        Digest = x ^ (x >> 29);
    }

    private static bool NothingHeld(ReadOnlySpan<LineState> lines)
    {
        foreach (ref readonly LineState line in lines)
        {
            if (line.Held != 0)
            {
                return false;
            }
        }

        return true;
    }
}

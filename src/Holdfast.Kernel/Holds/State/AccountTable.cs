using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>
/// What each owner holds and has bought of each resource, for limits. An account lives while something is used or a
/// known hold refers to it.
/// </summary>
internal sealed class AccountTable(RecordArena names, SlabLease lease, NameHasher hasher)
{
    private readonly ChunkedList<Account> _slots = new(lease);
    private readonly NameIndex _index = new(lease);

    public int Count => _slots.Count;

    public int End => _slots.End;

    public ref Account this[int account] => ref _slots[account];

    /// <summary>The owner's account on a resource, or -1.</summary>
    public int Find(ulong ownerHash, ReadOnlySpan<byte> owner, int resource)
    {
        NameIndex.Probe probe = _index.Find(NameHasher.Combine(ownerHash, resource));
        while (probe.Next(out int account))
        {
            if (_slots[account].Resource == resource && owner.SequenceEqual(OwnerOf(account)))
            {
                return account;
            }
        }

        return -1;
    }

    public void Prefetch(ulong ownerHash, int resource) => _index.Prefetch(NameHasher.Combine(ownerHash, resource));

    public int FindOrAdd(ulong ownerHash, ReadOnlySpan<byte> owner, int resource)
    {
        int account = Find(ownerHash, owner, resource);
        if (account >= 0)
        {
            return account;
        }

        account = _slots.Add();
        uint record = names.Allocate(1 + owner.Length);
        Span<byte> bytes = names.At(record);
        bytes[0] = (byte)owner.Length;
        owner.CopyTo(bytes[1..]);
        _slots[account] = new Account { Name = record, Resource = resource, LastHold = -1 };
        _index.Add(NameHasher.Combine(ownerHash, resource), account);
        return account;
    }

    public ReadOnlySpan<byte> OwnerOf(int account)
    {
        Span<byte> bytes = names.At(_slots[account].Name);
        return bytes.Slice(1, bytes[0]);
    }

    /// <summary>Drops one reference of a hold that leaves memory; the account goes with the last one if nothing is used.</summary>
    public void Release(int account, int hold)
    {
        ref Account slot = ref _slots[account];
        slot.References--;
        if (slot.LastHold == hold)
        {
            slot.LastHold = -1;
        }

        if (slot.References > 0 || slot.Used != 0)
        {
            return;
        }

        ReadOnlySpan<byte> owner = OwnerOf(account);
        _index.Remove(NameHasher.Combine(hasher.Hash(owner), slot.Resource), account);
        names.Free(slot.Name, 1 + owner.Length);
        slot.Name = 0;
        _slots.Free(account);
    }
}

/// <summary>One owner on one resource.</summary>
internal struct Account : IFreeLink
{
    /// <summary>Held and consumed units (returned ones given back).</summary>
    public long Used;

    /// <summary>The owner's name in the arena; 0 while the slot is free.</summary>
    public uint Name;
    public int Resource;

    /// <summary>Lines of known holds that refer to the account.</summary>
    public int References;

    /// <summary>The hold that took from it last, or -1: a refusal names it.</summary>
    public int LastHold;

    int IFreeLink.NextFree
    {
        readonly get => LastHold;
        set => LastHold = value;
    }
}

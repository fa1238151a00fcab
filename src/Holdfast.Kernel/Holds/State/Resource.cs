using System.Text;
using Holdfast.Kernel.Memory;

namespace Holdfast.Kernel;

/// <summary>A resource's buckets and policy. Conservation: supplied = available + held + consumed.</summary>
internal sealed class Resource(int number, byte[] name)
{
    private byte[]? _owner;

    public int Number { get; } = number;

    public byte[] Name { get; } = name;

    public string Id { get; } = Encoding.UTF8.GetString(name);

    public long Available { get; set; }

    public long Held { get; set; }

    public long Consumed { get; set; }

    public long Supplied { get; set; }

    public long Version { get; set; }

    /// <summary>Units consumed by holds that have left memory (so that the rest can be checked against the holds).</summary>
    public long ConsumedByForgotten { get; set; }

    public ResourcePolicy Policy { get; private set; } = ResourcePolicy.Default;

    /// <summary>What a try may take: supply may be oversold by the overdraft, and the safety stock is never offered.</summary>
    public long Offered => Available + Policy.Overdraft - Policy.SafetyStock;

    /// <summary>Known adjustment ids.</summary>
    public Dictionary<string, KnownAdjustment> Adjustments { get; } = new(StringComparer.Ordinal);

    public bool OwnerMayHold(ReadOnlySpan<byte> owner) => _owner is null || owner.SequenceEqual(_owner);

    public void SetPolicy(ResourcePolicy policy)
    {
        Policy = policy;
        _owner = policy.Owner is null ? null : Encoding.UTF8.GetBytes(policy.Owner);
    }

    public ResourceView View() => new(Id, Available, Held, Consumed, Supplied, Version, Policy);
}

/// <summary>What an adjustment id stood for, to tell a repeat from a conflict.</summary>
internal readonly record struct KnownAdjustment(bool Absolute, bool Force, long Asked, long ExpectedVersion);

/// <summary>All resources by number (the order of their first put) and by name.</summary>
internal sealed class ResourceTable(SlabLease lease)
{
    private readonly List<Resource> _all = [];
    private readonly NameIndex _index = new(lease);

    public int Count => _all.Count;

    public Resource this[int number] => _all[number];

    /// <summary>The number of a resource, or -1.</summary>
    public int Find(ulong hash, ReadOnlySpan<byte> name)
    {
        NameIndex.Probe probe = _index.Find(hash);
        while (probe.Next(out int number))
        {
            if (name.SequenceEqual(_all[number].Name))
            {
                return number;
            }
        }

        return -1;
    }

    public Resource Add(ulong hash, ReadOnlySpan<byte> name)
    {
        var resource = new Resource(_all.Count, name.ToArray());
        _all.Add(resource);
        _index.Add(hash, resource.Number);
        return resource;
    }
}

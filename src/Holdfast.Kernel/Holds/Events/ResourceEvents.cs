using System.Text;

namespace Holdfast.Kernel;

/// <summary>A resource was created or its policy replaced.</summary>
public readonly ref struct ResourcePutEvent
{
    private ResourcePutEvent(ReadOnlySpan<byte> id, ResourcePolicy policy)
    {
        Id = id;
        Policy = policy;
    }

    /// <summary>The resource's id. One not seen before takes the next number.</summary>
    public ReadOnlySpan<byte> Id { get; }

    /// <summary>The whole policy.</summary>
    public ResourcePolicy Policy { get; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, ReadOnlySpan<byte> id, ResourcePolicy policy)
    {
        int start = output.Begin(EventType.ResourcePut, 0);
        output.Text(id);
        WritePolicy(output, policy);
        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static ResourcePutEvent Read(ref EventReader reader) => new(reader.Text(), ReadPolicy(ref reader));

    internal static void WritePolicy(EventBuffer output, ResourcePolicy policy)
    {
        // Optional numbers are written as value + 1, so that 0 says "none".
        output.VarUInt((ulong)((policy.LimitPerOwner ?? -1) + 1));
        output.VarUInt((ulong)((policy.OpensAtMs ?? -1) + 1));
        output.VarUInt((ulong)((policy.ClosesAtMs ?? -1) + 1));
        output.Text(policy.Owner is null ? [] : Encoding.UTF8.GetBytes(policy.Owner));
        output.VarUInt((ulong)policy.Overdraft);
        output.VarUInt((ulong)((policy.HoldMs ?? -1) + 1));
        output.Byte(policy.Disabled ? (byte)1 : (byte)0);
        output.VarUInt((ulong)policy.SafetyStock);
    }

    internal static ResourcePolicy ReadPolicy(ref EventReader reader)
    {
        long limit = reader.VarLong(), opens = reader.VarLong(), closes = reader.VarLong();
        ReadOnlySpan<byte> owner = reader.Text();
        long overdraft = reader.VarLong(), hold = reader.VarLong();
        bool disabled = reader.Flags(1) != 0;
        return new ResourcePolicy
        {
            LimitPerOwner = limit == 0 ? null : limit - 1,
            OpensAtMs = opens == 0 ? null : opens - 1,
            ClosesAtMs = closes == 0 ? null : closes - 1,
            Owner = owner.IsEmpty ? null : Encoding.UTF8.GetString(owner),
            Overdraft = overdraft,
            HoldMs = hold == 0 ? null : hold - 1,
            Disabled = disabled,
            SafetyStock = reader.VarLong(),
        };
    }
}

/// <summary>A resource's supply changed.</summary>
public readonly ref struct SupplyAdjustedEvent
{
    /// <summary>The resource's number.</summary>
    public int Resource { get; private init; }

    /// <summary>The adjustment's id, unique within the resource.</summary>
    public ReadOnlySpan<byte> AdjustmentId { get; private init; }

    /// <summary>Units added; below zero: taken away.</summary>
    public long Delta { get; private init; }

    /// <summary>Whether the caller asked for an absolute value; the delta is what that came to.</summary>
    public bool Absolute { get; private init; }

    /// <summary>Whether a deficit was accepted.</summary>
    public bool Force { get; private init; }

    /// <summary>For an absolute set: the version that the caller expected.</summary>
    public long ExpectedVersion { get; private init; }

    /// <summary>What the caller named: the delta, or the absolute value.</summary>
    public long Asked { get; private init; }

    /// <summary>Why.</summary>
    public ReadOnlySpan<byte> Reason { get; private init; }

    internal static ReadOnlySpan<byte> Write(EventBuffer output, int resource, AdjustSupply command, long delta)
    {
        int start = output.Begin(EventType.SupplyAdjusted, 0);
        output.VarUInt((ulong)resource);
        output.Text(command.Bytes(command.AdjustmentId));
        output.VarInt(delta);
        output.Byte((byte)((command.Absolute ? 1 : 0) | (command.Force ? 2 : 0)));
        output.VarInt(command.ExpectedVersion);
        output.VarInt(command.Value);
        output.Text(command.Bytes(command.Reason));
        return output.End(start);
    }

    /// <summary>Reads the event's body.</summary>
    public static SupplyAdjustedEvent Read(ref EventReader reader)
    {
        int resource = (int)reader.VarUInt();
        ReadOnlySpan<byte> id = reader.Text();
        long delta = reader.VarInt();
        byte flags = reader.Flags(3);
        return new SupplyAdjustedEvent
        {
            Resource = resource,
            AdjustmentId = id,
            Delta = delta,
            Absolute = (flags & 1) != 0,
            Force = (flags & 2) != 0,
            ExpectedVersion = reader.VarInt(),
            Asked = reader.VarInt(),
            Reason = reader.Text(),
        };
    }
}

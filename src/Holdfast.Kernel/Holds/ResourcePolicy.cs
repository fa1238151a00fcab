namespace Holdfast.Kernel;

/// <summary>What may be done with a resource. A put replaces the whole policy; what is left out takes its default.</summary>
public sealed record ResourcePolicy
{
    /// <summary>The policy of a resource that was put without one.</summary>
    public static readonly ResourcePolicy Default = new();

    /// <summary>Most units that one owner may hold and have bought together; null: no limit.</summary>
    public long? LimitPerOwner { get; init; }

    /// <summary>First instant at which it may be held, unix milliseconds by the server's clock; null: always open.</summary>
    public long? OpensAtMs { get; init; }

    /// <summary>First instant at which it may no longer be held, unix milliseconds; null: never closes.</summary>
    public long? ClosesAtMs { get; init; }

    /// <summary>Only this owner may hold it (a personal coupon, points, a wallet); null: anybody.</summary>
    public string? Owner { get; init; }

    /// <summary>Units that may be sold before their supply arrives. Never negative.</summary>
    public long Overdraft { get; init; }

    /// <summary>Time to live of a hold on it when the try names none, in milliseconds; null: the space's default.</summary>
    public long? HoldMs { get; init; }

    /// <summary>Takes no new holds; what is held may finish.</summary>
    public bool Disabled { get; init; }

    /// <summary>Units that are never offered. Never negative.</summary>
    public long SafetyStock { get; init; }

    /// <summary>Says what is wrong with the policy, or null when nothing is.</summary>
    public string? Problem()
    {
        if (LimitPerOwner is < 1)
        {
            return "limitPerOwner must be at least 1";
        }

        if (Overdraft < 0 || SafetyStock < 0 || Overdraft > Quantity.Max || SafetyStock > Quantity.Max)
        {
            return "overdraft and safetyStock must be 0 or more";
        }

        if (HoldMs is < 1 or > Quantity.MaxTtlMs)
        {
            return "holdSeconds must be above 0 and at most ten years";
        }

        if (OpensAtMs is < 0 || ClosesAtMs is < 0 || OpensAtMs >= ClosesAtMs)
        {
            return "closesAt must be after opensAt";
        }

        return Owner is null ? null : Name.Problem(System.Text.Encoding.UTF8.GetBytes(Owner), "owner");
    }
}

/// <summary>Bounds of amounts.</summary>
public static class Quantity
{
    /// <summary>Largest quantity, supply or overdraft: a quarter of what a <see cref="long"/> takes, so that sums of buckets can't overflow.</summary>
    public const long Max = long.MaxValue / 4;

    /// <summary>Longest time to live that a command may name: ten years, in milliseconds.</summary>
    public const long MaxTtlMs = 10L * 366 * 24 * 3600 * 1000;
}

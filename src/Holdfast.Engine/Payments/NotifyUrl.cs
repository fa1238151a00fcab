namespace Holdfast.Engine.Payments;

/// <summary>Where a provider calls back about a space's orders: each space has callbacks of its own, a channel's settings one address.</summary>
internal static class NotifyUrl
{
    /// <summary>The space's own address, where the configured one is the channel's callback of the default space; else the configured one.</summary>
    public static string? Of(string? configured, string channel, string space)
    {
        string callback = "/callbacks/" + Uri.EscapeDataString(channel);
        return configured is null || space == SpaceHost.DefaultName || !configured.EndsWith("/v1" + callback, StringComparison.Ordinal)
            ? configured
            : $"{configured[..^callback.Length]}/spaces/{Uri.EscapeDataString(space)}{callback}";
    }
}

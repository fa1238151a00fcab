using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>Kinds of events as they are told.</summary>
internal static class EventTexts
{
    private static readonly string[] Texts =
    [
        "none", "resource_put", "supply_adjusted", "held", "confirmed", "cancelled", "cancelled_empty", "extended", "returned",
        "expired", "holds_forgotten", "adjustments_forgotten",
    ];

    public static string Of(EventType type) => (int)type < Texts.Length ? Texts[(int)type] : "unknown";
}

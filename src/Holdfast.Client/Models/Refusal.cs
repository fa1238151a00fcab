using System.Collections.Frozen;

namespace Holdfast.Client;

/// <summary>Why the server did not do it. Nothing was changed.</summary>
/// <param name="Code">The reason, to switch on.</param>
/// <param name="CodeText">The stable code as the server sent it, in lower case; the one to log, and the only one that
/// tells when <paramref name="Code"/> is <see cref="RefusalCode.Unknown"/>.</param>
/// <param name="Message">For people.</param>
public sealed record Refusal(RefusalCode Code, string CodeText, string Message)
{
    /// <summary>The resource it is about, if one.</summary>
    public string? Resource { get; init; }

    /// <summary>Units asked for.</summary>
    public long? Asked { get; init; }

    /// <summary>Units that could have been had.</summary>
    public long? Available { get; init; }

    /// <summary>Id of another hold that stands in the way (the owner's own earlier one), if the server named it.</summary>
    public string? BlockingHold { get; init; }
}

/// <summary>The stable reasons of refusals, in the server's order of precedence.</summary>
public enum RefusalCode
{
    /// <summary>A code that this version of the client does not know: see <see cref="Refusal.CodeText"/>.</summary>
    Unknown = 0,

    /// <summary><c>invalid</c>: the request itself is wrong (quantity, number of lines, length of an id).</summary>
    Invalid,

    /// <summary><c>too_old</c>: issued longer ago than the server remembers ids; it can't be told from a repeat any more.</summary>
    TooOld,

    /// <summary><c>conflict</c>: the id is taken by another body.</summary>
    Conflict,

    /// <summary><c>not_found</c>: no such hold.</summary>
    NotFound,

    /// <summary><c>confirmed</c>: the hold is already consumed.</summary>
    Confirmed,

    /// <summary><c>cancelled</c>: the hold is cancelled.</summary>
    Cancelled,

    /// <summary><c>expired</c>: the hold's deadline passed.</summary>
    Expired,

    /// <summary><c>exceeds_hold</c>: more than is held (confirm) or consumed (return).</summary>
    ExceedsHold,

    /// <summary><c>unknown_resource</c>: no such resource.</summary>
    UnknownResource,

    /// <summary><c>disabled</c>: the resource takes no new holds.</summary>
    Disabled,

    /// <summary><c>not_open</c>: before the sale opens or after it closed.</summary>
    NotOpen,

    /// <summary><c>not_owner</c>: the resource belongs to another owner.</summary>
    NotOwner,

    /// <summary><c>limit_exceeded</c>: more than one owner may have.</summary>
    LimitExceeded,

    /// <summary><c>insufficient</c>: not enough available.</summary>
    Insufficient,

    /// <summary><c>version_mismatch</c>: the resource changed since the expected version.</summary>
    VersionMismatch,

    /// <summary><c>exceeds_paid</c>: a refund of more than is left of the payment.</summary>
    ExceedsPaid,
}

/// <summary>The stable texts of <see cref="RefusalCode"/>, both ways.</summary>
internal static class RefusalCodes
{
    private static readonly FrozenDictionary<string, RefusalCode> ByText = new Dictionary<string, RefusalCode>(StringComparer.Ordinal)
    {
        ["invalid"] = RefusalCode.Invalid,
        ["too_old"] = RefusalCode.TooOld,
        ["conflict"] = RefusalCode.Conflict,
        ["not_found"] = RefusalCode.NotFound,
        ["confirmed"] = RefusalCode.Confirmed,
        ["cancelled"] = RefusalCode.Cancelled,
        ["expired"] = RefusalCode.Expired,
        ["exceeds_hold"] = RefusalCode.ExceedsHold,
        ["unknown_resource"] = RefusalCode.UnknownResource,
        ["disabled"] = RefusalCode.Disabled,
        ["not_open"] = RefusalCode.NotOpen,
        ["not_owner"] = RefusalCode.NotOwner,
        ["limit_exceeded"] = RefusalCode.LimitExceeded,
        ["insufficient"] = RefusalCode.Insufficient,
        ["version_mismatch"] = RefusalCode.VersionMismatch,
        ["exceeds_paid"] = RefusalCode.ExceedsPaid,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static RefusalCode Parse(string text) => ByText.GetValueOrDefault(text, RefusalCode.Unknown);

    public static HoldState ParseState(string? text) => text switch
    {
        "held" => HoldState.Held,
        "confirmed" => HoldState.Confirmed,
        "cancelled" => HoldState.Cancelled,
        "expired" => HoldState.Expired,
        _ => HoldState.Unknown,
    };
}

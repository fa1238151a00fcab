namespace Holdfast.Kernel;

/// <summary>
/// What became of a command. <see cref="Ok"/> and then the refusals, in their fixed precedence: when several apply, the
/// smallest is answered. The names in snake case are the stable codes of the wire.
/// </summary>
public enum Code : byte
{
    /// <summary>Done, or done before (a repeat).</summary>
    Ok = 0,

    /// <summary>The command itself is wrong; nothing was looked at.</summary>
    Invalid,

    /// <summary>Issued before the retention began: whether it was executed can no longer be known, so it is refused.</summary>
    TooOld,

    /// <summary>The id is known with another body.</summary>
    Conflict,

    /// <summary>No such hold.</summary>
    NotFound,

    /// <summary>The hold was cancelled.</summary>
    Cancelled,

    /// <summary>The hold's deadline passed before it was confirmed.</summary>
    Expired,

    /// <summary>The hold is confirmed; what is sold comes back by a return.</summary>
    Confirmed,

    /// <summary>More than is held (or than was consumed, for a return) was named.</summary>
    ExceedsHold,

    /// <summary>A line names a resource that does not exist.</summary>
    UnknownResource,

    /// <summary>The resource takes no new holds.</summary>
    Disabled,

    /// <summary>Before the resource opens, or after it closes.</summary>
    NotOpen,

    /// <summary>The resource is reserved for another owner, or limited by owner and none was named.</summary>
    NotOwner,

    /// <summary>The owner would hold and have bought more than the limit.</summary>
    LimitExceeded,

    /// <summary>Not enough is available.</summary>
    Insufficient,

    /// <summary>An absolute set expected another version.</summary>
    VersionMismatch,

    /// <summary>The queue was full: certainly not executed. (Engine.)</summary>
    Overloaded,

    /// <summary>The outcome is unknown; asking again with the same id is safe. (Engine.)</summary>
    Unavailable,

    /// <summary>A refund is larger than what is left of the payment. (Outside the precedence: no hold is refused so.)</summary>
    ExceedsPaid,
}

/// <summary>Facts about codes.</summary>
public static class CodeExtensions
{
    private static readonly string[] Texts =
    [
        "ok", "invalid", "too_old", "conflict", "not_found", "cancelled", "expired", "confirmed", "exceeds_hold",
        "unknown_resource", "disabled", "not_open", "not_owner", "limit_exceeded", "insufficient", "version_mismatch",
        "overloaded", "unavailable", "exceeds_paid",
    ];

    /// <summary>The stable code of the wire, for example <c>limit_exceeded</c>.</summary>
    public static string Text(this Code code) => Texts[(int)code];

    /// <summary>
    /// True for refusals that promise nothing about what the journal holds: they may be answered at once. Every other
    /// answer tells of state, so it waits until what it saw is durable (a crash must not take back what was told).
    /// </summary>
    public static bool PromisesNothing(this Code code) =>
        code is Code.Invalid or Code.TooOld or Code.NotFound or (>= Code.UnknownResource and <= Code.Insufficient);
}

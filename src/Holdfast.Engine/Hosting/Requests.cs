using Holdfast.Kernel;

namespace Holdfast.Engine;

/// <summary>A line of a hold: so many units of a resource.</summary>
/// <param name="Resource">The resource's id.</param>
/// <param name="Quantity">Units, at least 1.</param>
public readonly record struct HoldLine(string Resource, long Quantity);

/// <summary>A hold to make.</summary>
/// <param name="Id">The caller's id: the key of idempotency.</param>
/// <param name="Lines">What to hold: all of it or nothing. At most 64 lines; those on the same resource are summed.</param>
public sealed record HoldRequest(string Id, params IReadOnlyList<HoldLine> Lines)
{
    /// <summary>Who holds; limits are counted by it. Null: nobody is named.</summary>
    public string? Owner { get; init; }

    /// <summary>Time to live, above zero, rounded up to a millisecond; null: the resource's or the space's default.</summary>
    public TimeSpan? Ttl { get; init; }

    /// <summary>When the caller first issued it; older than the retention it is refused <c>too_old</c>. Null: not said.</summary>
    public DateTimeOffset? IssuedAt { get; init; }
}

/// <summary>A change of supply: a difference, or a new value of <c>available</c> for an expected version.</summary>
/// <param name="Id">The caller's id: the key of idempotency, within the resource.</param>
/// <param name="Reason">Why, for the audit trail; not empty.</param>
public sealed record SupplyAdjustment(string Id, string Reason)
{
    /// <summary>Units to add, or (below 0) to take away.</summary>
    public long? Delta { get; init; }

    /// <summary>What <c>available</c> is to be; needs <see cref="ExpectedVersion"/>.</summary>
    public long? Set { get; init; }

    /// <summary>The version of the resource that the caller saw; only with <see cref="Set"/>.</summary>
    public long? ExpectedVersion { get; init; }

    /// <summary>Take below zero available and record the deficit; only with <see cref="Delta"/>.</summary>
    public bool Force { get; init; }
}

/// <summary>What came of a command: the value, or a refusal that changed nothing.</summary>
/// <param name="Code"><see cref="Kernel.Code.Ok"/>, or why not.</param>
/// <param name="Value">The value; null when refused.</param>
/// <param name="Repeat">True when the command had been carried out before.</param>
/// <param name="Refusal">What the refusal says; null when not refused.</param>
public readonly record struct Outcome<T>(Code Code, T? Value, bool Repeat, Refusal? Refusal)
    where T : class
{
    /// <summary>Whether it was carried out, now or before.</summary>
    public bool IsOk => Code == Code.Ok;
}

/// <summary>Why something was refused, and on which line.</summary>
/// <param name="Code">The stable code.</param>
/// <param name="Message">What is wrong and what to do, for people.</param>
/// <param name="Resource">The refused line's resource.</param>
/// <param name="Asked">What that line asked.</param>
/// <param name="Available">What could have been had.</param>
/// <param name="Hold">The owner's earlier hold that stands in the way (<c>limit_exceeded</c>).</param>
public sealed record Refusal(Code Code, string Message, string? Resource, long? Asked, long? Available, string? Hold)
{
    /// <summary>The refusal that an answer tells, in words.</summary>
    public static Refusal From(in Answer answer)
    {
        string? resource = answer.Resource is null ? null : System.Text.Encoding.UTF8.GetString(answer.Resource);
        string? text = answer.Detail as string;
        bool counted = answer.Code is Code.Insufficient or Code.LimitExceeded or Code.ExceedsHold or Code.VersionMismatch or Code.Disabled or Code.NotOpen or Code.NotOwner
            || (answer.Code == Code.UnknownResource && answer.Asked > 0); // of a try
        return new Refusal(
            answer.Code,
            Words(answer, resource, text),
            resource,
            counted ? answer.Asked : null,
            counted ? answer.Available : null,
            answer.Code == Code.LimitExceeded ? text : null);
    }

    private static string Words(in Answer answer, string? resource, string? text) => answer.Code switch
    {
        Code.Invalid => text ?? "the command is not valid",
        Code.TooOld => (text ?? "issuedAt is older than the retention") + "; look at its state, or begin anew with a new id",
        Code.Conflict => text is null ? "this id is known with another body: use a new id" : text,
        Code.NotFound => text ?? "no hold with this id: make it with a try first",
        Code.Cancelled => text ?? "the hold was cancelled: begin anew with a new id",
        Code.Expired => "the hold's deadline passed and it was released: begin anew with a new id",
        Code.Confirmed => text ?? "the hold is confirmed: give units back with a return",
        Code.ExceedsHold => $"{resource}: asked {answer.Asked}, but the hold has {answer.Available}",
        Code.UnknownResource => $"no resource {resource}: put it first",
        Code.Disabled => $"{resource} takes no new holds",
        Code.NotOpen => $"{resource} is not open now",
        Code.NotOwner => $"{resource}: " + (text ?? "reserved for another owner"),
        Code.LimitExceeded => $"{resource}: asked {answer.Asked}, but this owner may have {answer.Available} more" + (text is null ? "" : $"; hold {text} counts already"),
        Code.Insufficient => $"{resource}: asked {answer.Asked}, available {answer.Available}",
        Code.VersionMismatch => $"{resource} has version {answer.Available}, not {answer.Asked}: read it again",
        _ => text ?? "ask again later with the same id",
    };
}

namespace Holdfast.Kernel;

/// <summary>What the machine says to one command. A refusal changed nothing.</summary>
public struct Answer
{
    /// <summary>Ok, or the refusal.</summary>
    public Code Code;

    /// <summary>State of the hold after the command, where there is one.</summary>
    public HoldState State;

    /// <summary>True when the command had been carried out before and this is its answer again.</summary>
    public bool Repeat;

    /// <summary>True when answering required an event, or telling of state: the answer must wait for the journal.</summary>
    public readonly bool MustBeDurable => !Code.PromisesNothing();

    /// <summary>Deadline of the hold, unix milliseconds; 0 where there is none.</summary>
    public long ExpiresAtMs;

    /// <summary>A refusal's line: the quantity asked for.</summary>
    public long Asked;

    /// <summary>A refusal's line: what could have been had.</summary>
    public long Available;

    /// <summary>The refused line's resource (UTF-8), where the refusal is about one.</summary>
    public byte[]? Resource;

    /// <summary>
    /// Ok: a <see cref="HoldView"/> or <see cref="ResourceView"/> when the command asked for one. Refused: text that says
    /// what is wrong (<c>invalid</c>), or the owner's earlier hold that stands in the way (<c>limit_exceeded</c>).
    /// </summary>
    public object? Detail;

    /// <summary>A plain refusal.</summary>
    public static Answer Refused(Code code, object? detail = null) => new() { Code = code, Detail = detail };
}

/// <summary>A hold as it stands.</summary>
/// <param name="Id">The caller's id.</param>
/// <param name="Owner">Who holds; null when nobody was named.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="CreatedAtMs">When the try was decided, unix milliseconds.</param>
/// <param name="ExpiresAtMs">Its deadline (the last one, when it is finished), unix milliseconds; 0 for a tombstone.</param>
/// <param name="Lines">Its lines, one a resource.</param>
public sealed record HoldView(
    string Id, string? Owner, HoldState State, long CreatedAtMs, long ExpiresAtMs, IReadOnlyList<HoldLineView> Lines);

/// <summary>One line of a hold, in units of the resource.</summary>
/// <param name="Resource">The resource's id.</param>
/// <param name="Quantity">What the try asked for.</param>
/// <param name="Held">What is still reserved.</param>
/// <param name="Consumed">What was confirmed, less what came back.</param>
/// <param name="Returned">What came back by returns.</param>
public sealed record HoldLineView(string Resource, long Quantity, long Held, long Consumed, long Returned);

/// <summary>A resource as it stands: <c>Supplied = Available + Held + Consumed</c>, always.</summary>
/// <param name="Id">The caller's id.</param>
/// <param name="Available">Not held, not consumed; negative while sold beyond supply (overdraft, forced deficit).</param>
/// <param name="Held">Reserved by live holds.</param>
/// <param name="Consumed">Confirmed, less returns.</param>
/// <param name="Supplied">The sum of all adjustments.</param>
/// <param name="Version">Rises with every event that touches the resource.</param>
/// <param name="Policy">Its policy.</param>
public sealed record ResourceView(
    string Id, long Available, long Held, long Consumed, long Supplied, long Version, ResourcePolicy Policy);

using System.Text;

namespace Holdfast.Kernel;

/// <summary>One call to a participant: a POST of the body as given.</summary>
/// <param name="Url">Absolute http or https address, at most 2,048 bytes.</param>
/// <param name="Body">The body's bytes; empty: none. At most 64 KiB.</param>
/// <param name="Headers">The call's own headers, at most 16.</param>
/// <param name="TimeoutMs">How long an answer may take, in milliseconds; 0: the server's default.</param>
public sealed record CallSpec(string Url, ReadOnlyMemory<byte> Body, IReadOnlyList<KeyValuePair<string, string>> Headers, int TimeoutMs)
{
    /// <summary>A call without body or headers.</summary>
    public CallSpec(string url)
        : this(url, default, [], 0)
    {
    }
}

/// <summary>A built-in branch: a hold in the same space, decided in the same command as the transaction.</summary>
/// <param name="Owner">Who holds; null: nobody is named.</param>
/// <param name="TtlMs">Time to live in milliseconds; 0: as long as the transaction may take to decide.</param>
/// <param name="Lines">Resource and quantity; at most 64.</param>
public sealed record HoldSpec(string? Owner, long TtlMs, IReadOnlyList<KeyValuePair<string, long>> Lines)
{
    /// <summary>Makes it what a command asks.</summary>
    internal void Fill(TryHold command, string id, long ttlMs)
    {
        command.Reset(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(Owner ?? ""), ttlMs);
        foreach ((string resource, long quantity) in Lines)
        {
            command.AddLine(Encoding.UTF8.GetBytes(resource), quantity);
        }
    }
}

/// <summary>
/// One participant's part in a transaction. Which of the calls exist makes the mode: all three are TCC, try and cancel a
/// saga's step, confirm alone a message.
/// </summary>
/// <param name="Name">Its name within the transaction: 1 to 64 bytes, without a colon.</param>
public sealed record BranchSpec(string Name)
{
    /// <summary>Names of branches that must be tried before this one is. Null: not said.</summary>
    public IReadOnlyList<string>? After { get; init; }

    /// <summary>Reserve or do.</summary>
    public CallSpec? Try { get; init; }

    /// <summary>Consume or deliver.</summary>
    public CallSpec? Confirm { get; init; }

    /// <summary>Release or undo.</summary>
    public CallSpec? Cancel { get; init; }

    /// <summary>A hold in place of calls.</summary>
    public HoldSpec? Hold { get; init; }
}

/// <summary>The calls of a branch, and the check-back of a message.</summary>
public enum CallOp : byte
{
    /// <summary>Phase one.</summary>
    Try = 0,

    /// <summary>Phase two after a commit.</summary>
    Confirm = 1,

    /// <summary>Phase two after an abort.</summary>
    Cancel = 2,

    /// <summary>Asking the sender of a message whether its local work was done.</summary>
    Check = 3,
}

/// <summary>What an answer's status says. Its body never decides.</summary>
public enum CallOutcome : byte
{
    /// <summary>2xx.</summary>
    Done = 0,

    /// <summary>409.</summary>
    Refused = 1,

    /// <summary>425: asked again after a fixed interval, without counting as a failure.</summary>
    Later = 2,

    /// <summary>Everything else, no answer included: it may have been carried out or not.</summary>
    Unknown = 3,
}

/// <summary>The stable words of calls, on the wire and in the event stream.</summary>
public static class CallTexts
{
    private static readonly string[] Ops = ["try", "confirm", "cancel", "check"];
    private static readonly string[] Outcomes = ["done", "refused", "later", "unknown"];

    /// <summary><c>try</c>, <c>confirm</c>, <c>cancel</c> or <c>check</c>.</summary>
    public static string Text(this CallOp op) => Ops[(int)op];

    /// <summary><c>done</c>, <c>refused</c>, <c>later</c> or <c>unknown</c>.</summary>
    public static string Text(this CallOutcome outcome) => Outcomes[(int)outcome];
}

using System.Globalization;
using Holdfast.Client.Http;

namespace Holdfast.Participant;

/// <summary>What a coordinator asks of a branch.</summary>
public enum BranchOp
{
    /// <summary>Reserve, or do.</summary>
    Try,

    /// <summary>Consume, or deliver.</summary>
    Confirm,

    /// <summary>Release, or undo.</summary>
    Cancel,

    /// <summary>Say whether the local work of a message was done.</summary>
    Check,
}

/// <summary>One call of a coordinator, as its headers tell it. Space, transaction, branch and operation name it; attempts repeat it.</summary>
/// <param name="Transaction">The transaction's id.</param>
/// <param name="Branch">The branch's name; <c>-</c> for a check-back.</param>
/// <param name="Op">What is asked.</param>
public sealed record BranchCall(string Transaction, string Branch, BranchOp Op)
{
    /// <summary>Name of the branch in a check-back.</summary>
    public const string CheckBranch = "-";

    /// <summary>The coordinator's space. Default <c>default</c>.</summary>
    public string Space { get; init; } = "default";

    /// <summary>From 1; the same attempt may come twice.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>When the transaction began, unix milliseconds of the coordinator; 0: not said.</summary>
    public long BegunMs { get; init; }

    /// <summary>Every transaction of the space begun before it has ended, unix milliseconds; 0: not said.</summary>
    public long WatermarkMs { get; init; }

    /// <summary>Whether the branch has a try, so that a confirm without one is refused. Known to the participant, not told by the call.</summary>
    public bool ExpectsTry { get; init; }

    /// <summary>Reads the headers; null when they are not a coordinator's, and then <paramref name="problem"/> says why.</summary>
    public static BranchCall? Read(Func<string, string?> header, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(header);
        string? transaction = header("Holdfast-Transaction"), branch = header("Holdfast-Branch"), op = header("Holdfast-Op");
        if (string.IsNullOrEmpty(transaction) || string.IsNullOrEmpty(branch) || !Enum.TryParse(op, ignoreCase: true, out BranchOp asked) || !Enum.IsDefined(asked) || char.IsDigit(op![0]))
        {
            problem = "the headers Holdfast-Transaction, Holdfast-Branch and Holdfast-Op (try, confirm, cancel or check) must name the call";
            return null;
        }

        problem = null;
        return new BranchCall(Plain(transaction), Plain(branch), asked)
        {
            Space = header("Holdfast-Space") is { Length: > 0 } space ? space : "default",
            Attempt = (int)Math.Clamp(Number(header("Holdfast-Attempt")), 1, int.MaxValue),
            BegunMs = Number(header("Holdfast-Begun")),
            WatermarkMs = Number(header("Holdfast-Watermark")),
        };
    }

    /// <summary>
    /// Whether a signed <c>webhook-id</c> names this call. The signature is over that id and the body, not over the other
    /// headers: without this check, whoever saw one call could send it again as another.
    /// </summary>
    public bool IsNamedBy(string? webhookId) => webhookId == CallSignature.MessageId(Space, Transaction, Branch, Op switch
    {
        BranchOp.Try => "try",
        BranchOp.Confirm => "confirm",
        BranchOp.Cancel => "cancel",
        _ => "check",
    });

    /// <summary>Ids that don't fit a header come percent-encoded.</summary>
    private static string Plain(string text) => text.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(text) : text;

    private static long Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}

/// <summary>How a call ended.</summary>
public enum BranchOutcome
{
    /// <summary>Done, now or before: 200.</summary>
    Done,

    /// <summary>Refused for a reason that repeating doesn't change: 409.</summary>
    Refused,

    /// <summary>Not yet; ask again: 425.</summary>
    NotYet,
}

/// <summary>What a branch answers.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Reason">Why it was refused, for people.</param>
/// <param name="Skipped">Whether the business did not run, because it had run before or must not run.</param>
public readonly record struct BranchResult(BranchOutcome Outcome, string? Reason = null, bool Skipped = false)
{
    /// <summary>The business did what was asked.</summary>
    public static BranchResult Done { get; } = new(BranchOutcome.Done);

    /// <summary>Not yet: the coordinator asks again after a fixed interval.</summary>
    public static BranchResult NotYet { get; } = new(BranchOutcome.NotYet);

    /// <summary>The business refuses. Of a try: the transaction is aborted. Of a confirm or cancel: it is stuck until an operator looks.</summary>
    public static BranchResult Refused(string reason) => new(BranchOutcome.Refused, reason);
}

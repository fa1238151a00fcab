namespace Holdfast.Testing.Attacks;

/// <summary>What is attacked, and how hard.</summary>
public sealed record AttackOptions
{
    /// <summary>The participant's try.</summary>
    public required Uri Try { get; init; }

    /// <summary>The participant's confirm; null: it has none (a saga's step).</summary>
    public Uri? Confirm { get; init; }

    /// <summary>The participant's cancel.</summary>
    public required Uri Cancel { get; init; }

    /// <summary>The body of each call; <c>{n}</c> in it is replaced by a number of the transaction's own. Null: none.</summary>
    public string? Body { get; init; }

    /// <summary>Answers a GET with a number that a confirmed transaction changes: the truth before and after. Null: statuses alone are judged.</summary>
    public Uri? Probe { get; init; }

    /// <summary>The number's name in the probe's JSON; null: the answer is a number, or has only one.</summary>
    public string? ProbeField { get; init; }

    /// <summary>The secret (<c>whsec_...</c>) that signs the calls; null: they are not signed.</summary>
    public string? Secret { get; init; }

    /// <summary>Headers of every call.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Calls at once in attacks that overlap. Default 8.</summary>
    public int Parallel { get; init; } = 8;

    /// <summary>How often attacks that depend on timing are repeated. Default 20.</summary>
    public int Repeat { get; init; } = 20;

    /// <summary>How long an answer may take. Default 10 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Only rules with these ids; empty: all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>How many tries of <see cref="Body"/> the balance must be able to fulfil, so that no rule is skipped for lack of it:
    /// four for each of <see cref="Repeat"/>, and 11.</summary>
    public int TriesNeeded => (4 * Repeat) + 11;
}

/// <summary>How a rule fared.</summary>
public enum Verdict
{
    /// <summary>Kept.</summary>
    Kept,

    /// <summary>Broken.</summary>
    Broken,

    /// <summary>Not looked at; the finding says why.</summary>
    Skipped,
}

/// <summary>A rule that a participant must keep.</summary>
/// <param name="Id">Its stable id.</param>
/// <param name="Demands">What must be so.</param>
/// <param name="Shopper">What a shopper suffers when it is broken.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record Rule(string Id, string Demands, string Shopper, string Remedy);

/// <summary>What an attack on a rule found.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Verdict">How it fared.</param>
/// <param name="Seen">What was seen, or why it was skipped.</param>
public sealed record Finding(Rule Rule, Verdict Verdict, string Seen);

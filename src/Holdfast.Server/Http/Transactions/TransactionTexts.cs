using Holdfast.Kernel;

namespace Holdfast.Server;

/// <summary>The words of the wire for transactions.</summary>
internal static class TransactionTexts
{
    public const string Stuck = "stuck";

    private static readonly string[] States = ["trying", "confirming", "confirmed", "cancelling", "cancelled"];
    private static readonly string[] BranchStates = ["pending", "trying", "tried", "confirming", "confirmed", "cancelling", "cancelled"];

    public static string Of(TransactionState state) => States[(int)state];

    public static string Of(BranchState state) => BranchStates[(int)state];

    /// <summary>The state that a text names; null: none of them.</summary>
    public static TransactionState? State(string text) => Array.IndexOf(States, text) is >= 0 and var state ? (TransactionState)state : null;
}

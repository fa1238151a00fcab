namespace Holdfast.Testing.Attacks;

/// <summary>The rules, each with what it means to a shopper.</summary>
public static class Rules
{
    private const string Dedupe = "Write a row unique on (transaction, branch, op) in the same local transaction as the business, and look at it first: Holdfast.Participant's barrier does.";
    private const string Suspend = "On cancel, insert the try's row first: if it goes in, skip the business, succeed, and refuse the try when it comes.";

    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule Clean = new("clean-run", "A try and its confirm change the balance; a try and its cancel leave it as it was.", "Nothing works: what is bought isn't taken, or what is given up isn't given back.", "Start with the happy path; is the probe the balance that a purchase changes?");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule DuplicateTry = new("duplicate-try", "A repeated try succeeds and counts once.", "Charged twice for one purchase.", Dedupe);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule OverlappingTries = new("overlapping-tries", "The same try many times at once counts once.", "Charged twice when the network is slow.", Dedupe);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule CancelBeforeTry = new("cancel-before-try", "A cancel whose try never came succeeds and changes nothing.", "Given points or stock that were never taken.", Suspend);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule LateTry = new("late-try", "A try that comes after its cancel is refused with 409 and changes nothing.", "Charged for a purchase that was cancelled, and never given back.", Suspend + " The marker must survive: commit it though there was no business.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule DuplicateConfirm = new("duplicate-confirm", "A repeated confirm succeeds and counts once.", "Charged twice for one purchase.", Dedupe);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule OverlappingConfirms = new("overlapping-confirms", "The same confirm many times at once counts once.", "Charged twice when the network is slow.", Dedupe);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule ConfirmWithoutTry = new("confirm-without-try", "A confirm whose try never came is refused and changes nothing.", "Bought without being charged: the shop loses.", "Refuse a confirm when the try's row isn't there.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule ConfirmAfterCancel = new("confirm-after-cancel", "A confirm after the cancel is refused and changes nothing.", "What was given back is taken all the same, and may be another shopper's by now.", "Refuse a confirm when the cancel's row is there.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule DuplicateCancel = new("duplicate-cancel", "A repeated cancel succeeds and gives back once.", "Given back twice: the shop loses.", Dedupe);
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule CancelAfterConfirm = new("cancel-after-confirm", "A cancel after the confirm changes nothing.", "Bought, received, and given back too.", "Refuse a cancel when the confirm's row is there.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule TryAndCancelAtOnce = new("try-and-cancel-at-once", "Whatever the order in which they meet, nothing is taken once the cancel has succeeded.", "Points frozen for ever by a purchase that was given up.", "Let both insert the try's row: its lock makes one wait for the other.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule LostAnswer = new("lost-answer", "A try whose caller hung up, repeated, counts once.", "Charged twice when the phone loses its connection.", Dedupe + " Marker and business must commit together.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule SlowAnswer = new("slow-answer", "A try repeated while the first still runs never succeeds before it, and counts once.", "Told that it worked while it was still failing.", "Let the repeat wait for the first, or answer 425.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule RepeatAfterStockFell = new("repeat-after-stock-fell", "A repeat of a successful try still succeeds after others took the rest.", "A purchase that was reserved is cancelled as sold out.", "Look for the duplicate before looking at the stock.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule ConfirmAfterStockFell = new("confirm-after-stock-fell", "A confirm succeeds after others took the rest.", "Paid, and then nothing: what was reserved isn't handed over, and a person must look.", "A confirm consumes what its try reserved: let it check nothing that can change in between.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule RefusedTry = new("refused-try", "A try that was refused leaves nothing behind: its repeat is refused again, or takes what is there by then.", "Told that it is reserved when nothing was: sold, and never delivered.", "Roll the marker back with a refused try, or remember with it that it was refused.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule RefusalStatus = new("refusal-status", "A try that can't be fulfilled is answered 409.", "Waits for minutes and is then told of an error, or buys what isn't there.", "409 for every refusal that repeating doesn't change; 5xx only when it may help to repeat.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule UnknownCall = new("unknown-call", "A call without the coordinator's headers, with an unknown op, or with another op than its URL's is not carried out.", "Anybody's stray request takes points.", "Answer 400 unless Holdfast-Transaction, -Branch and -Op say what the URL is for.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule Signature = new("signature", "An unsigned, wrongly signed or altered try, confirm or cancel is refused and changes nothing.", "Whoever reaches the service can take or give back points.", "Check webhook-signature over the raw body, in constant time, before anything else, and that webhook-id names the transaction, branch and operation of the headers.");
    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule Distinct = new("distinct-transactions", "Two transactions are both carried out.", "The second purchase is swallowed: paid, never delivered.", "The barrier's key is (transaction, branch, op), not the shopper or the body.");

    /// <summary>See <see cref="Rule.Demands"/>.</summary>
    public static readonly Rule DistinctBranches = new("distinct-branches", "Two branches of one transaction are both carried out.", "Half of the purchase is swallowed: paid, never delivered.", "The barrier's key is (transaction, branch, op), not the transaction alone.");

    /// <summary>All rules, in the order in which they are attacked.</summary>
    public static IReadOnlyList<Rule> All { get; } =
    [
        Clean, DuplicateTry, OverlappingTries, CancelBeforeTry, LateTry, DuplicateConfirm, OverlappingConfirms, ConfirmWithoutTry, ConfirmAfterCancel, DuplicateCancel,
        CancelAfterConfirm, TryAndCancelAtOnce, LostAnswer, SlowAnswer, Distinct, DistinctBranches, RefusalStatus, RefusedTry, RepeatAfterStockFell, ConfirmAfterStockFell,
        UnknownCall, Signature,
    ];
}

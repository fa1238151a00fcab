using Holdfast.Kernel;

namespace Holdfast.Testing;

/// <summary>The oracle: what shoppers were told, held against each other and against the state in the end.</summary>
internal static class PurchaseBook
{
    /// <summary>Books an answer and moves the purchase on. Says what contradicts an earlier answer, or null.</summary>
    public static string? Told(Engine.Request asked, bool isCurrent)
    {
        var request = (SimulatedRequest)asked;
        Purchase purchase = request.Purchase;
        Answer answer = request.Answer;
        HoldState told = answer.Code switch
        {
            Code.Ok => answer.State,
            Code.Confirmed => HoldState.Confirmed,
            Code.Cancelled => HoldState.Cancelled,
            Code.Expired => HoldState.Expired,
            _ => HoldState.None,
        };
        string? contradiction = Contradiction(purchase, request.Step, told, answer);
        if (told == HoldState.Held)
        {
            purchase.ToldHeldUntilMs = answer.ExpiresAtMs;
        }
        else if (told != HoldState.None)
        {
            purchase.ToldFinal = told;
        }

        if (isCurrent && request.Step == purchase.Step)
        {
            MoveOn(purchase, told);
        }

        return contradiction;
    }

    /// <summary>Holds what was told of a purchase against what the journal says in the end.</summary>
    public static string? Check(Purchase purchase, HoldView? hold, long nowMs)
    {
        HoldState state = hold?.State ?? HoldState.None;
        if (purchase.ToldFinal != HoldState.None)
        {
            return state == purchase.ToldFinal ? null : $"{purchase.Id} was told {purchase.ToldFinal}, but is {state}";
        }

        if (purchase.ToldHeldUntilMs == 0)
        {
            return null;
        }

        bool possible = state switch
        {
            HoldState.Held => true,
            HoldState.Expired => purchase.ToldHeldUntilMs <= nowMs,
            HoldState.Confirmed => purchase.Sent.Contains(PurchaseStep.Confirm),
            HoldState.Cancelled => purchase.Sent.Contains(PurchaseStep.Cancel),
            _ => false,
        };
        return possible ? null : $"{purchase.Id} was told held until {purchase.ToldHeldUntilMs}, but is {state} at {nowMs}";
    }

    /// <summary>Checks that nothing was sold that wasn't there, and to nobody more than the limit.</summary>
    public static string? CheckTotals(IReadOnlyList<Purchase> purchases, SimulationOptions options, Func<int, ResourceView> read)
    {
        for (int i = 0; i < options.Resources; i++)
        {
            ResourceView view = read(i);
            long confirmed = purchases.Where(p => p.ToldFinal == HoldState.Confirmed).Sum(p => p.Lines.Where(l => l.Resource == i).Sum(l => (long)l.Quantity));
            if (view.Available < 0 || view.Supplied != options.Supply || confirmed > view.Consumed)
            {
                return $"{view.Id}: supplied {view.Supplied} of {options.Supply}, available {view.Available}, consumed {view.Consumed}, confirmed to shoppers {confirmed}";
            }

            long known = purchases.Sum(p => p.Lines.Where(l => l.Resource == i).Sum(l => (long)l.Quantity));
            if (view.Held + view.Consumed > known)
            {
                return $"{view.Id}: more is held and consumed than shoppers ever asked for";
            }

            foreach (IGrouping<string, Purchase> owner in purchases.GroupBy(p => p.Owner, StringComparer.Ordinal))
            {
                long bought = owner.Where(p => p.ToldFinal == HoldState.Confirmed).Sum(p => p.Lines.Where(l => l.Resource == i).Sum(l => (long)l.Quantity));
                if (bought > options.LimitPerOwner)
                {
                    return $"{owner.Key} bought {bought} of {view.Id}, the limit is {options.LimitPerOwner}";
                }
            }
        }

        return null;
    }

    private static string? Contradiction(Purchase purchase, PurchaseStep step, HoldState told, in Answer answer)
    {
        if (answer.Code is Code.Conflict or Code.Invalid or Code.TooOld)
        {
            return $"{purchase.Id} {step} was refused {answer.Code.Text()}, though nothing else was ever sent under this id";
        }

        bool expected = purchase.ToldFinal == HoldState.None || told == purchase.ToldFinal || told == HoldState.None || told == HoldState.Held;
        if (!expected)
        {
            return $"{purchase.Id} was told {purchase.ToldFinal} and then {told}";
        }

        if (purchase.ToldHeldUntilMs != 0 && (answer.Code == Code.NotFound || (told == HoldState.Held && answer.ExpiresAtMs != purchase.ToldHeldUntilMs)))
        {
            return $"{purchase.Id} was told held until {purchase.ToldHeldUntilMs} and then {answer.Code.Text()} {answer.State} until {answer.ExpiresAtMs}";
        }

        // A refused try under an id that is known to be held can only come from a lost hold.
        return purchase.ToldHeldUntilMs != 0 && step == PurchaseStep.Try && answer.Code is Code.Insufficient or Code.LimitExceeded && purchase.ToldHeldUntilMs != 0
            ? $"{purchase.Id} was told held and then refused {answer.Code.Text()}"
            : null;
    }

    private static void MoveOn(Purchase purchase, HoldState told)
    {
        if (told != HoldState.Held)
        {
            // Refused or ended: nothing is left to do.
            purchase.IsOver = true;
            return;
        }

        switch (purchase.Plan, purchase.Step)
        {
            case (PurchasePlan.WalkAway, _):
                purchase.IsOver = true;
                break;
            case (PurchasePlan.Cancel, _):
                purchase.Step = PurchaseStep.Cancel;
                break;
            case (PurchasePlan.AskThenConfirm, PurchaseStep.Try):
                purchase.Step = PurchaseStep.Ask;
                break;
            default:
                purchase.Step = PurchaseStep.Confirm;
                break;
        }
    }
}

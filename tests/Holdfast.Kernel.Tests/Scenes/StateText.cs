using System.Globalization;
using System.Text;

namespace Holdfast.Kernel.Tests;

/// <summary>
/// Everything that a machine knows as text, in an order that does not depend on slots: two machines are in the same
/// state when their texts are equal, and where they are not, the first different line says why.
/// </summary>
internal static class StateText
{
    public static string Of(SpaceMachine machine, bool withOrderOfForgetting = true)
    {
        Ledger ledger = machine.Ledger;
        var text = new List<string>();
        foreach (ResourceView r in machine.ListResources())
        {
            text.Add(Line($"resource {r.Id} {r.Available} {r.Held} {r.Consumed} {r.Supplied} v{r.Version} {r.Policy}"));
        }

        for (int i = 0; i < ledger.Resources.Count; i++)
        {
            text.Add(Line($"forgotten {ledger.Resources[i].Id} {ledger.Resources[i].ConsumedByForgotten}"));
        }

        text.AddRange(ledger.KnownAdjustments.Select(a =>
            Line($"adjustment {a.TimeMs} {a.Resource} {a.Id} {ledger.Resources[a.Resource].Adjustments[a.Id]}")));
        text.AddRange(Accounts(ledger).Order(StringComparer.Ordinal));
        text.AddRange(machine.ListHolds().Select(h => Hold(ledger, h)).Order(StringComparer.Ordinal));
        if (withOrderOfForgetting)
        {
            text.Add("order " + string.Join(' ', machine.ListHolds().Where(h => h.FinishedAtMs is not null).Select(h => h.Id)));
        }

        text.Add(Line($"transactions {machine.Book.NextNumber} {machine.Book.LowestOpen} {machine.Book.LowestKnown} stuck {machine.Book.Stuck} ended {string.Join(' ', machine.Book.Ended.Select(t => t.Number))}"));
        text.AddRange(machine.Book.Known.SelectMany(Transaction));
        text.Add(Line($"checkouts {machine.Checkouts.NextNumber} open {machine.Checkouts.Open} stuck {machine.Checkouts.Stuck} strays {string.Join(' ', machine.Checkouts.Strays)}"));
        text.AddRange(machine.Checkouts.Known.SelectMany(Checkout));
        return string.Join('\n', text);
    }

    private static IEnumerable<string> Transaction(Transaction t)
    {
        yield return Line(
            $"transaction {t.Number} {t.Id} {t.Fingerprint:x} {t.State} {t.CallerDriven} {t.CreatedAtMs} {t.DeadlineMs} {t.EndedAtMs} {t.ReasonCode} {t.ReasonText} {t.Trace} check {Call(t.CheckBack)} {Progress(t.Check)}");
        foreach (Branch b in t.Branches)
        {
            BranchSpec s = b.Spec;
            string hold = s.Hold is null ? "" : $"{s.Hold.Owner} {s.Hold.TtlMs} {string.Join(' ', s.Hold.Lines)}";
            yield return Line(
                $"  branch {s.Name} {b.State} {b.HoldId} after {string.Join(',', b.After)} {Call(s.Try)} {Call(s.Confirm)} {Call(s.Cancel)} hold {hold} {Progress(b.Progress)}");
        }
    }

    private static IEnumerable<string> Checkout(Checkout c)
    {
        yield return Line(
            $"checkout {c.Number} {c.Key} {c.Order} {c.Fingerprint:x} {c.Owner} {string.Join(' ', c.Lines)} {c.Amount} {c.Currency} {c.Channel} {c.Calls} {c.CreatedAtMs} {c.DeadlineMs} {c.State} {c.CancelAsked} {c.ReasonCode} {c.ReasonText} {c.Rescued} {c.PayUrl} {c.ProviderOrder} {c.EndedAtMs} events {string.Join(' ', c.Events.Order(StringComparer.Ordinal))}");
        foreach (CallProgress progress in c.Progress)
        {
            yield return "  call " + Progress(progress);
        }

        foreach (Payment p in c.Payments)
        {
            yield return Line($"  payment {p.Transaction} {p.Amount} {p.Currency} {p.Use} {p.AtMs} {p.Disputed}");
        }

        foreach (Refund r in c.Refunds)
        {
            yield return Line($"  refund {r.Id} {r.Payment.Transaction} {r.Amount} {r.Reason} {r.State} {r.ProviderRefund} {r.Underway} {Progress(r.Progress)}");
        }
    }

    private static string Call(CallSpec? call) => call is null
        ? "-"
        : Line($"{call.Url} {Convert.ToHexString(call.Body.Span)} {string.Join(' ', call.Headers)} {call.TimeoutMs}");

    private static string Progress(CallProgress p) => Line($"{p.Attempts} {p.Failures} {p.NextAtMs} {p.IsStuck} {p.LastAnswer}");

    private static IEnumerable<string> Accounts(Ledger ledger)
    {
        for (int i = 0; i < ledger.Accounts.End; i++)
        {
            Account account = ledger.Accounts[i];
            if (account.Name != 0)
            {
                string last = account.LastHold < 0 ? "-" : Encoding.UTF8.GetString(ledger.Holds.IdOf(account.LastHold));
                yield return Line(
                    $"account {Encoding.UTF8.GetString(ledger.Accounts.OwnerOf(i))} on {account.Resource} used {account.Used} references {account.References} last {last}");
            }
        }
    }

    private static string Hold(Ledger ledger, KnownHold hold)
    {
        byte[] id = Space.Utf8(hold.Id);
        int slot = ledger.Holds.Find(ledger.Hasher.Hash(id), id);
        if (slot < 0)
        {
            return $"hold {hold.Id} can't be found by its name";
        }

        var lines = new LineState[LinedCommand.MaxLines];
        HoldHeader header = ledger.Holds.ReadLines(slot, lines);
        string confirmed = string.Join(',', lines.Take(header.LineCount).Select(l => l.LastConfirmed));
        string returns = string.Join(' ', (ledger.Holds.Returns.GetValueOrDefault(slot) ?? []).Select(r => r.Id + ":" + string.Join(',', r.Quantities)));
        return Line(
            $"hold {hold.Id} owner {hold.Owner} {hold.State} {hold.CreatedAtMs} {hold.ExpiresAtMs} {hold.FinishedAtMs} ttl {header.TtlMs} lines {string.Join(' ', hold.Lines)} last {confirmed} returns {returns}");
    }

    private static string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

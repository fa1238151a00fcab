namespace Holdfast.Kernel;

/// <summary>
/// The proof that nothing was lost or made up: for every resource, supplied = available + held + consumed, and held and
/// consumed are the sums of what the holds say; for every account, what is used is at least what its holds say, and all
/// accounts of a resource together use no more beyond that than forgotten holds have consumed.
/// </summary>
internal static class Conservation
{
    /// <summary>Says what does not add up, or null.</summary>
    public static string? FindImbalance(Ledger ledger)
    {
        long[] held = new long[ledger.Resources.Count];
        long[] consumed = new long[ledger.Resources.Count];
        long[] used = new long[ledger.Accounts.End];
        int[] references = new int[ledger.Accounts.End];
        SumHolds(ledger, held, consumed, used, references);
        for (int i = 0; i < held.Length; i++)
        {
            Resource resource = ledger.Resources[i];
            if (resource.Supplied != resource.Available + resource.Held + resource.Consumed)
            {
                return $"{resource.Id}: supplied {resource.Supplied} is not available {resource.Available} + held {resource.Held} + consumed {resource.Consumed}";
            }

            if (resource.Held != held[i])
            {
                return $"{resource.Id}: held {resource.Held}, but its holds hold {held[i]}";
            }

            if (resource.Consumed != consumed[i] + resource.ConsumedByForgotten)
            {
                return $"{resource.Id}: consumed {resource.Consumed}, but its holds consumed {consumed[i]} and forgotten ones {resource.ConsumedByForgotten}";
            }
        }

        return FindAccountImbalance(ledger, used, references);
    }

    private static string? FindAccountImbalance(Ledger ledger, long[] used, int[] references)
    {
        long[] beyond = new long[ledger.Resources.Count];
        for (int i = 0; i < used.Length; i++)
        {
            Account account = ledger.Accounts[i];
            if (account.Name == 0)
            {
                continue;
            }

            string on = "an account on " + ledger.Resources[account.Resource].Id;
            if (account.Used < used[i])
            {
                return $"{on} says {account.Used} used, but its holds say {used[i]}";
            }

            if (account.References != references[i])
            {
                return $"{on} says that {account.References} holds refer to it, but {references[i]} do";
            }

            beyond[account.Resource] += account.Used - used[i];
        }

        for (int i = 0; i < beyond.Length; i++)
        {
            if (beyond[i] > ledger.Resources[i].ConsumedByForgotten)
            {
                return $"{ledger.Resources[i].Id}: accounts use {beyond[i]} that no hold has, but forgotten ones consumed {ledger.Resources[i].ConsumedByForgotten}";
            }
        }

        return null;
    }

    private static void SumHolds(Ledger ledger, long[] held, long[] consumed, long[] used, int[] references)
    {
        var lines = new LineState[LinedCommand.MaxLines];
        for (int slot = 0; slot < ledger.Holds.End; slot++)
        {
            if (ledger.Holds[slot].Record == 0)
            {
                continue;
            }

            HoldHeader header = ledger.Holds.ReadLines(slot, lines);
            foreach (ref LineState line in lines.AsSpan(0, header.LineCount))
            {
                held[line.Resource] += line.Held;
                consumed[line.Resource] += line.Consumed;
                if (line.Account >= 0)
                {
                    used[line.Account] += line.Held + line.Consumed;
                    references[line.Account]++;
                }
            }
        }
    }
}

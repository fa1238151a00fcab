namespace Holdfast.Kernel;

/// <summary>
/// The proof that nothing was lost or made up: for every resource, supplied = available + held + consumed, and held and
/// consumed are the sums of what the holds say; for every account, what is used is at least what its holds say.
/// </summary>
internal static class Conservation
{
    /// <summary>Says what does not add up, or null.</summary>
    public static string? FindImbalance(Ledger ledger)
    {
        long[] held = new long[ledger.Resources.Count];
        long[] consumed = new long[ledger.Resources.Count];
        long[] used = new long[ledger.Accounts.End];
        SumHolds(ledger, held, consumed, used);
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

        for (int i = 0; i < used.Length; i++)
        {
            if (ledger.Accounts[i].Name != 0 && ledger.Accounts[i].Used < used[i])
            {
                return $"an account on {ledger.Resources[ledger.Accounts[i].Resource].Id} says {ledger.Accounts[i].Used} used, but its holds say {used[i]}";
            }
        }

        return null;
    }

    private static void SumHolds(Ledger ledger, long[] held, long[] consumed, long[] used)
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
                }
            }
        }
    }
}

using System.Text.Json.Nodes;
using Holdfast.Server.Simulator;

namespace Holdfast.Cli.Demo.Payments;

/// <summary>Holds the shop's checkouts against the provider's books: to the cent.</summary>
internal sealed class PaymentAudit
{
    private readonly List<string> _findings = [];

    public int Paid { get; private set; }

    public int Rescued { get; private set; }

    public int LateRefunded { get; private set; }

    public int Conflicted { get; private set; }

    public int Refunds { get; private set; }

    public int Refused { get; private set; }

    public int Unpaid { get; private set; }

    public long DuplicatesSwallowed { get; private set; }

    public long ForgedRefused { get; private set; }

    /// <summary>Minor units that the provider took.</summary>
    public long MoneyIn { get; private set; }

    public long OrdersConfirmed { get; private set; }

    public long WentBack { get; private set; }

    public long InConflict { get; private set; }

    /// <summary>Minor units that are nowhere.</summary>
    public long Missing => MoneyIn - OrdersConfirmed - WentBack - InConflict;

    public IReadOnlyList<string> Findings => _findings;

    public bool IsGood => _findings.Count == 0;

    public static PaymentAudit Of(
        IReadOnlyCollection<PaymentSale.Payer> payers, IReadOnlyCollection<JsonObject> checkouts, SimulatorBooks books, long consumed, long held, long imbalance)
    {
        var audit = new PaymentAudit
        {
            MoneyIn = books.Paid,
            DuplicatesSwallowed = books.DuplicatesTaken,
            ForgedRefused = books.ForgedRefused,
            Refused = payers.Count(p => p.Refused),
        };
        long refunded = 0;
        long stillHeld = 0;
        var states = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonObject checkout in checkouts)
        {
            string state = (string)checkout["state"]!;
            states[(string)checkout["id"]!] = state;
            audit.Paid += state == "paid" ? 1 : 0;
            audit.Rescued += (bool)checkout["rescued"]! ? 1 : 0;
            audit.Conflicted += state == "conflicted" ? 1 : 0;
            audit.Unpaid += state is "expired" or "cancelled" ? 1 : 0;
            stillHeld += state == "conflicted" ? 1 : 0;
            audit.Require(state is "paid" or "expired" or "cancelled" or "conflicted", $"{checkout["id"]} is still {state}");
            foreach (JsonNode? payment in checkout["payments"]!.AsArray())
            {
                long amount = (long)payment!["amount"]!["value"]!;
                string use = (string)payment["use"]!;
                audit.OrdersConfirmed += use == "order" ? amount : 0;
                audit.InConflict += use == "conflicted" ? amount : 0;
                audit.WentBack += use == "goes_back" ? amount : 0;
                audit.LateRefunded += use == "goes_back" && state == "expired" ? 1 : 0;
            }

            foreach (JsonNode? refund in checkout["refunds"]!.AsArray())
            {
                audit.Require((string)refund!["state"]! == "succeeded", $"refund {refund["id"]} of {checkout["id"]} is {refund["state"]}");
                audit.Refunds++;
                refunded += (long)refund["amount"]!["value"]!;
            }
        }

        audit.Require(audit.Missing == 0, $"the provider took {audit.MoneyIn}; orders {audit.OrdersConfirmed} + refunds {audit.WentBack} + conflicted {audit.InConflict} is something else");
        audit.Require(refunded == books.Refunded && refunded == audit.WentBack, $"the shop counts {refunded} sent back, {audit.WentBack} should be, the provider sent {books.Refunded}");
        audit.Require(consumed == audit.Paid, $"{audit.Paid} orders are paid, and {consumed} units are sold");
        audit.Require(held <= stillHeld, $"{held} units are held, and {stillHeld} orders are in conflict");
        audit.Require(imbalance == 0, $"{imbalance} units were made up or are gone");
        foreach (PaymentSale.Payer payer in payers.Where(p => p.ToldPaid))
        {
            audit.Require(states.GetValueOrDefault(payer.Id) == "paid", $"{payer.Id} was told that it is paid, and is {states.GetValueOrDefault(payer.Id) ?? "unknown"}");
        }

        return audit;
    }

    private void Require(bool holds, string finding)
    {
        if (!holds && _findings.Count < 20)
        {
            _findings.Add(finding);
        }
    }
}

namespace Holdfast.Testing;

/// <summary>How large a simulated run of payments is, and what is wrong in it.</summary>
public sealed record PaymentSimulationOptions
{
    /// <summary>Steps of the scheduler before everything heals.</summary>
    public int Steps { get; init; } = 600;

    /// <summary>Checkouts that are begun.</summary>
    public int Checkouts { get; init; } = 12;

    /// <summary>Units that there are: fewer than are wanted, so that late payments find none.</summary>
    public long Supply { get; init; } = 14;

    /// <summary>A fault planted to show that the oracle notices.</summary>
    public PaymentFault Fault { get; init; }
}

/// <summary>A fault of the intake, the provider or the journal, imitated.</summary>
public enum PaymentFault
{
    /// <summary>None: everything must hold.</summary>
    None,

    /// <summary>The intake acknowledges a callback before it is durable.</summary>
    AcknowledgedTooEarly,

    /// <summary>Nobody compares what was paid with what was asked.</summary>
    AmountNotChecked,

    /// <summary>The same payment is not known again when it comes a second time.</summary>
    PaymentNotKnownAgain,

    /// <summary>A repeated refund sends the money again.</summary>
    RefundRepeated,

    /// <summary>Callbacks are read without their signature being looked at.</summary>
    SignatureNotChecked,

    /// <summary>A payment that is disputed gives its units back to the stock.</summary>
    DisputeRestocks,
}

/// <summary>How a run ended.</summary>
/// <param name="Seed">What it was made from: the same seed gives the same run.</param>
/// <param name="Problem">The first thing that was wrong, or null.</param>
/// <param name="Paid">Checkouts that ended paid.</param>
/// <param name="Rescued">Those of them whose units were taken anew (E25).</param>
/// <param name="WentBack">Payments that went back (E26, E27, E28).</param>
/// <param name="Conflicted">Payments of another amount (E32).</param>
/// <param name="Suspense">Payments that belonged to no checkout (E33).</param>
/// <param name="Forged">Callbacks of strangers (E34), and probes (E35).</param>
/// <param name="Disputed">Payments that shoppers took back through their bank (E39).</param>
/// <param name="Crashes">Times that the server lost its memory.</param>
/// <param name="Digest">The machine's digest at the end.</param>
public sealed record PaymentSimulationReport(
    int Seed, string? Problem, int Paid, int Rescued, int WentBack, int Conflicted, int Suspense, int Forged, int Disputed, int Crashes, ulong Digest);

namespace Holdfast.Testing.Tests;

[Collection("simulations")] // each takes all processors: one after another, so that the tests over sockets get their turn
public class PaymentSimulationTests
{
    private const int Seeds = 3_000;

    [Fact]
    public void E25_E26_E27_E28_E29_E30_E31_E32_E33_E34_E35_E36_E37_E38_E39_E40_Thousands_of_seeds_lose_no_payment()
    {
        int paid = 0, rescued = 0, wentBack = 0, conflicted = 0, suspense = 0, forged = 0, disputed = 0, crashes = 0;
        Parallel.For(0, Seeds, seed =>
        {
            PaymentSimulationReport report = PaymentSimulation.Run(seed);
            report.Problem.ShouldBeNull($"seed {seed}: PaymentSimulation.Run({seed}) replays it");
            Interlocked.Add(ref paid, report.Paid);
            Interlocked.Add(ref rescued, report.Rescued);
            Interlocked.Add(ref wentBack, report.WentBack);
            Interlocked.Add(ref conflicted, report.Conflicted);
            Interlocked.Add(ref suspense, report.Suspense);
            Interlocked.Add(ref forged, report.Forged);
            Interlocked.Add(ref disputed, report.Disputed);
            Interlocked.Add(ref crashes, report.Crashes);
        });

        // The runs must be about something: each row of the table happens often.
        paid.ShouldBeGreaterThan(Seeds);
        rescued.ShouldBeGreaterThan(Seeds / 20);
        wentBack.ShouldBeGreaterThan(Seeds / 2);
        conflicted.ShouldBeGreaterThan(Seeds / 20);
        suspense.ShouldBeGreaterThan(Seeds / 2);
        forged.ShouldBeGreaterThan(Seeds / 2);
        disputed.ShouldBeGreaterThan(Seeds / 4);
        crashes.ShouldBeGreaterThan(Seeds);
    }

    [Theory]
    [InlineData(PaymentFault.AcknowledgedTooEarly)]
    [InlineData(PaymentFault.AmountNotChecked)]
    [InlineData(PaymentFault.PaymentNotKnownAgain)]
    [InlineData(PaymentFault.RefundRepeated)]
    [InlineData(PaymentFault.SignatureNotChecked)]
    [InlineData(PaymentFault.DisputeRestocks)]
    public void A_planted_fault_is_found_and_its_seed_replays(PaymentFault fault)
    {
        var options = new PaymentSimulationOptions { Fault = fault };
        PaymentSimulationReport found = Enumerable.Range(0, 500).Select(seed => PaymentSimulation.Run(seed, options)).FirstOrDefault(r => r.Problem is not null)
            ?? throw new InvalidOperationException($"500 seeds didn't find {fault}");

        PaymentSimulation.Run(found.Seed, options).ShouldBe(found);
        PaymentSimulation.Run(found.Seed).Problem.ShouldBeNull("it is the fault, not the seed");
    }
}

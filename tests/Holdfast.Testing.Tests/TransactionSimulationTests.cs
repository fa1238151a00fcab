namespace Holdfast.Testing.Tests;

[Collection("simulations")] // each takes all processors: one after another, so that the tests over sockets get their turn
public class TransactionSimulationTests
{
    private const int Seeds = 4_000;

    [Fact]
    public void E65_E66_E67_E68_E70_E71_E72_E73_E74_E75_E76_E77_E79_E80_Thousands_of_seeds_end_all_or_nothing()
    {
        int confirmed = 0, ended = 0, meddled = 0, crashes = 0;
        Parallel.For(0, Seeds, seed =>
        {
            TransactionSimulationReport report = TransactionSimulation.Run(seed);
            report.Problem.ShouldBeNull($"seed {seed}: TransactionSimulation.Run({seed}) replays it");
            Interlocked.Add(ref confirmed, report.Confirmed);
            Interlocked.Add(ref ended, report.Ended);
            Interlocked.Add(ref meddled, report.Meddled);
            Interlocked.Add(ref crashes, report.Crashes);
        });

        // The runs must be about something: many that confirm, many that don't, many crashes.
        confirmed.ShouldBeGreaterThan(Seeds);
        (ended - confirmed).ShouldBeGreaterThan(Seeds);
        meddled.ShouldBeGreaterThan(Seeds);
        crashes.ShouldBeGreaterThan(Seeds);
    }

    [Theory]
    [InlineData(TransactionFault.NoDedupe)]
    [InlineData(TransactionFault.EmptyRollbackRuns)]
    [InlineData(TransactionFault.EmptyRollbackUnmarked)]
    [InlineData(TransactionFault.NoSuspension)]
    [InlineData(TransactionFault.DecisionLost)]
    public void A_planted_fault_is_found_and_its_seed_replays(TransactionFault fault)
    {
        var options = new TransactionSimulationOptions { Fault = fault };
        TransactionSimulationReport found = Enumerable.Range(0, 500).Select(seed => TransactionSimulation.Run(seed, options)).FirstOrDefault(r => r.Problem is not null)
            ?? throw new InvalidOperationException($"500 seeds didn't find {fault}");

        TransactionSimulation.Run(found.Seed, options).ShouldBe(found);
        TransactionSimulation.Run(found.Seed).Problem.ShouldBeNull("it is the fault, not the seed");
    }
}

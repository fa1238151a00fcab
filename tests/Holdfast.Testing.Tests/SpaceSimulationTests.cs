using System.Globalization;

namespace Holdfast.Testing.Tests;

/// <summary>
/// Thousands of seeds of the simulated space. A failing seed is printed; <c>HOLDFAST_SEED=N</c> runs that one alone, and
/// <c>HOLDFAST_SEEDS=N</c> sets how many.
/// </summary>
[Collection("simulations")] // each takes all processors: one after another, so that the tests over sockets get their turn
public sealed class SpaceSimulationTests(ITestOutputHelper output)
{
    private static readonly int Seeds = Number("HOLDFAST_SEEDS") ?? 3000;

    [Fact]
    public void EverySeed_KeepsWhatItAnswered()
    {
        int first = Number("HOLDFAST_SEED") ?? 1;
        int count = Number("HOLDFAST_SEED") is null ? Seeds : 1;
        int answers = 0, crashes = 0, failed = 0;
        for (int seed = first; seed < first + count; seed++)
        {
            SimulationReport report = SpaceSimulation.Run(seed);
            report.Problem.ShouldBeNull($"seed {seed}: run it alone with HOLDFAST_SEED={seed}");
            answers += report.Answers;
            crashes += report.Crashes;
            failed += report.FailedAppends;
        }

        output.WriteLine($"{count} seeds: {answers} answers, {crashes} crashes, {failed} failed appends");

        // The runs must have been real ones: shoppers served, memory lost, storage failing.
        answers.ShouldBeGreaterThan(count * 50);
        crashes.ShouldBeGreaterThan(count);
        failed.ShouldBeGreaterThan(count);
    }

    [Fact]
    public void SameSeed_GivesTheSameRun()
    {
        SpaceSimulation.Run(4711).ShouldBe(SpaceSimulation.Run(4711));
    }

    [Theory]
    [InlineData(PlantedFault.AnswerBeforeDurable)]
    [InlineData(PlantedFault.LoseLastBatch)]
    [InlineData(PlantedFault.KeepMemoryAfterFailure)]
    public void PlantedFault_IsFound(PlantedFault fault)
    {
        int found = Enumerable.Range(1, 50).Count(seed => SpaceSimulation.Run(seed, new SimulationOptions { Fault = fault }).Problem is not null);
        output.WriteLine($"{fault}: found in {found} of 50 seeds");
        found.ShouldBeGreaterThan(25);
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : null;
}

using System.Globalization;

namespace Holdfast.Kernel.Tests.Model;

/// <summary>
/// The machine against the reference model, answer by answer and state by state. A failure prints its seed; run with
/// HOLDFAST_SEED set to it to run that sequence alone, and with HOLDFAST_SEQUENCES for more of them.
/// </summary>
public class ModelTests
{
    private const int FirstSeed = 1;

    [Fact]
    public void Random_sequences_are_answered_as_the_reference_model_answers_them()
    {
        int? only = Number("HOLDFAST_SEED");
        int count = only is null ? Number("HOLDFAST_SEQUENCES") ?? 2_000 : 1;
        for (int seed = only ?? FirstSeed; count > 0; seed++, count--)
        {
            (HoldOptions options, List<Op> ops) = SequenceSource.Make(seed);
            if (Comparison.FindDifference(options, ops) is not null)
            {
                List<Op> shortest = Comparison.Shrink(options, ops);
                Assert.Fail(
                    $"HOLDFAST_SEED={seed} (of {ops.Count} steps, {shortest.Count} are enough): {Comparison.FindDifference(options, shortest)}\n{options}\n"
                    + string.Join('\n', shortest));
            }
        }
    }

    [Fact]
    public void The_random_sequences_reach_every_answer()
    {
        var reached = new HashSet<Code>();
        for (int seed = FirstSeed; seed < FirstSeed + 300; seed++)
        {
            (HoldOptions options, List<Op> ops) = SequenceSource.Make(seed);
            var model = new ReferenceModel(options);
            long now = Space.Start;
            foreach (Op op in ops)
            {
                now += op is WaitOp wait ? wait.Ms : 0;
                if (op is not (WaitOp or TidyOp or RestartOp))
                {
                    reached.Add(model.Apply(op, now).Code);
                }
            }
        }

        reached.ShouldBe(Enum.GetValues<Code>().Except([Code.Overloaded, Code.Unavailable, Code.ExceedsPaid]), ignoreOrder: true);
    }

    public static TheoryData<string> Flaws => [.. Enum.GetNames<Flaw>().Where(f => f != nameof(Flaw.None))];

    [Theory]
    [MemberData(nameof(Flaws))]
    public void A_planted_flaw_is_found_and_cut_down_to_a_few_steps(string name)
    {
        Flaw flaw = Enum.Parse<Flaw>(name);
        for (int seed = FirstSeed; seed < FirstSeed + 1_000; seed++)
        {
            (HoldOptions options, List<Op> ops) = SequenceSource.Make(seed);
            if (Comparison.FindDifference(options, ops, flaw) is not null)
            {
                List<Op> shortest = Comparison.Shrink(options, ops, flaw);
                shortest.Count.ShouldBeLessThanOrEqualTo(10, string.Join('\n', shortest));
                Comparison.FindDifference(options, shortest).ShouldBeNull("without the flaw nothing differs");
                return;
            }
        }

        Assert.Fail($"{flaw} was not found: the sequences don't show it");
    }

    private static int? Number(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;
}

namespace Holdfast.Kernel.Tests.Holds;

/// <summary>
/// Two faults at once: the smaller code is answered. Every pair of a try's refusals, on one line and over two, in the
/// order that the design fixes.
/// </summary>
public class RefusalPrecedenceTests : Scenario
{
    /// <summary>The order of section 4; "state of the id" stands for cancelled and expired and confirmed.</summary>
    private static readonly Code[] Order =
    [
        Code.Invalid, Code.TooOld, Code.Conflict, Code.Cancelled, Code.Expired, Code.Confirmed, Code.UnknownResource,
        Code.Disabled, Code.NotOpen, Code.NotOwner, Code.LimitExceeded, Code.Insufficient,
    ];

    // What the policy, rather than the command or its id, brings about: these can meet on one line.
    private static readonly Code[] OfPolicy =
        [Code.Disabled, Code.NotOpen, Code.NotOwner, Code.LimitExceeded, Code.Insufficient];

    private static readonly Code[] OfLines = [Code.UnknownResource, .. OfPolicy];

    public static TheoryData<Code, Code> Pairs(string which)
    {
        Code[] codes = which switch { "policy" => OfPolicy, "lines" => OfLines, _ => Order };
        var pairs = new TheoryData<Code, Code>();
        for (int first = 0; first < codes.Length; first++)
        {
            for (int second = first + 1; second < codes.Length; second++)
            {
                if (which != "all" || CanMeet(codes[first], codes[second]))
                {
                    pairs.Add(codes[first], codes[second]);
                }
            }
        }

        return pairs;
    }

    [Fact]
    public void The_numbers_of_the_codes_are_the_precedence() =>
        Order.Select(c => (int)c).ShouldBe(Order.Select(c => (int)c).Order());

    [Theory]
    [MemberData(nameof(Pairs), "all")]
    public void Two_faults_in_one_try_answer_the_smaller_code(Code first, Code second)
    {
        Answer answer = TryWithFaults([first, second]);

        answer.Code.ShouldBe(first);
        Space.LastEvents.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Pairs), "policy")]
    public void Two_faults_on_one_line_answer_the_smaller_code(Code first, Code second)
    {
        Space.Stock("sku", 5, PolicyWith(PolicyWith(ResourcePolicy.Default, first), second));

        Answer answer = Space.TryAs("h", "ann", ("sku", 6));

        answer.Code.ShouldBe(first);
        Space.LastEvents.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Pairs), "lines")]
    public void Two_faults_on_two_lines_answer_the_smaller_code_whichever_line_has_it(Code first, Code second)
    {
        Put("a", first);
        Put("b", second);

        foreach ((string Resource, long Quantity)[] lines in new[] { new[] { ("a", 6L), ("b", 6L) }, [("b", 6L), ("a", 6L)] })
        {
            Answer answer = Space.TryAs("h", "ann", lines);
            answer.Code.ShouldBe(first);
            Text(answer.Resource).ShouldBe("a");
            answer.Asked.ShouldBe(6);
        }
    }

    [Theory]
    [InlineData(Code.UnknownResource)]
    [InlineData(Code.Disabled)]
    [InlineData(Code.NotOpen)]
    [InlineData(Code.NotOwner)]
    [InlineData(Code.LimitExceeded)]
    [InlineData(Code.Insufficient)]
    public void The_same_fault_on_two_lines_names_the_first_line(Code code)
    {
        Space.Stock("good", 10);
        Put("a", code);
        Put("b", code);

        Text(Space.TryAs("h", "ann", ("good", 1), ("b", 6), ("a", 7)).Resource).ShouldBe("b");
        Answer answer = Space.TryAs("h", "ann", ("good", 1), ("a", 7), ("b", 6));

        answer.Code.ShouldBe(code);
        Text(answer.Resource).ShouldBe("a");
        answer.Asked.ShouldBe(7);
        Space.Buckets("good").ShouldBe((10, 0, 0));
    }

    [Fact]
    public void A_confirm_naming_too_much_twice_names_its_own_first_line()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Try("h", ("a", 1), ("b", 1));

        Answer answer = Space.Confirm("h", ("b", 2), ("a", 2));

        answer.Code.ShouldBe(Code.ExceedsHold);
        Text(answer.Resource).ShouldBe("b");
        (answer.Asked, answer.Available).ShouldBe((2, 1));
    }

    [Fact]
    public void A_confirm_with_a_stranger_on_its_second_line_names_the_first_line_that_is_wrong()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Try("h", ("a", 1));

        Answer answer = Space.Confirm("h", ("a", 2), ("b", 1));

        (answer.Code, Text(answer.Resource)).ShouldBe((Code.ExceedsHold, "a"));
        Text(Space.Confirm("h", ("b", 1), ("a", 2)).Resource).ShouldBe("b");
    }

    [Fact]
    public void A_return_naming_too_much_twice_names_its_own_first_line()
    {
        Space.Stock("a", 10);
        Space.Stock("b", 10);
        Space.Try("h", ("a", 1), ("b", 1));
        Space.Confirm("h");

        Answer answer = Space.Return("h", "r", ("b", 2), ("a", 2));

        (answer.Code, Text(answer.Resource)).ShouldBe((Code.ExceedsHold, "b"));
    }

    [Fact]
    public void A_return_without_lines_is_invalid_whether_the_hold_is_known_or_not()
    {
        Space.Return("nobody", "r").Code.ShouldBe(Code.Invalid);
    }

    [Fact]
    public void An_adjustment_that_overflows_is_invalid_even_when_the_version_is_stale()
    {
        Space.Stock("sku", Quantity.Max);
        Space.Try("h", ("sku", 1));
        Space.Confirm("h");

        Space.Set("sku", "s", Quantity.Max, expectedVersion: 1).Code.ShouldBe(Code.Invalid);
    }

    private static bool CanMeet(Code first, Code second)
    {
        // An id has one state, and with a known body no line is looked at: a known id's line faults come about after it.
        Code[] states = [Code.Cancelled, Code.Expired, Code.Confirmed];
        return !(states.Contains(first) && states.Contains(second)) && !(first == Code.Conflict && second == Code.Cancelled);
    }

    private static string Text(byte[]? resource) => System.Text.Encoding.UTF8.GetString(resource!);

    private static ResourcePolicy PolicyWith(ResourcePolicy policy, Code code) => code switch
    {
        Code.Disabled => policy with { Disabled = true },
        Code.NotOpen => policy with { OpensAtMs = Space.Start + 86_400_000 * 10L },
        Code.NotOwner => policy with { Owner = "bob" },
        Code.LimitExceeded => policy with { LimitPerOwner = 1 },
        _ => policy,
    };

    private void Put(string id, Code code)
    {
        if (code == Code.UnknownResource)
        {
            return;
        }

        Space.Stock(id, code == Code.Insufficient ? 5 : 100, PolicyWith(ResourcePolicy.Default, code));
    }

    /// <summary>Builds the worst try that has exactly these faults, the line faults on lines of their own.</summary>
    private Answer TryWithFaults(Code[] faults)
    {
        bool known = faults.Any(f => f is Code.Conflict or Code.Cancelled or Code.Expired or Code.Confirmed);
        var lines = new List<(string, long)> { ("sku", 2) };
        Space.Stock("sku", 100);
        foreach (Code fault in faults.Where(f => OfLines.Contains(f)))
        {
            lines.Add(("r-" + fault, 6));
            Space.Stock("r-" + fault, 6);
        }

        if (known)
        {
            Space.TryWith("h", "ann", 60_000, 0, [.. lines]).Code.ShouldBe(Code.Ok);
        }

        if (faults.Contains(Code.Cancelled))
        {
            Space.Cancel("h");
        }

        if (faults.Contains(Code.Confirmed))
        {
            Space.Confirm("h");
        }

        if (faults.Contains(Code.Expired))
        {
            Space.Pass(60_064);
        }

        foreach (Code fault in faults.Where(f => OfPolicy.Contains(f)))
        {
            Space.Put("r-" + fault, PolicyWith(ResourcePolicy.Default, fault));
            Space.Adjust("r-" + fault, "gone", -Space.Resource("r-" + fault).Available);
        }

        if (faults.Contains(Code.UnknownResource))
        {
            lines.Add(("r-nowhere", 1));
        }

        if (faults.Contains(Code.Invalid))
        {
            lines.Add(("sku", 0));
        }

        if (faults.Contains(Code.Conflict))
        {
            lines.Add(("sku", 1));
        }

        if (faults.Contains(Code.UnknownResource) && known && !faults.Contains(Code.Conflict))
        {
            // A line that the hold never had makes another body; with the same body the id's state is all that is told.
            lines.Remove(("r-nowhere", 1));
        }

        long issued = faults.Contains(Code.TooOld) ? Space.Now - Options.RetentionMs - 1 : Space.Now;
        return Space.TryWith("h", "ann", 60_000, issued, [.. lines]);
    }
}
